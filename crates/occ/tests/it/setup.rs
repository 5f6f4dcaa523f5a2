//! The wizard and its flags: no daemon is needed to choose settings.

use std::fs;

use occ_testkit::{Bench, Terminal};
use serde_json::{Value, json};

use crate::places::{bench_without_image as bench, series};

/// Returns a bench without an engine and without settings in the environment.
fn untouched() -> Bench {
    let mut bench = bench();
    bench.unset("OCC_PORT");
    bench.unset("OCC_IMAGE_SOURCE");
    bench.set("DOCKER_HOST", format!("unix://{}/none.sock", bench.folder().display()));
    bench
}

fn config(bench: &Bench) -> Value {
    serde_json::from_slice(&fs::read(bench.config_file()).unwrap()).unwrap()
}

fn password(bench: &Bench) -> String {
    fs::read_to_string(bench.state_dir().join("password")).unwrap().trim_end().to_owned()
}

#[track_caller]
fn assert_nothing_written(bench: &Bench) {
    assert!(!bench.config_file().exists(), "a config file was written");
    assert!(!bench.state_dir().join("password").exists(), "a password was written");
}

/// Answers questions, each when it is asked.
#[track_caller]
fn answer(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    for (question, keys) in answers {
        terminal.until(question);
        terminal.enter(keys);
    }
}

#[test]
fn wiz_001_pw_014_the_quick_way_asks_for_image_source_and_password_and_saves_what_was_agreed_to() {
    let bench = untouched();
    let mut terminal = bench.at_terminal(["setup"]);
    answer(
        &mut terminal,
        &[
            ("Use defaults for everything except credentials? [y/N]", "y\r"),
            ("Choose [1]:", "2\r"),
            ("Which password?", "\r"),
        ],
    );
    terminal.until("Save this configuration? [Y/n]");
    assert_nothing_written(&bench);
    terminal.enter("\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    for text in [
        "Step 1 of 2: ",
        "Step 2 of 2: ",
        "Image Source",
        "How would you like to get the Docker image?",
        "1. Pull prebuilt image (~2 min, fast)",
        "2. Build from source (30-60 min, customizable/auditable)",
        "30-60 min to build",
        "127.0.0.1 [LOCAL ONLY]",
        "******** (generated: 24 letters and digits",
        "Start it later with: occ start",
    ] {
        assert!(shown.contains(text), "{text:?} is not shown:\n{shown}");
    }
    assert_eq!(config(&bench), json!({ "image_source": "build" }));
    assert_eq!(password(&bench).len(), 24);
    assert!(!shown.contains(&password(&bench)), "{shown}");
}

#[test]
fn wiz_002_pw_011_the_source_is_explained_with_trust_registries_and_the_exact_version() {
    let bench = untouched();
    let mut terminal = bench.at_terminal(["setup"]);
    answer(&mut terminal, &[("credentials? [y/N]", "y\r")]);
    terminal.until("Choose [1]:");
    let shown = terminal.shown();
    let version = series();
    for text in [
        "Prebuilt images are published automatically and verified.",
        "Build from source compiles everything locally.",
        &format!("ghcr.io/prizz/opencode-cloud-sandbox:{version}"),
        &format!("docker.io/prizz/opencode-cloud-sandbox:{version}"),
        &format!("Version v{version} would be pulled"),
        "/pkgs/container/opencode-cloud-sandbox",
    ] {
        assert!(shown.contains(text), "{text:?} is not shown:\n{shown}");
    }
    terminal.enter("\u{3}");
    assert_eq!(terminal.finish().0, Some(130));
}

