//! The real image: real packages, the real opencode, a real engine.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use occ_image::{
    BuildPlan, Compression, Event, Image, Layout, Lock, Recipe, Release, Target, Workshop, build,
    guest, inspect,
};
use occ_oci::Platform;
use occ_testkit::Settled;
use tempfile::TempDir;

use crate::contents;
use crate::mock::{self, MockModel};

/// Has characters that a careless script would trip over.
const PASSWORD: &str = r#"a"b\c $d'e%s"#;

/// The cache that the tests of the command line use too, so that a Debian is made once.
fn shared() -> Workshop {
    workshop(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("occ-cache/opencode-cloud"))
}

fn workshop(cache: &Path) -> Workshop {
    Workshop::new(cache.to_owned(), PathBuf::from("/tmp"))
}

fn here() -> Platform {
    let machine = output(Command::new("uname").arg("-m"));
    Platform::from_uname_machine(machine.trim()).unwrap()
}

/// Returns the built-in lock, or what follows from it where the archives no longer have all of its files.
fn lock() -> Lock {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/sandbox.toml");
    Settled::of(&recipe, Path::new(env!("CARGO_TARGET_TMPDIR"))).lock
}

fn plan(recipe: &Recipe, lock: &Lock, variant: &str, platform: Platform) -> BuildPlan {
    BuildPlan::new(recipe, lock, &Target::new(platform, variant), &Release::default()).unwrap()
}

fn plans(platforms: &[Platform]) -> Vec<BuildPlan> {
    let recipe = Recipe::embedded().unwrap();
    let lock = lock();
    let of = |variant| platforms.iter().map(move |platform| (variant, *platform));
    let all = recipe.variants.keys().flat_map(of);
    all.map(|(variant, platform)| plan(&recipe, &lock, variant, platform)).collect()
}

fn made(plans: &[BuildPlan], form: Option<Compression>, workshop: &Workshop) -> Vec<Image> {
    build(plans, form, workshop, &|_| (), &AtomicBool::new(false)).unwrap()
}

/// Runs a command that must succeed and returns what it printed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn docker(arguments: &[&str]) -> String {
    output(Command::new("docker").args(arguments))
}

fn feed(arguments: &[&str], mut input: impl io::Read) {
    let mut child = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    io::copy(&mut input, &mut stdin).unwrap();
    stdin.flush().unwrap();
    drop(stdin);
    let status = child.wait().unwrap();
    assert!(status.success(), "docker {arguments:?}: {status}");
}

/// A container of the image that is gone when this is dropped.
struct Sandbox(String);

impl Sandbox {
    fn start(image: &str, name: &str) -> Self {
        let name = format!("occ-image-{name}-{}", std::process::id());
        docker(&["create", "--name", &name, image]);
        let sandbox = Self(name);
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_path("password").unwrap();
        header.set_mode(0o400);
        header.set_uid(guest::UID.into());
        header.set_gid(guest::GID.into());
        header.set_size(PASSWORD.len() as u64);
        header.set_cksum();
        archive.append(&header, PASSWORD.as_bytes()).unwrap();
        let to = format!("{}:{}", sandbox.0, guest::RUNTIME_FOLDER);
        feed(&["cp", "-", &to], &archive.into_inner().unwrap()[..]);
        docker(&["start", &sandbox.0]);
        sandbox
    }

    fn sh(&self, script: &str) -> String {
        docker(&["exec", &self.0, "sh", "-c", script]).trim_end().to_owned()
    }

    fn healthy(&self) {
        let deadline = Instant::now() + Duration::from_secs(90);
        let health = || docker(&["inspect", "--format", "{{json .State.Health}}", &self.0]);
        while !health().starts_with(r#"{"Status":"healthy""#) {
            let logs = || docker(&["logs", &self.0]);
            assert!(Instant::now() < deadline, "{}\n{}", health(), logs());
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    /// Asks the server from inside, with credentials, and returns the parsed answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let script = format!(
            "curl -sS -m 60 -X {method} -u \"opencode:$(cat {})\" -H 'content-type: application/json' \
             ${{1:+--data \"$1\"}} 'http://127.0.0.1:{}{path}'",
            guest::PASSWORD_FILE,
            guest::PORT,
        );
        let answer = docker(&["exec", &self.0, "sh", "-c", &script, "sh", body]);
        serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{method} {path}: {answer}"))
    }

