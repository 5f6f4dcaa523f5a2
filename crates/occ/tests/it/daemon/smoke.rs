//! What an engine must be seen to do: by one that does it, and by ones that checks of other people would pass.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use occ_testkit::{Bench, Daemon, Manner};
use serde_json::Value;

use super::{running, stand_in};
use crate::places::bench_at;

const GUEST: &str = "usr/lib/opencode-cloud";

/// Returns the image that benches make, which is in the engine.
pub(super) fn image(bench: &Bench) -> String {
    let version = bench.run(["version", "--json"]).success().data();
    version["image"].as_str().unwrap().to_owned()
}

fn outcomes(data: &Value, outcome: &str) -> Vec<String> {
    let checks = data["checks"].as_array().unwrap().iter();
    let those = checks.filter(|check| check["outcome"] == outcome);
    those.map(|check| check["name"].as_str().unwrap().to_owned()).collect()
}

fn why<'a>(data: &'a Value, check: &str) -> &'a str {
    let mut checks = data["checks"].as_array().unwrap().iter();
    checks.find(|one| one["name"] == check).unwrap()["why"].as_str().unwrap_or_default()
}

/// An archive for the daemon's builder.
struct Context(tar::Builder<Vec<u8>>);

impl Context {
    fn of(dockerfile: &str) -> Self {
        let mut context = Self(tar::Builder::new(Vec::new()));
        context.file("Dockerfile", dockerfile.as_bytes());
        context
    }

    fn file(&mut self, name: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        self.0.append_data(&mut header, name, bytes).unwrap();
    }

    /// Builds the image, whose name goes with the bench's instance.
    fn build(self, bench: &Bench, fault: &str) -> String {
        let name = format!("occ-test-{}:{fault}", bench.instance());
        let path = format!("/build?t={name}&rm=1");
        let answer = bench.api().post_archive(&path, &self.0.into_inner().unwrap());
        answer.success();
        name
    }
}

/// Makes an engine with a fault, which is gone with the returned value.
pub(super) struct Broken<'a> {
    bench: &'a Bench,
    pub(super) name: String,
}

impl<'a> Broken<'a> {
    pub(super) fn with(bench: &'a Bench, fault: &str) -> Self {
        let image = image(bench);
        let mut context = Context::of(&format!(
            "FROM {image}\nCOPY entrypoint broken.js /{GUEST}/\nENV FAULT={fault}\n"
        ));
        context.file("entrypoint", include_bytes!("broken/entrypoint"));
        context.file("broken.js", include_bytes!("broken/broken.js"));
        Self { bench, name: context.build(bench, fault) }
    }

    /// Takes the symbols out of the program, and with them what makes it opencode.
    fn stripped(bench: &'a Bench) -> Self {
        let image = image(bench);
        let program = bench.folder().join("opencode");
        let script = "id=$(docker create \"$0\") && docker cp -q \"$id:/usr/bin/opencode\" \"$1\" && \
                      docker rm \"$id\" >/dev/null && strip \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-ec", script, &image]).arg(&program);
        let ran = command.env("DOCKER_HOST", bench.api().host()).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let mut context = Context::of(&format!("FROM {image}\nCOPY opencode /usr/bin/opencode\n"));
        context.file("opencode", &std::fs::read(&program).unwrap());
        Self { bench, name: context.build(bench, "stripped") }
    }

    /// Examines it, and returns what does not hold with the answer.
    fn examined(&self) -> (Vec<String>, Value) {
        let kept = self.bench.folder().join("kept");
        let arguments = ["smoke", &self.name, "--no-model", "--json", "--artifacts"];
        let mut command: Vec<&Path> = arguments.iter().map(Path::new).collect();
        command.push(&kept);
        let data = self.bench.run(command).code(7).data();
        assert_eq!(data["verdict"], "failed");
        for file in ["report.json", "report.xml", "requests.jsonl", "container.log"] {
            assert!(kept.join(file).exists(), "{file}");
        }
        assert!(!std::fs::read_to_string(kept.join("requests.jsonl")).unwrap().is_empty());
        (outcomes(&data, "failed"), data)
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        self.bench.api().delete(&format!("/images/{}", self.name));
    }
}

/// Returns how many sessions there are; a server that is busy with something else is asked again.
fn sessions(bench: &Bench) -> u64 {
    let asked = Instant::now();
    loop {
        let stats = bench.run(["stats", "--json"]).success().data();
        match stats["sessions"]["total"].as_u64() {
            Some(total) => return total,
            None if asked.elapsed() < Duration::from_secs(120) => sleep(Duration::from_secs(1)),
            None => panic!("the server never tells its sessions: {stats}"),
        }
    }
}

/// A plugin that adds to what users say, as some do to remind the model of their ways.
const PLUGIN: &str = "export const Reminder = async () => ({\n\
    'experimental.chat.messages.transform': async (_, { messages }) => {\n\
        const said = messages.findLast(({ info }) => info.role === 'user')?.parts ?? [];\n\
        for (const part of said) if (part.type === 'text') part.text += '<reminder>Plan.</reminder>';\n\
    },\n\
});\n";

/// Lets every project of a sandbox have the plugin.
fn add_plugin(bench: &Bench) {
    let write = "cd ~/.config/opencode && mkdir -p plugin && printf %s \"$1\" >plugin/reminder.js";
    bench.run(["exec", "--", "sh", "-c", write, "sh", PLUGIN]).success();
}

