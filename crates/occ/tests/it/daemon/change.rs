//! Settings that change under a running sandbox.

use serde_json::json;

use super::running;

const GIB: u64 = 1 << 30;

#[test]
fn a_changed_setting_asks_and_with_consent_replaces_the_container_and_keeps_the_data() {
    let bench = running();
    let before = bench.inspect()["Id"].clone();
    bench.run(["exec", "--", "sh", "-c", "echo kept >kept.txt"]).success();
    bench.run(["config", "set", "memory", "1GiB"]).success().says("occ start");

    let run = bench.run(["start"]).code(2).says("there is no terminal to ask at");
    let run = run.says("limits: ").says("hint: to replace it (volumes stay): occ start --yes");
    assert_eq!(run.stdout, "");
    assert_eq!(bench.inspect()["Id"], before);
    assert_eq!(bench.run(["restart"]).code(2).stdout, "");
    assert_eq!(bench.inspect()["State"]["Running"], true, "a refused restart stopped the sandbox");

    bench.run(["start", "--yes"]).success();
    assert_ne!(bench.inspect()["Id"], before);
    assert_eq!(bench.inspect()["HostConfig"]["Memory"], json!(GIB));
    assert_eq!(bench.run(["exec", "cat", "kept.txt"]).success().stdout, "kept\n");
}

#[test]
fn opencodes_own_hosted_models_are_off_until_they_are_allowed() {
    let bench = running();
    let providers = || {
        let ask = "curl -s -u \"opencode:$(cat /run/opencode-cloud/password)\" \
            http://127.0.0.1:4096/provider | jq -c .connected";
        bench.run(["exec", "--", "sh", "-c", ask]).success().stdout
    };
    assert_eq!(providers(), "[]\n");
    bench.run(["config", "set", "hosted_models", "true"]).success();
    bench.run(["start", "--yes"]).success();
    assert_eq!(providers(), "[\"opencode\"]\n");
    bench.run(["config", "unset", "hosted_models"]).success();
    bench.run(["start", "--yes"]).success();
    assert_eq!(providers(), "[]\n");
}

#[test]
fn at_a_terminal_no_is_the_default_and_yes_is_a_yes() {
    let bench = running();
    let before = bench.inspect()["Id"].clone();
    bench.run(["config", "set", "pids_limit", "300"]).success();

    let mut terminal = bench.at_terminal(["start"]);
    terminal.until("[y/N]");
    terminal.enter("\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("Aborted. Stop container first with: occ stop"), "{shown}");
    assert_eq!(bench.inspect()["Id"], before);

    let mut terminal = bench.at_terminal(["start"]);
    terminal.until("[y/N]");
    terminal.enter("y\r");
    let (code, shown) = terminal.finish();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(bench.inspect()["HostConfig"]["PidsLimit"], 300);
}

#[test]
fn a_dry_run_shows_what_would_be_done_and_does_nothing() {
    let bench = crate::places::bench();
    let plan = bench.run(["start", "--dry-run"]).success().stdout;
    assert!(plan.contains("create the container (on 127.0.0.1:"), "{plan}");
    assert!(plan.contains("put the password in (not in the environment)"), "{plan}");
    let steps = bench.run(["start", "--dry-run", "--json"]).success().data()["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), plan.lines().count());
    bench.assert_nothing_left();
    assert!(!bench.state_dir().exists(), "a dry run wrote something");

    bench.run(["start", "--yes"]).success();
    let before = bench.inspect();
    bench.run(["config", "set", "memory", "1GiB"]).success();
    let plan = bench.run(["start", "--dry-run", "--yes"]).success().stdout;
    assert!(plan.contains("write down how to get back (changes limits: "), "{plan}");
    bench.run(["restart", "--dry-run", "--yes"]).success();
    let after = bench.inspect();
    assert_eq!(after["Id"], before["Id"]);
    assert_eq!(after["State"]["StartedAt"], before["State"]["StartedAt"]);
}

#[test]
fn a_port_named_once_holds_until_another_is_named() {
    let mut bench = crate::places::bench();
    bench.unset("OCC_PORT");
    let (one, other) = (occ_testkit::free_port().to_string(), occ_testkit::free_port().to_string());
    bench.run(["start", "--yes", "--port", &one]).success().prints(&format!(":{one}\n"));
    let id = bench.inspect()["Id"].clone();
    bench.run(["start"]).success().prints(&format!(":{one}\n"));
    assert_eq!(bench.inspect()["Id"], id);
    bench.run(["start", "--port", &other]).code(2).says("port: ");
    bench.run(["start", "--yes", "--port", &other]).success().prints(&format!(":{other}\n"));
    bench.api().remove_container(&bench.container());
    bench.run(["start"]).success().prints(&format!(":{other}\n"));
}