    fn session(&self) -> String {
        self.ask("POST", "/session", "{}")["id"].as_str().unwrap().to_owned()
    }

    fn prompt(&self) -> serde_json::Value {
        let path = format!("/session/{}/message", self.session());
        self.ask("POST", &path, r#"{"parts":[{"type":"text","text":"hello"}]}"#)
    }

    /// Stores a key as the web page does, and returns the providers that can be used then.
    fn connect(&self, provider: &str) -> serde_json::Value {
        let key = r#"{"type":"api","key":"sk-test"}"#;
        assert_eq!(self.ask("PUT", &format!("/auth/{provider}"), key), true);
        self.connected()
    }

    fn connected(&self) -> serde_json::Value {
        self.ask("POST", "/instance/dispose", "");
        self.ask("GET", "/provider", "")["connected"].clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.0]);
    }
}

/// An image that is gone from the engine when this is dropped.
struct Loaded(String);

impl Loaded {
    fn load(image: &Image) -> Self {
        // Tests beside this one may have it loaded and must keep it, so every test has a name of its own.
        let name =
            format!("{}-{}-{:?}", image.name, std::process::id(), std::thread::current().id());
        let name = name.replace(['(', ')'], "").to_lowercase();
        feed(&["load"], image.archive().unwrap());
        docker(&["tag", &image.name, &name]);
        Self(name)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

#[test]
fn the_lock_that_tests_build_from_answers_the_built_in_recipe() {
    assert_eq!(lock().answers(&Recipe::embedded().unwrap()), Ok(()));
}

#[test]
fn the_real_image_is_a_healthy_locked_sandbox_that_asks_nobody_until_told_whom() {
    let plan = plans(&[here()]).swap_remove(0);
    let image = made(std::slice::from_ref(&plan), None, &shared()).swap_remove(0);
    a_second_build_finds_everything(&plan, &image);
    let loaded = Loaded::load(&image);
    it_refuses_to_serve_without_a_password(&loaded.0);
    other_commands_need_none(&loaded.0, plan.opencode_version());

    let sandbox = Sandbox::start(&loaded.0, "main");
    sandbox.healthy();
    the_user_is_ours(&sandbox);
    nothing_of_the_machine_is_inside(&sandbox);
    the_password_is_where_it_belongs(&sandbox);
    the_agents_commands_run_in_our_shell(&sandbox);
    no_prompt_leaves(&sandbox);
    a_configured_provider_works(&sandbox);
    it_stops_when_told(&sandbox);
}

#[test]
fn every_tool_of_every_variant_answers_with_the_locked_version() {
    let plans = plans(&[here()]);
    let images = made(&plans, None, &shared());
    for (plan, image) in plans.iter().zip(&images) {
        let loaded = Loaded::load(image);
        contents::prove(&loaded.0, plan);
        if plan.variant == "base" {
            contents::own_programs(&loaded.0);
        }
    }
}

#[test]
fn a_build_from_nothing_elsewhere_gives_the_same_image() {
    let plans = &plans(&[here()])[..1];
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut elsewhere = workshop(&folder.path().join("cache"));
    elsewhere.jobs = std::num::NonZeroUsize::MIN;
    let digests = |images: Vec<Image>| {
        let layers = images[0].layers.iter().map(|layer| layer.diff_id.to_string());
        (layers.collect::<Vec<_>>(), images[0].manifest_digest())
    };
    let one = digests(made(plans, Some(Compression::Gzip), &shared()));
    assert_eq!(one, digests(made(plans, Some(Compression::Gzip), &elsewhere)));
}

#[test]
fn all_variants_for_all_platforms_share_their_layers_and_waste_nothing() {
    let plans = plans(&Platform::ALL);
    assert_eq!(plans.len(), 8);
    let images = made(&plans, Some(Compression::Gzip), &shared());
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let never = AtomicBool::new(false);
    let layout = Layout::write(folder.path(), &images, &|_| (), &never).unwrap();
    let stored = layout.images().unwrap();
    assert_eq!(stored.len(), 8);
    for image in &stored {
        let waste = inspect(image, &never).unwrap().waste;
        assert_eq!(waste.files, [], "{}", image.entry);
    }
    for platform in Platform::ALL {
        let of = |variant: &str| {
            let found =
                images.iter().find(|it| it.variant == variant && it.platform == platform).unwrap();
            // The guest's own files are the uppermost layer and differ.
            let shared = &found.layers[..found.layers.len() - 1];
            shared.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>()
        };
        let (base, both) = (of("base"), of("omos-with-pi"));
        assert!(both.starts_with(&base), "{platform}");
        assert!(both.starts_with(&of("omos")) && both.ends_with(&of("with-pi")[base.len()..]));
    }
    for image in images.iter().filter(|image| image.platform != here()) {
        it_runs_under_emulation(image, &plans);
    }
}

fn it_runs_under_emulation(image: &Image, plans: &[BuildPlan]) {
    let same = |plan: &&BuildPlan| plan.variant == image.variant && plan.platform == image.platform;
    let plan = plans.iter().find(same).unwrap();
    let loaded = Loaded::load(image);
    let platform = image.platform.to_string();
    let run = |command: &[&str]| {
        let docker_run = ["run", "--rm", "--network", "none", "--platform", &platform, &loaded.0];
        docker(&[&docker_run, command].concat()).trim().to_owned()
    };
    assert_eq!(run(&["opencode", "--version"]), plan.opencode_version());
    if image.variant == "base" {
        assert_eq!(run(&["dpkg", "--audit"]), "");
        for tool in ["uv", "ruff", "node", "git", "python3", "rustc", "go"] {
            let flag = if tool == "go" { "version" } else { "--version" };
            assert!(!run(&[tool, flag]).is_empty(), "{tool}");
        }
    }
}

fn a_second_build_finds_everything(plan: &BuildPlan, image: &Image) {
    let events = Mutex::new(Vec::new());
    let observer = |event| events.lock().unwrap().push(event);
    let plans = std::slice::from_ref(plan);
    let again = build(plans, None, &shared(), &observer, &AtomicBool::new(false)).unwrap();
    let [again] = again.as_slice() else { panic!("one plan makes one image") };
    // The forms of its layers may be others: somebody else who builds at this moment can have asked for one.
    assert_eq!(again.key, image.key);
    assert!(again.config() == image.config(), "the same plan made another image");
    let events = events.into_inner().unwrap();
    assert!(events.iter().all(|event| matches!(event, Event::Reused(_))), "{events:?}");
}

fn it_refuses_to_serve_without_a_password(image: &str) {
    for variable in ["UNRELATED=1", "OPENCODE_SERVER_PASSWORD="] {
        let ran =
            Command::new("docker").args(["run", "--rm", "-e", variable, image]).output().unwrap();
        assert_eq!(ran.status.code(), Some(guest::EXIT_NO_PASSWORD), "{variable}");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(said.contains("no password: set OPENCODE_SERVER_PASSWORD"), "{said}");
    }
    let empty = format!(": > {0}; exec {1}", guest::PASSWORD_FILE, guest::ENTRYPOINT);
    let ran = Command::new("docker")
        .args(["run", "--rm", "-e", "OPENCODE_SERVER_PASSWORD=x", image, "sh", "-c", &empty])
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(guest::EXIT_NO_PASSWORD));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("password is empty"));
}

