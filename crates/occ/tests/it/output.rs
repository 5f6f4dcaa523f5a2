//! Help, completions, manual, version; the form of results and failures. No daemon is asked.

use std::fs;

use crate::places::bench_without_image as bench;

const COMMANDS: [&str; 40] = [
    "setup",
    "start",
    "stop",
    "restart",
    "update",
    "rollback",
    "reset",
    "history",
    "stats",
    "status",
    "ls",
    "rm",
    "prune",
    "backup",
    "logs",
    "exec",
    "shell",
    "password",
    "config",
    "mount",
    "env",
    "secret",
    "identity",
    "provenance",
    "policy",
    "image",
    "release",
    "sign",
    "attest",
    "trust",
    "smoke",
    "soak",
    "diagnose",
    "host",
    "doctor",
    "install",
    "uninstall",
    "completions",
    "man",
    "version",
];

#[test]
fn the_help_of_every_command_is_as_it_was_agreed() {
    let mut bench = bench();
    bench.unset("OCC_INSTANCE");
    let help = |arguments: &[&str]| bench.run(arguments).success().stdout;
    insta::assert_snapshot!("help", help(&["--help"]));
    for command in COMMANDS {
        insta::assert_snapshot!(format!("help-{command}"), help(&[command, "--help"]));
    }
}

#[test]
fn every_command_is_in_the_help() {
    let help = bench().run(["--help"]).success().stdout;
    for command in COMMANDS {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "{command}");
    }
}

#[test]
fn an_unknown_command_is_a_usage_error_with_a_suggestion() {
    let run = bench().run(["strat"]).code(2).says("strat").says("start");
    assert_eq!(run.stdout, "");
}

#[test]
fn an_instance_name_that_would_escape_is_a_usage_error() {
    for name in ["../x", "A", "", "data"] {
        bench().run(["--instance", name, "status"]).code(2).says("--instance");
    }
}

#[test]
fn completions_are_printed_for_five_shells() {
    let bench = bench();
    for (shell, sign) in [
        ("bash", "complete -F _occ"),
        ("zsh", "#compdef occ"),
        ("fish", "complete -c occ"),
        ("elvish", "edit:completion:arg-completer[occ]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        bench.run(["completions", shell]).success().prints(sign).prints("dry-run");
    }
}

#[test]
fn the_manual_is_printed_and_written() {
    let bench = bench();
    bench.run(["man"]).success().prints(".TH occ 1");
    let folder = bench.folder().join("man");
    fs::create_dir(&folder).unwrap();
    bench.run(["man", "--dir", folder.to_str().unwrap()]).success();
    let page = fs::read_to_string(folder.join("occ-start.1")).unwrap();
    assert!(page.contains("dry\\-run"), "{page}");
    bench.run(["man", "--dir", "/nonexistent/man"]).code(1).says("/nonexistent/man");
}

#[test]
fn the_version_is_one_line_as_a_flag_and_all_that_is_known_as_a_command() {
    let bench = bench();
    let version = env!("CARGO_PKG_VERSION");
    let line = bench.run(["--version"]).success().stdout;
    assert_eq!(line, format!("occ {version}\n"));
    let data = bench.run(["version", "--json"]).success().data();
    assert_eq!(data["version"], version);
    assert_eq!(data["guest_contract"], "1");
    assert!(data["image"].as_str().unwrap().starts_with("opencode-cloud-sandbox:"));
}

#[test]
fn a_failure_as_json_is_alone_on_standard_output() {
    let bench = bench();
    bench.write_config("{ \"prot\": 1 }");
    let run = bench.run(["config", "show", "--json"]).code(4);
    let failure = run.json();
    assert_eq!(failure["schema"], "occ/error");
    assert_eq!(failure["error"]["exit_code"], 4);
    assert_eq!(failure["error"]["kind"], "config");
    assert!(failure["error"]["message"].as_str().unwrap().contains("did you mean"));
}

#[test]
fn a_daemon_that_is_not_there_is_exit_5_with_what_to_do() {
    let mut bench = bench();
    bench.set("DOCKER_HOST", format!("unix://{}/none.sock", bench.folder().display()));
    for command in ["start", "stop", "status", "logs", "restart"] {
        let run = bench.run([command, "--json"]).code(5).says("hint: ");
        assert_eq!(run.json()["error"]["kind"], "engine", "{command}");
    }
    bench.run(["exec", "true"]).code(5).says("none.sock");
    bench.run(["doctor"]).code(1).prints("FAIL").prints("none.sock");
    assert!(!bench.state_dir().join("password").exists(), "a failed start left a password");
}

#[test]
fn a_daemon_address_of_an_unknown_kind_is_refused_by_name() {
    let mut bench = bench();
    bench.set("DOCKER_HOST", "carrier-pigeon://roof");
    bench.run(["start"]).code(5).says("carrier-pigeon://roof").says("DOCKER_HOST");
}