#[test]
fn a_sandbox_holds_and_is_left_as_it_was() {
    let bench = running();
    add_plugin(&bench);
    let report = bench.folder().join("report.xml");
    let data = bench.run(["smoke", "--json", "--junit", report.to_str().unwrap()]).success().data();
    assert_eq!((&data["kind"], &data["verdict"]), (&"sandbox".into(), &"passed".into()));
    assert_eq!(outcomes(&data, "skipped"), ["stops", "survives", "integrity"]);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(
        report.contains("failures=\"0\"") && report.contains("classname=\"model\""),
        "{report}"
    );

    let files = bench.run(["exec", "--", "ls", "-A", "/home/opencode/workspace", "/tmp"]);
    let files = files.success().stdout;
    assert!(files.starts_with("/home/opencode/workspace:\n\n/tmp:\n"), "{files}");
    assert!(!files.contains("occ-smoke"), "{files}");
    assert_eq!(sessions(&bench), 0);
    bench.run(["smoke", bench.instance(), "--no-model"]).success().prints("checks hold");
    bench.run(["stop"]).success();
    bench.run(["smoke"]).code(1).says("does not run").says("occ start");
}

#[test]
fn an_image_holds_from_its_start_to_its_next_start_and_nothing_is_left() {
    let bench = running();
    let image = image(&bench);
    bench.run(["rm", "--yes", "--volumes"]).success();
    let run = bench.run(["smoke", &image]).success();
    run.prints("checks hold");
    bench.assert_nothing_left();
    let missing = bench.run(["smoke", "no-such-image:1"]).code(1);
    missing.says("neither a sandbox nor an image").says("occ image pull");
}

/// Examines an engine for each fault, and demands the sentence of the check that must find it. Those that never become
/// ready are waited for as long as a busy machine may need for one that does.
fn told(faults: &[(&str, &str, &str)]) -> Bench {
    let mut bench = running();
    bench.set("OCC_START_TIMEOUT", "60");
    for (fault, check, sentence) in faults {
        let (failed, data) = Broken::with(&bench, fault).examined();
        assert!(failed.iter().any(|one| one == check), "{fault}: {failed:?}");
        assert!(why(&data, check).contains(sentence), "{fault}: {}", why(&data, check));
    }
    bench
}

#[test]
fn an_engine_that_lies_about_sessions_and_commands_is_told_by_its_fault() {
    let bench = told(&[
        ("shell-error-body", "command", "/shell is not understood"),
        ("no-session-id", "session", "/session is not understood"),
        ("completes-nothing", "exit-code", "the command's exit code is missing"),
        ("hides-codes", "exit-code", "the exit code of false is 0, and 1 is expected"),
    ]);
    // The engine without a fault, behind the same proxy: it has no terminal, and nothing else is wrong.
    let (failed, data) = Broken::with(&bench, "none").examined();
    assert_eq!(failed, ["terminal"], "{data:#}");
}

#[test]
fn an_engine_that_only_looks_ready_is_told_by_its_fault() {
    told(&[
        ("silent-events", "ready", "the event stream gives no good answer"),
        ("html-health", "ready", "/global/health answered text/html instead of JSON"),
        ("health-only", "ready", "/path answered text/html instead of JSON"),
        ("wrong-version", "ready", "and \"1.0.0\" answers"),
        ("two-servers", "one-server", "the number of servers is 2, and 1 is expected"),
    ]);
}

#[test]
fn a_stripped_program_is_told_by_its_version() {
    let mut bench = running();
    bench.set("OCC_START_TIMEOUT", "30");
    let (failed, data) = Broken::stripped(&bench).examined();
    for check in ["version", "binary"] {
        assert!(failed.contains(&check.to_owned()), "{check}: {failed:?}");
    }
    assert!(why(&data, "binary").starts_with("the digest of /usr/bin/opencode is"), "{data:#}");
    let said = why(&data, "version");
    assert!(said.starts_with("the program's version is \"1.3"), "{said}");
    assert!(why(&data, "ready").contains("its container ended with"), "{data:#}");
}

/// Waits until a stage is there, and returns its container's name.
fn stage(bench: &Bench) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let containers = bench.api().containers_of(bench.instance());
        let is_stage = |name: &&String| name.contains(".stage-") && !name.ends_with("-aside");
        if let Some(name) = containers.iter().find(is_stage) {
            return name.trim_start_matches('/').to_owned();
        }
        assert!(Instant::now() < deadline, "no stage is made: {containers:?}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_a_smoke_that_was_killed_left_goes_with_prune_and_with_the_next_smoke() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
    stand_in(bench.api(), Manner::NeverAnswers);
    let image = image(&bench);
    let begin = || bench.start(["smoke", &image, "--no-model"]);
    let prune = |more: &str| bench.run(["prune", "--volumes", more]).success();

    let smoke = begin();
    let name = stage(&bench);
    let in_use = prune("--dry-run").stdout;
    assert!(!in_use.contains(&name), "it is in use: {in_use}");
    drop(smoke);
    let _listed = prune("--dry-run").prints(&name);
    assert_ne!(bench.api().containers_of(bench.instance()), Vec::<String>::new(), "a dry run");
    let _removed = prune("--yes").prints(&name).prints("removed");
    bench.assert_nothing_left();

    let smoke = begin();
    let name = stage(&bench);
    drop(smoke);
    bench.set("OCC_START_TIMEOUT", "5");
    let next = bench.run(["smoke", &image, "--no-model"]).code(7);
    let _told = next.says("was killed left").says(&name);
    bench.assert_nothing_left();
}
