//! Several sandboxes, and never losing work.

use std::fs;

use occ_testkit::{Bench, Daemon};
use serde_json::{Value, json};

use super::{client, running, wait};
use crate::places::{bench, bench_at};

fn inside(bench: &Bench, script: &str) -> String {
    bench.run(["exec", "-T", "--", "sh", "-ec", script]).success().stdout
}

/// A repository in the workspace whose remote has everything.
const PUSHED: &str = "
git config --global user.email a@example.com; git config --global user.name a
git init -q --bare /tmp/remote.git; git init -q -b main project; cd project
echo one > file; git add .; git commit -qm one; git remote add origin /tmp/remote.git; git push -qu origin main";

fn row(list: &Value, instance: &str) -> Value {
    let rows = list["sandboxes"].as_array().unwrap();
    rows.iter().find(|row| row["instance"] == instance).cloned().unwrap_or_default()
}

#[test]
fn every_sandbox_is_listed_with_its_state_and_health() {
    let one = running();
    let mut other = bench();
    other.set("XDG_DATA_HOME", one.home().join("data"));
    other.run(["start", "--yes"]).success();
    other.run(["stop"]).success();
    let list = one.run(["ls", "--json"]).success().data();
    let (up, down) = (row(&list, one.instance()), row(&list, other.instance()));
    assert_eq!((&up["state"], &up["health"]), (&json!("running"), &json!("healthy")), "{list}");
    assert_eq!(up["url"], format!("http://127.0.0.1:{}", one.port()));
    assert_eq!(up["workspace"], format!("{}-workspace", one.container()));
    assert_eq!((&down["state"], &down["health"]), (&json!("stopped"), &json!("none")), "{list}");

    one.api().remove_container(&one.container());
    let list = other.run(["ls", "--json"]).success().data();
    assert_eq!(row(&list, one.instance())["state"], "absent", "{list}");
    let text = one.run(["ls"]).success().stdout;
    let line = text.lines().find(|line| line.starts_with(other.instance())).unwrap();
    assert!(line.contains("stopped"), "{text}");
    assert!(one.run(["ls", "--quiet"]).success().stdout.lines().any(|l| l == other.instance()));
}

