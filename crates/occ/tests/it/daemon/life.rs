//! The good path: start, use, stop, and what survives.

use serde_json::json;

use super::{address, client, running, wait};
use crate::places::bench;

#[test]
fn a_first_start_says_where_the_sandbox_is_and_a_second_one_says_the_same() {
    let bench = bench();
    let first = bench.run(["start", "--yes"]).success();
    let url = format!("http://127.0.0.1:{}", bench.port());
    let lines: Vec<&str> = first.stdout.lines().collect();
    assert_eq!(lines[0], format!("URL:       {url}"));
    assert_eq!(lines[1], "User:      opencode");
    let password = lines[2].strip_prefix("Password:  ").unwrap();
    assert_eq!(password.len(), 24, "{password}");
    let id = bench.inspect()["Id"].clone();

    let second = bench.run(["start", "--yes"]).success();
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(bench.inspect()["Id"], id);

    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["state"], "running");
    assert_eq!(status["health"]["state"], "healthy");
    assert_eq!(status["url"], url);
    assert_eq!(status["exposed"], false);
    assert_eq!(status["container"]["id"], id);
    assert_eq!(status["password"], json!(null));
    let version = status["health"]["opencode_version"].as_str().unwrap();
    let known = bench.run(["version", "--json"]).success().data();
    assert_eq!(known["opencode"], version);

    let text = bench.run(["status", "--show-password"]).success().stdout;
    assert!(text.contains(&format!("{url} [LOCAL ONLY]")), "{text}");
    assert!(text.contains(password) && text.contains("healthy"), "{text}");
}

#[test]
fn a_session_and_a_shell_command_work_through_the_api() {
    let bench = running();
    let output = wait(async {
        let client = client(&bench);
        let session = client.create_session().await.unwrap();
        client.shell(&session.id, "id -un; pwd; echo made > inside.txt").await.unwrap()
    });
    assert_eq!(output.status, "completed");
    assert_eq!(output.output.trim_end(), "opencode\n/home/opencode/workspace");
    let run = bench.run(["exec", "--", "cat", "inside.txt"]).success();
    assert_eq!(run.stdout, "made\n");
}

#[test]
fn sessions_and_files_survive_every_kind_of_end() {
    let bench = running();
    let session = wait(async {
        let client = client(&bench);
        let session = client.create_session().await.unwrap();
        client.shell(&session.id, "echo kept > kept.txt").await.unwrap();
        session.id
    });
    let still_there = |after: &str| {
        let sessions = wait(async { client(&bench).sessions().await.unwrap() });
        assert!(sessions.iter().any(|one| one.id == session), "{after}: {sessions:?}");
        let file = bench.run(["exec", "cat", "kept.txt"]).success().stdout;
        assert_eq!(file, "kept\n", "{after}");
    };

    assert_eq!(bench.run(["stop"]).success().stdout, "stopped\n");
    assert_eq!(bench.run(["stop"]).success().stdout, "not running\n");
    let status = bench.run(["status", "--json"]).code(1).data();
    assert_eq!((&status["state"], &status["health"]["state"]), (&json!("stopped"), &json!("none")));
    bench.run(["exec", "true"]).code(1).says("the sandbox is not running").says("occ start");
    bench.run(["start"]).success();
    still_there("stop and start");

    let before = bench.inspect()["State"]["StartedAt"].clone();
    bench.run(["restart"]).success();
    assert_ne!(bench.inspect()["State"]["StartedAt"], before);
    still_there("restart");

    bench.api().remove_container(&bench.container());
    let status = bench.run(["status", "--json"]).code(1).data();
    assert_eq!(status["state"], "absent");
    bench.run(["logs"]).code(1).says("there is no sandbox yet").says("occ start");
    bench.run(["restart"]).code(1).says("there is no sandbox yet");
    bench.run(["stop"]).success();
    bench.run(["start"]).success();
    still_there("removal behind our back");
}

#[test]
fn a_sandbox_that_was_paused_behind_our_back_goes_on() {
    let bench = running();
    let id = bench.inspect()["Id"].clone();
    let pause = format!("/containers/{}/pause", bench.container());
    bench.api().act(&pause);
    let status = bench.run(["status", "--json"]).code(1).data();
    assert_eq!(status["state"], "paused");
    bench.run(["start"]).success();
    assert_eq!(bench.inspect()["Id"], id);
    assert_eq!(bench.inspect()["State"]["Paused"], false);

    bench.api().act(&pause);
    bench.run(["stop"]).success();
    assert_eq!(bench.inspect()["State"]["Running"], false);
}

#[test]
fn a_server_that_was_killed_is_started_again_by_the_engine_and_waited_for() {
    let bench = running();
    let kill = format!("/containers/{}/kill?signal=KILL", bench.container());
    bench.api().act(&kill);
    bench.run(["start"]).success();
    assert_eq!(bench.run(["status", "--json"]).success().data()["health"]["state"], "healthy");
}

#[test]
fn corrupt_state_files_are_warned_about_and_written_anew() {
    let bench = running();
    let files = ["image-state.json", "record-v1.json"];
    for file in files {
        std::fs::write(bench.state_dir().join(file), b"{ \"version\": \xff").unwrap();
    }
    let run = bench.run(["start"]).success();
    for file in files {
        assert!(run.stderr.contains(&format!("{file} cannot be understood")), "{}", run.stderr);
    }
    bench.run(["status"]).success();
    bench.run(["start"]).success().never_says("record-v1.json cannot");
}

#[test]
fn a_taken_port_is_refused_with_its_holder_and_the_next_free_one() {
    let bench = bench();
    let _holder = std::net::TcpListener::bind(address(&bench)).unwrap();
    let port = bench.port();
    let run = bench.run(["start", "--yes"]).code(1);
    let run = run.says(&format!("port {port} is taken by "));
    let run = run.says(&format!("({})", std::process::id()));
    let suggested = run.stderr.rsplit("occ start --port ").next().unwrap().trim();
    let free: u16 = suggested.parse().unwrap_or_else(|_| panic!("{}", run.stderr));
    assert!(free > port, "{free}");
    assert!(std::net::TcpListener::bind(("127.0.0.1", free)).is_ok(), "{free} is not free");
    bench.assert_nothing_left();
}
