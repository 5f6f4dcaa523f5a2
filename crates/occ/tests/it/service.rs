//! Services: what is written, what the managers are asked, what is said when they refuse. The managers'
//! programs are stand-ins that write down how they were called; the files are checked by the real parsers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use occ_testkit::Bench;
use serde_json::{Value, json};

use crate::places::bench;

/// A bench with stand-ins for systemd's programs; the user lingers.
fn with_systemd() -> Bench {
    let mut bench = bench();
    let calls = calls_file(&bench);
    let record = format!("echo \"$(basename $0) $*\" >>{}", calls.display());
    let version = "[ \"$1\" != --version ] || echo 'systemd 252 (252.1)'";
    bench.fake_program("systemctl", &format!("{record}\n{version}"));
    bench.fake_program("loginctl", &format!("{record}\necho yes"));
    bench
}

fn calls_file(bench: &Bench) -> PathBuf {
    bench.folder().join("calls")
}

/// Returns what was asked of the managers since the last time, but for questions.
fn calls(bench: &Bench) -> Vec<String> {
    let text = fs::read_to_string(calls_file(bench)).unwrap_or_default();
    drop(fs::remove_file(calls_file(bench)));
    let asks = ["--version", "show-user", "print"];
    let is_question = |line: &&str| asks.iter().any(|ask| line.contains(ask));
    text.lines().filter(|line| !is_question(line)).map(str::to_owned).collect()
}

fn unit_file(bench: &Bench) -> PathBuf {
    bench.home().join(format!("config/systemd/user/{}.service", bench.container()))
}

#[test]
fn pc_012_install_starts_at_once_and_a_second_one_changes_nothing() {
    let bench = with_systemd();
    let run = bench.run(["install"]).success();
    let unit = format!("{}.service", bench.container());
    assert_eq!(run.stdout, format!("installed: {unit}\n"));
    let expected = [
        "systemctl --user daemon-reload".to_owned(),
        format!("systemctl --user enable {unit}"),
        format!("systemctl --user reset-failed {unit}"),
        format!("systemctl --user start --no-block {unit}"),
    ];
    assert_eq!(calls(&bench), expected);
    let text = fs::read_to_string(unit_file(&bench)).unwrap();
    let start = format!("--instance {} start --foreground --yes", bench.instance());
    assert!(text.contains(&start), "{text}");
    assert!(text.contains("Environment=\"DOCKER_HOST=unix://"), "{text}");
    assert!(text.contains(&format!("Environment=\"OCC_PORT={}\"", bench.port())), "{text}");
    assert!(text.contains("StartLimitBurst=4") && text.contains("RestartSec=5"), "{text}");

    let again = bench.run(["install", "--json"]).success().data();
    assert_eq!((&again["changed"], &again["name"]), (&json!(false), &json!(unit)));
    assert_eq!(fs::read_to_string(unit_file(&bench)).unwrap(), text);
    assert_eq!(calls(&bench), expected);
}

#[test]
fn pc_012_a_dry_run_prints_the_unit_and_touches_nothing() {
    let bench = with_systemd();
    let run = bench.run(["install", "--dry-run"]).success();
    assert!(run.stdout.contains("[Service]\nType=notify\n"), "{}", run.stdout);
    assert!(!unit_file(&bench).exists());
    bench.run(["install"]).success();
    calls(&bench);
    bench.run(["uninstall", "--dry-run"]).success().prints("stop the service");
    assert!(unit_file(&bench).exists());
    assert_eq!(calls(&bench), Vec::<String>::new());
}

#[test]
fn pc_012_uninstall_stops_and_removes_and_a_second_one_finds_nothing_to_do() {
    let bench = with_systemd();
    bench.run(["install"]).success();
    calls(&bench);
    let unit = format!("{}.service", bench.container());
    assert_eq!(bench.run(["uninstall"]).success().stdout, "uninstalled\n");
    assert!(!unit_file(&bench).exists());
    let expected =
        [format!("systemctl --user disable --now {unit}"), "systemctl --user daemon-reload".into()];
    assert_eq!(calls(&bench), expected);
    assert_eq!(bench.run(["uninstall"]).success().stdout, "not installed\n");
    assert_eq!(calls(&bench), Vec::<String>::new());
}