#[test]
fn an_instance_of_a_worktree_gets_a_port_of_its_own_and_keeps_it() {
    let mut bench = bench();
    bench.unset("OCC_INSTANCE");
    bench.unset("OCC_PORT");
    let project = bench.home().join("My Project");
    fs::create_dir_all(project.join(".git")).unwrap();
    let plan = |bench: &Bench| -> String {
        let mut command = bench.command(["--instance", "auto", "start", "--dry-run", "--json"]);
        command.current_dir(&project);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = plan(&bench);
    assert!(text.contains("opencode-cloud-sandbox-my-project-"), "{text}");
    assert_eq!(text, plan(&bench));
    assert!(!bench.home().join("data").exists(), "a dry run wrote something");
    bench.run(["--instance", "auto", "status"]).code(2).says("needs a git worktree");
}

#[test]
fn a_removal_lists_asks_and_leaves_the_volumes() {
    let bench = running();
    inside(&bench, "echo kept > kept.txt");
    let run = bench.run(["rm"]).code(2).says("occ rm --yes").says(&bench.container());
    assert_eq!(run.stdout, "");
    let planned = bench.run(["rm", "--dry-run", "--json"]).success().data();
    assert_eq!(planned["containers"], json!([bench.container()]));
    assert_eq!(planned["changed"], false);
    bench.run(["status"]).success();

    bench.run(["rm", "--yes"]).success().prints("removed");
    assert_eq!(bench.api().containers_of(bench.instance()), Vec::<String>::new());
    bench.run(["start"]).success();
    assert_eq!(inside(&bench, "cat kept.txt"), "kept\n");

    bench.run(["rm", "--volumes", "--yes"]).code(8).says("kept.txt: 1 file in no git repository");
    bench.run(["status"]).success();
    let planned = bench.run(["rm", "--volumes", "--discard-work", "--dry-run", "--json"]);
    let planned = planned.success().data();
    assert!(planned["volumes"][0]["size"].is_u64(), "{planned}");
    bench.run(["rm", "--volumes", "--discard-work", "--yes"]).success();
    bench.assert_nothing_left();
    assert!(!bench.state_dir().join("password").exists());
    bench.run(["rm", "--volumes", "--yes"]).success().prints("nothing to remove");
}

#[test]
fn work_that_no_remote_has_refuses_with_8() {
    let bench = running();
    inside(&bench, PUSHED);
    let refused = |work: &str| {
        let run = bench.run(["rm", "--volumes", "--yes"]).code(8).says(work);
        run.says("occ rm --volumes --discard-work");
        bench.run(["status"]).success();
    };
    inside(&bench, "cd project; echo two > file");
    refused("project: 1 changed file");
    inside(&bench, "cd project; git stash -q");
    refused("project: 1 stash");
    inside(&bench, "cd project; git stash pop -q; git commit -qam two");
    refused("project: 1 unpushed commit");
    inside(&bench, "cd project; git push -q; echo new > 'other file'");
    refused("project: 1 untracked file");
    inside(&bench, "cd project; rm 'other file'");
    bench.run(["rm", "--volumes", "--yes"]).success();
    bench.assert_nothing_left();
}

#[test]
fn a_session_at_work_refuses_with_8() {
    let bench = running();
    let session = wait(async { client(&bench).create_session().await.unwrap() });
    let server = client(&bench).within(std::time::Duration::from_secs(120));
    let id = session.id.clone();
    let work = std::thread::spawn(move || wait(async { server.shell(&id, "sleep 100").await }));
    // A busy machine may be too slow for an answer.
    let busy = || wait(async { client(&bench).busy_sessions().await.unwrap_or_default() });
    while busy().is_empty() {
        assert!(!work.is_finished(), "it never was at work");
    }
    let run = bench.run(["rm", "--yes"]).code(8);
    run.says(&format!("session at work: {}", session.id));
    bench.run(["status"]).success();
    bench.run(["stop"]).success();
    drop(work.join());
    bench.run(["rm", "--yes"]).success();
}

#[test]
fn nothing_of_others_is_pruned() {
    let daemon = Daemon::start();
    let mut bench = bench_at(daemon.api());
    bench.set("XDG_CACHE_HOME", bench.home().join("cache"));
    super::stand_in(bench.api(), occ_testkit::Manner::Good);
    bench.run(["start", "--yes"]).success();
    let label = "org.opencode-cloud.instance";
    let volume = |name: &str, labels: Value| {
        let body = json!({ "Name": name, "Labels": labels });
        bench.api().post("/volumes/create", &body).success();
    };
    let user = rustix::process::getuid().as_raw();
    let owned = |user: u32| json!({ label: "gone", "org.opencode-cloud.user": user.to_string() });
    volume("opencode-cloud-sandbox-gone-data", owned(user));
    volume("opencode-cloud-sandbox-gone-state", owned(user + 1));
    volume("opencode-cloud-sandbox-gone-cache", json!({}));
    bench.run(["prune", "--yes"]).success();
    assert_eq!(bench.api().volumes_of("gone").len(), 2);
    bench.run(["prune", "--volumes"]).code(2).says("opencode-cloud-sandbox-gone-data");
    bench.run(["prune", "--volumes", "--yes"]).success().prints("opencode-cloud-sandbox-gone-data");
    assert_eq!(bench.api().volumes_of("gone"), ["opencode-cloud-sandbox-gone-state"]);
    let other = bench.api().get("/volumes/opencode-cloud-sandbox-gone-cache");
    assert_eq!(other.status, 200, "a volume that is not ours is gone");
    bench.run(["status"]).success();
}

#[test]
fn a_backup_holds_what_was_in_the_sandbox_and_nothing_else_is_written() {
    let bench = running();
    inside(&bench, "echo kept > kept.txt");
    let file = bench.home().join("one.occ-backup");
    let name = file.to_str().unwrap();
    let made = bench.run(["backup", "create", name, "--json"]).success().data();
    assert!(made["frozen_seconds"].as_f64().is_some(), "{made}");
    bench.run(["status"]).success();
    bench.run(["backup", "create", name]).code(1).says("is not overwritten");
    let listed = bench.run(["backup", "list", bench.home().to_str().unwrap(), "--json"]);
    let listed = listed.success().data();
    assert_eq!(listed["backups"][0]["backup"]["instance"], bench.instance());

    bench.run(["stop"]).success();
    bench.run(["backup", "create"]).success();
    let listed = bench.run(["backup", "list", "--json"]).success().data();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1, "{listed}");
}