#[test]
fn wiz_006_pw_003_the_whole_way_has_four_steps_and_a_password_typed_twice_is_never_shown() {
    let bench = untouched();
    let port = occ_testkit::free_port().to_string();
    let mut terminal = bench.at_terminal(["setup", "--no-start"]);
    answer(
        &mut terminal,
        &[
            ("credentials? [y/N]", "\r"),
            ("Choose [1]:", "9\r"),
            ("A number from 1 to 2 is expected", "1\r"),
            ("Which password?", "2\r"),
            ("Password:", "ge heim\r"),
            ("The same again:", "anders\r"),
            ("the two are not the same", "ge heim\r"),
        ],
    );
    terminal.enter("ge heim\r");
    terminal.until("Step 3 of 4: ");
    answer(&mut terminal, &[("[3000]:", "70000\r"), ("a port from 1 to 65535", "80\r")]);
    terminal.until("ports below 1024 need privileges");
    let (code, shown) = {
        // 80 may be taken here, in which case it is asked again.
        if !terminal.shown().contains("Step 4 of 4") && terminal.shown().contains("is taken") {
            terminal.enter("80\r");
        }
        answer(&mut terminal, &[("Which address?", "2\r"), ("Save this configuration?", "n\r")]);
        terminal.finish()
    };
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("0.0.0.0 [NETWORK EXPOSED]"), "{shown}");
    assert!(shown.contains("Discarded; nothing was saved"), "{shown}");
    assert!(!shown.contains("ge heim") && !shown.contains("anders"), "{shown}");
    assert_nothing_written(&bench);

    let mut terminal = bench.at_terminal(["setup", "--no-start", "--port", &port]);
    answer(
        &mut terminal,
        &[
            ("credentials? [y/N]", "\r"),
            ("Choose [1]:", "\r"),
            ("Which password?", "2\r"),
            ("Password:", "ge heim\r"),
            ("The same again:", "ge heim\r"),
            ("Which address?", "3\r"),
            ("Address [127.0.0.1]:", "elsewhere\r"),
            ("this is no IP address", "127.0.0.2\r"),
            ("Save this configuration?", "y\r"),
        ],
    );
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    let number: u16 = port.parse().unwrap();
    let expected =
        json!({ "image_source": "prebuilt", "port": number, "bind_address": "127.0.0.2" });
    assert_eq!(config(&bench), expected);
    assert_eq!(password(&bench), "ge heim");
}

#[test]
fn wiz_008_pw_003_ctrl_c_at_any_question_discards_everything() {
    let bench = untouched();
    let steps = [
        ("credentials? [y/N]", "y\r"),
        ("Choose [1]:", "\r"),
        ("Which password?", "2\r"),
        ("Password:", "geheim\r"),
        ("The same again:", "geheim\r"),
        ("Save this configuration?", "\u{1b}\r"),
    ];
    for last in 0..steps.len() {
        let mut terminal = bench.at_terminal(["setup"]);
        answer(&mut terminal, &steps[..last]);
        terminal.until(steps[last].0);
        // The last turn is Escape, all others are Ctrl-C.
        terminal.enter(if last == steps.len() - 1 { "\u{1b}\r" } else { "\u{3}" });
        let (code, shown) = terminal.finish();
        assert_eq!(code, Some(130), "{last}: {shown}");
        assert!(shown.contains("Discarded; nothing was saved"), "{last}: {shown}");
        assert_nothing_written(&bench);
    }
}