fn other_commands_need_none(image: &str, version: &str) {
    assert_eq!(docker(&["run", "--rm", image, "opencode", "--version"]).trim(), version);
}

fn the_user_is_ours(sandbox: &Sandbox) {
    for (script, expected) in [
        ("id -un; id -u; id -gn; id -g", "opencode\n1000\nopencode\n1000"),
        ("cat /proc/1/comm", "tini"),
        ("sudo -n id -u", "0"),
        ("echo $HOME $PWD", "/home/opencode /home/opencode/workspace"),
        ("cat /etc/opencode-cloud-version", "dev"),
        (
            "stat -c %U:%G:%a ~ ~/.local/share/opencode ~/workspace | sort -u",
            "opencode:opencode:755",
        ),
        ("cd /tmp && git init -q r && cd r && git status --short && echo fine", "fine"),
        ("find /usr/share/man -type f | wc -l", "0"),
    ] {
        assert_eq!(sandbox.sh(script), expected, "{script}");
    }
}

fn nothing_of_the_machine_is_inside(sandbox: &Sandbox) {
    for path in ["/etc/apt/apt.conf.d/99mmdebstrap", "/var/lib/apt/lists/lock", "/etc/passwd-"] {
        assert_eq!(sandbox.sh(&format!("ls {path} 2>/dev/null || echo gone")), "gone", "{path}");
    }
    assert_eq!(sandbox.sh("dpkg --audit"), "");
    assert_eq!(sandbox.sh("find / -xdev -newermt 2025-08-10 -path '/usr/*' | head"), "");
}