#[test]
fn after_a_backup_a_removal_and_a_restore_session_and_files_are_there() {
    let bench = running();
    inside(&bench, PUSHED);
    inside(&bench, "cd project; echo two > file");
    let session = wait(async { client(&bench).create_session().await.unwrap() });
    let file = bench.home().join("one.occ-backup");
    let name = file.to_str().unwrap();
    bench.run(["backup", "create", name]).success();
    bench.run(["rm", "--yes"]).success();
    bench.run(["backup", "restore", name]).code(1).says("volumes of a sandbox, but no container");
    bench.run(["rm", "--volumes", "--yes"]).code(8);
    bench.run(["rm", "--volumes", "--yes", "--discard-work"]).success();
    bench.assert_nothing_left();

    bench.run(["backup", "restore", name]).success();
    let status = bench.run(["status", "--json"]).success().data();
    assert_eq!(status["health"]["state"], "healthy");
    let sessions = wait(async { client(&bench).sessions().await.unwrap() });
    assert!(sessions.iter().any(|one| one.id == session.id), "{sessions:?}");
    assert_eq!(inside(&bench, "cd project; cat file; git log --format=%s"), "two\none\n");
    assert_eq!(inside(&bench, "stat -c '%U %a' project/file"), "opencode 644\n");
    // Whoever works there can go on: the tops of the volumes are not root's.
    assert_eq!(inside(&bench, "echo more > written; cat written"), "more\n");
    assert_eq!(inside(&bench, "stat -c %U . ~/.config/opencode"), "opencode\nopencode\n");
}

#[test]
fn a_restore_into_a_sandbox_replaces_what_it_holds_and_can_be_taken_back() {
    let bench = running();
    inside(&bench, "echo before > kept.txt");
    let first = wait(async { client(&bench).create_session().await.unwrap() }).id;
    let file = bench.home().join("one.occ-backup");
    let name = file.to_str().unwrap();
    bench.run(["backup", "create", name]).success();
    inside(&bench, "echo after > kept.txt; echo new > other.txt");
    let second = wait(async { client(&bench).create_session().await.unwrap() }).id;
    let sessions = || {
        let sessions = wait(async { client(&bench).sessions().await.unwrap() });
        let there = |id: &occ_opencode::SessionId| sessions.iter().any(|one| one.id == *id);
        (there(&first), there(&second))
    };

    let asked = bench.run(["backup", "restore", name]).code(2);
    asked.says("occ backup restore FILE --yes");
    bench.run(["backup", "restore", name, "--yes"]).success().says("occ rollback");
    assert_eq!(inside(&bench, "cat kept.txt; ls"), "before\nkept.txt\n");
    assert_eq!(sessions(), (true, false));
    inside(&bench, "echo more > written; rm written");

    bench.run(["rollback", "--yes"]).success();
    assert_eq!(inside(&bench, "cat kept.txt; ls"), "after\nkept.txt\nother.txt\n");
    assert_eq!(sessions(), (true, true));
}

#[test]
fn a_damaged_backup_is_refused_before_anything_is_touched() {
    let bench = running();
    let file = bench.home().join("one.occ-backup");
    let name = file.to_str().unwrap();
    bench.run(["backup", "create", name]).success();
    bench.run(["rm", "--volumes", "--yes", "--discard-work"]).success();
    let bytes = fs::read(&file).unwrap();
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 0x55;
    for (damaged, says) in [
        (bytes[..bytes.len() / 2].to_vec(), "damaged"),
        (bytes[..bytes.len() - 1].to_vec(), "damaged"),
        (changed, "damaged"),
        (b"something else".to_vec(), "this is no backup"),
    ] {
        fs::write(&file, damaged).unwrap();
        bench.run(["backup", "restore", name]).code(3).says(says).says(name);
        bench.assert_nothing_left();
    }
    assert!(!bench.state_dir().join("record-v1.json").exists());
}
