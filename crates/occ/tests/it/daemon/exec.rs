//! Programs in the sandbox, and its log.

use super::running;

#[test]
fn a_program_inside_has_our_arguments_input_and_exit_code() {
    let bench = running();
    bench.run(["exec", "--", "sh", "-c", "exit 7"]).code(7);
    bench
        .run(["exec", "sh", "-c", "echo out; echo err >&2; exit 200"])
        .code(200)
        .says("err\n")
        .prints("out\n");
    let echoed = bench.run_with_input(["exec", "--", "cat"], b"one\ntwo\0three").success();
    assert_eq!(echoed.stdout, "one\ntwo\0three");
    let dashes = bench.run(["exec", "printf", "%s|", "--json", "-h", "--", "a b"]).success();
    assert_eq!(dashes.stdout, "--json|-h|--|a b|");
    let place = ["exec", "--user", "root", "--workdir", "/etc", "--env", "A=b c", "--"];
    let script = ["sh", "-c", "id -u; pwd; echo $A"];
    let run = bench.run(place.iter().chain(&script)).success();
    assert_eq!(run.stdout, "0\n/etc\nb c\n");
    // 127 as a shell has it, or 126 with older engines.
    let missing = bench.run(["exec", "no-such-program"]);
    assert!(matches!(missing.code, Some(126 | 127)), "{missing:?}");
    assert!(format!("{missing:?}").contains("no-such-program"), "{missing:?}");
}

#[test]
fn a_shell_at_a_terminal_is_a_shell_at_a_terminal() {
    let bench = running();
    let mut terminal = bench.at_terminal(["shell"]);
    terminal.until("$ ");
    terminal.enter("tty; stty size; id -un\r");
    terminal.until("/dev/pts/");
    terminal.until("30 100");
    // Ctrl-C is for the program inside, not for occ.
    terminal.enter("sleep 100\r");
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.enter("\u{3}");
    terminal.enter("echo still-$((20 + 22))\r");
    terminal.until("still-42");
    terminal.enter("exit 9\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(9), "{shown}");
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let bench = running();
    let write =
        "for i in $(seq 20000); do echo \"a line of the log, number $i\"; done >/proc/1/fd/1";
    bench.run(["exec", "--", "sh", "-c", write]).success();
    // The engine writes its log beside.
    bench.start(["logs", "--follow", "-n", "all"]).until("number 20000");
    let lines = bench.run(["logs", "-n", "all"]).success().stdout.lines().count();
    assert!(lines >= 20_000, "{lines}");
    let script = "\"$0\" logs -n all | head -1; echo \"codes ${PIPESTATUS[*]}\"";
    let run = bench.shell(script).success().prints("codes 0 0\n").never_says("panicked");
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
}

#[test]
fn the_log_can_be_cut_dated_and_followed() {
    let bench = running();
    bench
        .run(["exec", "--", "sh", "-c", "echo mark-1 >/proc/1/fd/1; echo mark-2 >/proc/1/fd/1"])
        .success();
    let mut follow = bench.start(["logs", "--follow", "-n", "1"]);
    follow.until("mark-2");
    assert!(!follow.stdout().contains("mark-1"), "{}", follow.stdout());
    bench.run(["exec", "--", "sh", "-c", "echo mark-3 >/proc/1/fd/1"]).success();
    follow.until("mark-3");
    follow.interrupt();
    follow.finish().interrupted();

    let dated = bench.run(["logs", "-n", "1", "--timestamps"]).success().stdout;
    assert!(dated.starts_with("20") && dated.contains("Z mark-3"), "{dated}");
    let none = bench.run(["logs", "--since", "2999-01-01T00:00:00Z"]).success().stdout;
    assert_eq!(none, "");
    bench.run(["logs", "--since", "yesterday"]).code(2).says("neither a time ago");
    bench.run(["logs", "-n", "few"]).code(2).says("neither a number nor \"all\"");
}

#[test]
fn following_the_log_ends_when_the_sandbox_stops() {
    let bench = running();
    let mut follow = bench.start(["logs", "--follow", "-n", "all"]);
    follow.until("\n");
    bench.run(["stop"]).success();
    follow.finish_within(std::time::Duration::from_secs(10)).success();
}