#[test]
fn a_unit_of_somebody_elses_is_replaced_and_removed_by_force_only() {
    let bench = with_systemd();
    let file = unit_file(&bench);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "[Service]\nExecStart=/bin/true\n").unwrap();
    bench.run(["install"]).code(1).says("made by something else").says("occ install --force");
    bench.run(["uninstall"]).code(1).says("occ uninstall --force");
    assert_eq!(calls(&bench), Vec::<String>::new());
    bench.run(["install", "--force"]).success();
    assert!(fs::read_to_string(&file).unwrap().contains("occ install"));
}

#[test]
fn a_setting_that_changed_is_taken_over_by_the_next_install() {
    let mut bench = with_systemd();
    bench.run(["install"]).success();
    bench.set("OCC_RESTART", "no");
    bench.run(["install"]).success().prints("installed").says("starts next");
    let text = fs::read_to_string(unit_file(&bench)).unwrap();
    assert!(text.contains("\nRestart=no\n") && !text.contains("RestartSec"), "{text}");
}

#[test]
fn a_user_manager_that_cannot_be_reached_is_told_with_the_way_out() {
    let mut bench = with_systemd();
    bench.fake_program("systemctl", "echo 'Failed to connect to bus: No medium found' >&2; exit 1");
    let run = bench.run(["install", "--json"]).code(1).says("No medium found");
    let run = run.says("export XDG_RUNTIME_DIR=/run/user/$(id -u)");
    assert_eq!(run.json()["error"]["kind"], "failed");
}

#[test]
fn a_user_who_does_not_linger_is_told_when_the_service_ends() {
    let mut bench = with_systemd();
    bench.fake_program("loginctl", "echo no");
    bench.run(["install"]).success().says("ends when you log out").says("loginctl enable-linger");
    bench.fake_program("loginctl", "echo yes");
    bench.run(["install"]).success().never_says("linger");
}

#[test]
fn a_machine_without_a_service_manager_is_told_what_works_without() {
    let mut bench = bench();
    let folder = bench.folder().to_owned();
    bench.set("PATH", folder);
    bench.run(["install"]).code(1).says("there is no systemctl here").says("--foreground");
}

#[test]
fn a_proxy_with_a_password_stays_out_of_the_unit() {
    let mut bench = with_systemd();
    bench.set("HTTPS_PROXY", "http://ann:planted@proxy.example:8080");
    bench.set("NO_PROXY", "localhost");
    bench.run(["install"]).success().says("HTTPS_PROXY holds a password").never_says("planted");
    let text = fs::read_to_string(unit_file(&bench)).unwrap();
    assert!(!text.contains("planted") && text.contains("NO_PROXY=localhost"), "{text}");
}

#[test]
fn the_machines_own_service_needs_root_and_says_what_root_would_type() {
    let mut bench = with_systemd();
    bench.as_stranger();
    let run = bench.run(["install", "--system"]).code(1).says("/etc/systemd/system");
    run.says("occ install --system --dry-run | sudo tee").says("sudo systemctl enable --now");
}

/// A bench whose every path is hard to write down.
fn nasty() -> Bench {
    let mut bench = with_systemd();
    let folder = bench.folder().join("a b%h $HOME \"q\" \\x é");
    fs::create_dir_all(&folder).unwrap();
    bench.set("XDG_DATA_HOME", folder.join("data"));
    bench.set("OCC_WORKSPACE", folder.join("work & <play>"));
    bench
}

#[test]
fn both_units_pass_systemds_own_check() {
    let mut bench = nasty();
    for version in ["252 (252.1)", &systemd_version()] {
        let script = format!("[ \"$1\" != --version ] || echo 'systemd {version}'");
        bench.fake_program("systemctl", &script);
        verify(&bench, &["install", "--dry-run"], "--user");
        verify(&bench, &["install", "--system", "--dry-run"], "--system");
    }
}

