//! The real image: real packages, the real opencode, a real engine.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use occ_image::{
    BuildPlan, Cpu, Event, Image, Lock, Phase, Programs, Recipe, Target, Workshop, build, guest,
};
use occ_oci::Platform;
use tempfile::TempDir;

use crate::mock::{self, MockModel};

/// Has characters that a careless script would trip over.
const PASSWORD: &str = r#"a"b\c $d'e%s"#;

struct Built {
    image: Image,
    plan: BuildPlan,
    workshop: Workshop,
    folder: TempDir,
}

/// Builds the image for this machine in a workshop of its own.
fn build_here() -> Built {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let machine = output(Command::new("uname").arg("-m"));
    let platform = Platform::from_uname_machine(machine.trim()).unwrap();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let cpu = Cpu::from_cpuinfo(platform, &cpuinfo);
    let (recipe, lock) = (Recipe::embedded().unwrap(), Lock::embedded().unwrap());
    let plan = BuildPlan::new(&recipe, &lock, Target { platform, cpu }, &version()).unwrap();
    let temp_dir = std::path::PathBuf::from("/tmp");
    let cache_dir = folder.path().join("cache");
    let workshop = Workshop { cache_dir, temp_dir, programs: Programs::default() };
    let image = build(&plan, &workshop, &|_| (), &AtomicBool::new(false)).unwrap();
    Built { image, plan, workshop, folder }
}

/// A version of this run's own, so that image names are, too.
fn version() -> String {
    format!("0.0.0-test.{}", std::process::id())
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
        feed(&["load"], image.archive().unwrap());
        Self(image.name.clone())
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

#[test]
fn the_real_image_is_a_healthy_locked_sandbox_that_asks_nobody_until_told_whom() {
    let built = build_here();
    a_second_build_finds_everything(&built);
    let loaded = Loaded::load(&built.image);
    drop(built.folder);
    it_refuses_to_serve_without_a_password(&loaded.0);
    other_commands_need_none(&loaded.0, built.plan.opencode_version());

    let sandbox = Sandbox::start(&loaded.0, "main");
    sandbox.healthy();
    the_tools_are_there_and_the_user_is_ours(&sandbox);
    nothing_of_the_machine_is_inside(&sandbox);
    the_password_is_where_it_belongs(&sandbox);
    the_agents_commands_run_in_our_shell(&sandbox);
    no_prompt_leaves(&sandbox);
    a_configured_provider_works(&sandbox);
    it_stops_at_once(&sandbox);
}

#[test]
fn two_real_builds_from_nothing_are_the_same_image() {
    let (one, other) = (build_here(), build_here());
    let digests = |built: &Built| {
        let layers: Vec<String> =
            built.image.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
        (layers, built.image.manifest_digest())
    };
    assert_eq!(digests(&one), digests(&other));
}

fn a_second_build_finds_everything(built: &Built) {
    let events = Mutex::new(Vec::new());
    let observer = |event| {
        if !matches!(event, Event::Bytes { .. } | Event::Checking(_)) {
            events.lock().unwrap().push(event);
        }
    };
    let again = build(&built.plan, &built.workshop, &observer, &AtomicBool::new(false)).unwrap();
    assert_eq!(again, built.image);
    let reused = [Phase::Guest, Phase::Opencode, Phase::Base].map(Event::Reused);
    assert_eq!(events.into_inner().unwrap(), reused);
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

fn the_tools_are_there_and_the_user_is_ours(sandbox: &Sandbox) {
    for (script, expected) in [
        ("id -un; id -u; id -gn; id -g", "opencode\n1000\nopencode\n1000"),
        ("cat /proc/1/comm", "tini"),
        ("sudo -n id -u", "0"),
        ("echo $HOME $PWD", "/home/opencode /home/opencode/workspace"),
        ("cat /etc/opencode-cloud-version", &version()),
        (
            "stat -c %U:%G:%a ~ ~/.local/share/opencode ~/workspace | sort -u",
            "opencode:opencode:755",
        ),
        (
            "for tool in rg git curl jq less ssh unzip xz ps; do command -v $tool >/dev/null || echo no $tool; done",
            "",
        ),
        ("cd /tmp && git init -q r && cd r && git status --short && echo fine", "fine"),
        ("ls /usr/share/man 2>/dev/null | wc -l", "0"),
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
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
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

fn it_stops_at_once(sandbox: &Sandbox) {
    let asked = Instant::now();
    docker(&["stop", "--time", "10", &sandbox.0]);
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    assert_eq!(docker(&["inspect", "--format", "{{.State.ExitCode}}", &sandbox.0]).trim(), "143");
}