#[test]
fn pw_005_what_is_set_is_shown_and_stays_unless_reconfiguring_is_wished() {
    let bench = untouched();
    bench.write_config("{\n  // since May\n  \"port\": 3005\n}\n");
    let mut terminal = bench.at_terminal(["setup"]);
    terminal.until("Reconfigure? [y/N]");
    let shown = terminal.shown();
    assert!(shown.contains("3005") && shown.contains("prebuilt"), "{shown}");
    terminal.enter("\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("Nothing was changed"), "{shown}");

    let mut terminal = bench.at_terminal(["setup", "--no-start"]);
    answer(
        &mut terminal,
        &[
            ("Reconfigure? [y/N]", "y\r"),
            ("credentials? [y/N]", "y\r"),
            ("Choose [1]:", "2\r"),
            ("Which password?", "1\r"),
            ("Save this configuration?", "\r"),
        ],
    );
    assert_eq!(terminal.finish().0, Some(0));
    let text = fs::read_to_string(bench.config_file()).unwrap();
    assert!(text.contains("// since May") && text.contains("3005"), "{text}");
    assert!(text.contains("\"image_source\": \"build\""), "{text}");
}

#[test]
fn pw_008_without_a_terminal_the_flags_that_answer_are_named() {
    let bench = untouched();
    let run = bench.run(["setup"]).code(2);
    let run = run.says("No TTY detected. Use occ config set or provide config file.");
    let run = run.says("occ setup --defaults --yes").says("--image-source").says("--port");
    let run = run.says("--bind-address").says("--generate-password").says("--password-stdin");
    assert_eq!(run.stdout, "");
    bench.run(["setup", "--yes"]).code(2).says("there is no password yet");
    bench.run(["setup", "--defaults", "--quiet"]).code(2);
    assert_nothing_written(&bench);
}

#[test]
fn every_answer_is_also_a_flag_and_needs_no_terminal() {
    let bench = untouched();
    let words = ["setup", "--yes", "--no-start", "--json", "--image-source", "build", "--port"];
    let rest = ["3007", "--bind-address", "localhost", "--password-stdin"];
    let words: Vec<&str> = words.into_iter().chain(rest).collect();
    let mut dry = words.clone();
    dry.push("--dry-run");
    let run = bench.run_with_input(&dry, b"geheim\n").success();
    assert_eq!(run.data()["saved"], false);
    assert_nothing_written(&bench);

    let run = bench.run_with_input(&words, b"geheim\n").success().never_says("geheim");
    let data = run.data();
    assert_eq!((&data["saved"], &data["password"]), (&json!(true), &json!("new")));
    let expected = json!({ "image_source": "build", "port": 3007, "bind_address": "localhost" });
    assert_eq!(config(&bench), expected);
    assert_eq!(password(&bench), "geheim");

    let file = bench.folder().join("secret");
    fs::write(&file, "anders\n").unwrap();
    let file = file.to_str().unwrap();
    bench.run(["setup", "--yes", "--no-start", "--password-file", file]).success();
    assert_eq!(password(&bench), "anders");
    bench.run(["setup", "--yes", "--no-start"]).success();
    assert_eq!(password(&bench), "anders");
    bench.run(["setup", "--yes", "--generate-password", "--password-stdin"]).code(2);
    bench.run(["setup", "--yes", "--password-file", "/nonexistent"]).code(2).says("/nonexistent");
    bench.run(["setup", "--yes", "--password", "geheim"]).code(2);
    bench.run_with_input(["setup", "--yes", "--password-stdin"], b"\n").code(2).says("is empty");
}

#[test]
fn the_defaults_and_a_generated_password_need_two_flags() {
    let bench = untouched();
    // Without an engine there is nothing to start, which is said.
    let run = bench.run(["setup", "--defaults", "--yes"]).success();
    let run = run.says("Start it later with: occ start").says("none.sock");
    assert_eq!(run.stdout, "");
    assert_eq!(password(&bench).len(), 24);
    let run = bench.run(["setup", "--defaults", "--yes", "--start"]).code(5);
    let _said = run.says("none.sock");
}

#[test]
fn a_variable_that_wins_over_the_file_is_named_in_the_summary() {
    let mut bench = untouched();
    bench.set("OCC_PORT", "3009");
    bench
        .run(["setup", "--defaults", "--yes", "--dry-run", "--port", "3008"])
        .success()
        .says("OCC_PORT is set, and wins over the file");
}

#[test]
fn pw_001_no_other_command_starts_the_wizard() {
    let bench = untouched();
    for command in ["start", "status", "stop", "doctor"] {
        let (_, shown) = bench.at_terminal([command]).finish();
        assert!(!shown.contains("Step 1"), "{command}: {shown}");
    }
    let (code, shown) = bench.at_terminal(["config", "set", "port", "3005"]).finish();
    assert_eq!(code, Some(0), "{shown}");
}