/// What is installed here; its own check knows its own keys.
fn systemd_version() -> String {
    let output = Command::new("systemd-analyze").arg("--version").output();
    let output = output.expect("systemd-analyze is needed: apt-get install systemd");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().unwrap().trim_start_matches("systemd ").to_owned()
}

fn verify(bench: &Bench, arguments: &[&str], scope: &str) {
    let unit = bench.run(arguments).success().stdout;
    let name = format!("{}.service", bench.container());
    let file = bench.folder().join(&name);
    fs::write(&file, &unit).unwrap();
    let runtime = bench.folder().join("run");
    fs::create_dir_all(&runtime).unwrap();
    let output = Command::new("systemd-analyze")
        .args([scope, "--man=no", "verify"])
        .arg(&file)
        .env("XDG_RUNTIME_DIR", &runtime)
        .output()
        .expect("systemd-analyze is needed: apt-get install systemd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // It looks at what the unit wants too; the machine's other units are not ours to mend.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains(&name)).collect();
    assert_eq!(ours, Vec::<&str>::new(), "{unit}\n{said}");
    let broken = unit.replace("Type=notify", "Type=carrier-pigeon");
    fs::write(&file, broken).unwrap();
    let output = Command::new("systemd-analyze")
        .args([scope, "--man=no", "verify"])
        .arg(&file)
        .env("XDG_RUNTIME_DIR", &runtime)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("carrier-pigeon"), "the check would not see a mistake: {said}");
}

/// Returns a property list as Apple's format is read by somebody else.
fn parsed(file: &Path) -> Value {
    let script =
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let output = Command::new("python3").args(["-c", script]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn launchd_is_given_a_property_list_that_says_the_same() {
    let mut bench = nasty();
    let calls_file = calls_file(&bench);
    let loaded = bench.folder().join("loaded");
    bench.fake_program(
        "launchctl",
        &format!(
            "echo \"launchctl $*\" >>{0}\ncase $1 in print) [ -e {1} ] ;; bootstrap) : >{1} ;; bootout) rm {1} ;; esac",
            calls_file.display(),
            loaded.display()
        ),
    );
    let label = format!("org.opencode-cloud.sandbox.{}", bench.instance());
    let run = bench.run(["install", "--manager", "launchd"]).success();
    assert_eq!(run.stdout, format!("installed: {label}\n"));
    let file = bench.home().join(format!("Library/LaunchAgents/{label}.plist"));
    let plist = parsed(&file);
    assert_eq!(plist["Label"], label);
    let words = plist["ProgramArguments"].as_array().unwrap();
    assert!(words.contains(&json!("--foreground")) && words.contains(&json!(bench.instance())));
    let work = plist["EnvironmentVariables"]["OCC_WORKSPACE"].as_str().unwrap();
    assert!(work.ends_with("a b%h $HOME \"q\" \\x é/work & <play>"), "{work}");
    assert_eq!(plist["KeepAlive"]["SuccessfulExit"], false);
    assert_eq!((&plist["RunAtLoad"], &plist["ThrottleInterval"]), (&json!(true), &json!(5)));

    let uid = rustix::process::getuid().as_raw();
    let bootstrap = format!("launchctl bootstrap gui/{uid} {}", file.display());
    assert_eq!(calls(&bench), std::slice::from_ref(&bootstrap));
    bench.run(["install", "--manager", "launchd"]).success().prints("already installed");
    assert_eq!(calls(&bench), Vec::<String>::new());
    bench.set("OCC_RESTART", "no");
    bench.run(["install", "--manager", "launchd"]).success();
    let bootout = format!("launchctl bootout gui/{uid}/{label}");
    assert_eq!(calls(&bench), [bootout.clone(), bootstrap]);
    assert_eq!(parsed(&file)["KeepAlive"], false);
    bench.run(["uninstall", "--manager", "launchd"]).success();
    assert_eq!(calls(&bench), [bootout]);
    assert!(!file.exists());
    bench.run(["uninstall", "--manager", "launchd"]).success().prints("not installed");
}
