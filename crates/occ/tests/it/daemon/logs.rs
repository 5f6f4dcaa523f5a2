//! Logs by lines: from the server, of what was done, of both by time.

use occ_testkit::{Bench, Daemon, Manner};
use serde_json::{Value, json};

use super::stand_in;
use crate::places::bench_at;

fn lines(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["data"].clone())
        .collect()
}

fn say(bench: &Bench, text: &str) {
    let script = format!("echo '{text}' >/proc/1/fd/1");
    bench.run(["exec", "--", "sh", "-c", &script]).success();
}

#[test]
fn what_the_server_said_and_what_was_done_are_one_log_by_time() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    say(&bench, "a word from inside");
    bench.run(["stop"]).success();
    bench.run(["start"]).success();

    let done = bench.run(["logs", "--source", "occ"]).success().stdout;
    let words: Vec<&str> = done
        .lines()
        .map(|line| line.split([' ', ':', '|']).filter(|w| !w.is_empty()).nth(1).unwrap())
        .collect();
    assert_eq!(words.last(), Some(&"start"), "{done}");
    assert!(words.contains(&"stop"), "{done}");
    assert!(done.lines().all(|line| line.starts_with("occ ")), "{done}");

    let both =
        lines(&bench.run(["logs", "--source", "all", "-n", "all", "--json"]).success().stdout);
    let at: Vec<&str> = both.iter().map(|line| line["at"].as_str().unwrap()).collect();
    let seconds: Vec<&str> = at.iter().map(|at| &at[..19]).collect();
    assert!(seconds.is_sorted(), "{at:?}");
    for source in ["container", "occ"] {
        assert!(both.iter().any(|line| line["source"] == source), "{source}: {both:?}");
    }
    assert!(both.iter().any(|line| line["line"] == "a word from inside"), "{both:?}");

    let one = lines(&bench.run(["logs", "--source", "all", "-n", "1", "--json"]).success().stdout);
    assert_eq!(one, [both.last().unwrap().clone()]);
}

#[test]
fn pc_008_lines_are_chosen_by_their_text_and_a_followed_log_ends_with_the_sandbox() {
    let daemon = Daemon::start();
    let bench = bench_at(daemon.api());
    stand_in(bench.api(), Manner::Good);
    bench.run(["start", "--yes"]).success();
    for word in ["one needle", "hay", "two needle"] {
        say(&bench, word);
    }
    let run = bench.run(["logs", "--grep", "needle"]).success();
    assert_eq!(run.stdout, "one needle\ntwo needle\n");
    let run = bench.run(["logs", "--grep", "needle", "-n", "1", "--timestamps"]).success();
    assert!(run.stdout.ends_with("Z two needle\n"), "{}", run.stdout);

    let mut follow = bench.start(["logs", "--follow", "--grep", "needle", "--json"]);
    follow.until("two needle");
    say(&bench, "three needle");
    follow.until("three needle");
    bench.run(["stop"]).success();
    let run = follow.finish_within(std::time::Duration::from_secs(20)).success();
    let texts: Vec<Value> = lines(&run.stdout).iter().map(|line| line["line"].clone()).collect();
    assert_eq!(texts, [json!("one needle"), json!("two needle"), json!("three needle")]);
}