fn the_password_is_where_it_belongs(sandbox: &Sandbox) {
    assert!(!docker(&["inspect", &sandbox.0]).contains("a\\\"b"), "the password can be inspected");
    let status = |credentials: &str| {
        let url = format!("http://127.0.0.1:{}{}", guest::PORT, guest::HEALTH_PATH);
        sandbox.sh(&format!("curl -s -m 5 -o /dev/null -w '%{{http_code}}' {credentials} {url}"))
    };
    assert_eq!(status(""), "401");
    assert_eq!(status("-u opencode:wrong"), "401");
    assert_eq!(status(&format!("-u \"opencode:$(cat {})\"", guest::PASSWORD_FILE)), "200");
    let health = sandbox.ask("GET", guest::HEALTH_PATH, "");
    assert_eq!(health["healthy"], true);
    assert_eq!(sandbox.ask("GET", guest::INSTANCE_PATH, "")["directory"], guest::WORKSPACE);
}

fn the_agents_commands_run_in_our_shell(sandbox: &Sandbox) {
    let path = format!("/session/{}/shell", sandbox.session());
    let script =
        "x=5; echo [$x]; false; echo rc=$?; cat /proc/self/oom_score_adj; env | grep -c PASSWORD";
    let body = serde_json::json!({ "agent": "build", "command": script }).to_string();
    let answer = sandbox.ask("POST", &path, &body);
    assert_eq!(answer["parts"][0]["state"]["output"], "[5]\nrc=1\n800\n0\n", "{answer}");
}

fn no_prompt_leaves(sandbox: &Sandbox) {
    let config = sandbox.ask("GET", "/config", "");
    assert_eq!(config["share"], "disabled");
    assert_eq!(config["autoupdate"], false);
    let providers = sandbox.ask("GET", "/config/providers", "");
    assert_eq!(providers, serde_json::json!({ "providers": [], "default": {} }));
    assert_eq!(sandbox.connected(), serde_json::json!([]));
    let asked = Instant::now();
    let answer = sandbox.prompt();
    assert_eq!(answer["name"], "UnknownError", "{answer}");
    // Attempts over a network are repeated for a minute.
    assert!(asked.elapsed() < Duration::from_secs(40), "{:?}", asked.elapsed());
}

fn a_configured_provider_works(sandbox: &Sandbox) {
    assert_eq!(sandbox.connect("openai"), serde_json::json!(["openai"]));
    assert_eq!(sandbox.ask("DELETE", "/auth/openai", ""), true);
    assert_eq!(sandbox.connected(), serde_json::json!([]));

    let format = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    let gateway = docker(&["inspect", "--format", format, &sandbox.0]);
    let model = MockModel::start(gateway.trim());
    let write = format!("printf %s '{}' > ~/.config/opencode/opencode.json", model.config());
    sandbox.sh(&write);
    docker(&["restart", "--time", "5", &sandbox.0]);
    sandbox.healthy();
    let answer = sandbox.prompt();
    let said = answer["parts"]
        .as_array()
        .and_then(|parts| parts.iter().find(|part| part["type"] == "text"));
    assert_eq!(said.map(|part| &part["text"]), Some(&mock::ANSWER.into()), "{answer}");
    assert!(model.calls() >= 1);
    assert_eq!(sandbox.sh("ls ~/.config/opencode/config.json || echo gone"), "gone");
}

fn it_stops_when_told(sandbox: &Sandbox) {
    docker(&["stop", "--time", "30", &sandbox.0]);
    // 143 is the end by the signal that asks; a server that has to be killed ends with 137.
    assert_eq!(docker(&["inspect", "--format", "{{.State.ExitCode}}", &sandbox.0]).trim(), "143");
}
