//! The wizard to its end: a sandbox that runs.

use occ_testkit::{Daemon, Manner};

use super::stand_in;
use crate::places::bench_at;

#[test]
fn pw_004_a_setup_at_a_terminal_ends_with_a_sandbox_and_a_second_one_restarts_it_with_its_password()
{
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.unset("OCC_IMAGE_SOURCE");
    stand_in(bench.api(), Manner::Good);
    let mut terminal = bench.at_terminal(["setup"]);
    for (question, keys) in [
        ("credentials? [y/N]", "y\r"),
        ("Choose [1]:", "2\r"),
        ("Which password?", "2\r"),
        ("Password:", "geheim\r"),
        ("The same again:", "geheim\r"),
        ("Save this configuration? [Y/n]", "\r"),
        ("Start opencode-cloud now? [Y/n]", "\r"),
    ] {
        terminal.until(question);
        terminal.enter(keys);
    }
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(&format!("URL:       http://127.0.0.1:{}", bench.port())), "{shown}");
    bench.run(["status"]).success().prints("healthy");
    assert_eq!(bench.run(["password"]).success().stdout, "geheim\n");

    let started = bench.inspect()["State"]["StartedAt"].clone();
    let words = ["setup", "--yes", "--password-stdin"];
    let run = bench.run_with_input(words, b"anders\n").success();
    let _run = run.says("The sandbox is restarted with its new password");
    assert_ne!(bench.inspect()["State"]["StartedAt"], started);
    bench.run(["status"]).success().prints("healthy");

    let before = bench.inspect()["State"]["StartedAt"].clone();
    bench.run(["setup", "--yes"]).success();
    assert_eq!(bench.inspect()["State"]["StartedAt"], before);
}
