//! A folder of the host as the workspace.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use occ_testkit::{Bench, as_root};

use super::running;
use crate::places::bench;

/// Returns a folder that belongs to this user, with a file in it.
fn folder_of(bench: &Bench, owner: u32) -> PathBuf {
    let folder = bench.folder().join("project");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("host.txt"), "from outside\n").unwrap();
    let path = folder.display().to_string();
    let chown = as_root("chown", ["-R", &format!("{owner}:{owner}"), &path]).status();
    assert!(chown.unwrap().success());
    folder
}

#[test]
fn files_made_inside_belong_to_the_folders_owner_outside() {
    let bench = bench();
    let folder = folder_of(&bench, 1234);
    let path = folder.to_str().unwrap();
    bench.run(["start", "--yes", "--workspace", path]).success();
    assert_eq!(bench.run(["exec", "cat", "host.txt"]).success().stdout, "from outside\n");
    bench.run(["exec", "--", "sh", "-c", "echo hello >inside.txt; mkdir deep"]).success();
    for name in ["inside.txt", "deep"] {
        let meta = fs::metadata(folder.join(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1234, 1234), "{name}");
    }
    assert_eq!(fs::read_to_string(folder.join("inside.txt")).unwrap(), "hello\n");
    let user = bench.run(["exec", "--", "sh", "-c", "id -un; id -u; echo $HOME"]).success();
    assert_eq!(user.stdout, "opencode\n1234\n/home/opencode\n");
    assert_eq!(bench.run(["exec", "--", "sudo", "-n", "id", "-u"]).success().stdout, "0\n");
    bench.run(["restart", "--workspace", path]).success();
    assert_eq!(bench.run(["exec", "cat", "inside.txt"]).success().stdout, "hello\n");
    let mut left: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["deep", "host.txt", "inside.txt"], "the proof left something behind");
    drop(as_root("rm", ["-rf", path]).status());
}

#[test]
fn a_folder_of_roots_is_refused_with_the_remedy() {
    let bench = bench();
    let folder = folder_of(&bench, 0);
    let path = folder.to_str().unwrap();
    bench
        .run(["start", "--yes", "--workspace", path])
        .code(1)
        .says(&format!("the folder cannot be the workspace: {path}"))
        .says("it belongs to root")
        .says(&format!("hint: give it to a user: sudo chown -R 1000:1000 {path}"));
    bench.assert_nothing_left();
    drop(as_root("rm", ["-rf", path]).status());
}

#[test]
fn a_folder_that_is_none_is_refused_before_anything_happens() {
    let bench = bench();
    let file = bench.folder().join("file");
    fs::write(&file, "").unwrap();
    for (path, why) in
        [(file.to_str().unwrap(), "not a folder"), ("/nonexistent/x", "No such file")]
    {
        bench.run(["start", "--yes", "--workspace", path]).code(1).says(path).says(why);
    }
    bench.assert_nothing_left();
}

#[test]
fn a_sandbox_that_gets_a_folder_later_keeps_its_sessions() {
    let bench = running();
    bench.run(["exec", "--", "sh", "-c", "echo x >~/.local/share/opencode/kept"]).success();
    let folder = folder_of(&bench, 4321);
    let path = folder.to_str().unwrap();
    bench.run(["start", "--workspace", path]).code(2).says("workspace: ").says("occ start --yes");
    bench.run(["start", "--yes", "--workspace", path]).success();
    let kept = [
        "exec",
        "--",
        "sh",
        "-c",
        "cat ~/.local/share/opencode/kept; stat -c %u ~/.local/share/opencode/kept",
    ];
    assert_eq!(bench.run(kept).success().stdout, "x\n4321\n");
    // What was named once holds until another is named.
    bench.run(["start"]).success();
    assert_eq!(bench.run(kept).success().stdout, "x\n4321\n");
    bench.run(["start", "--yes", "--workspace", "volume"]).success();
    assert_eq!(bench.run(kept).success().stdout, "x\n1000\n");
    drop(as_root("rm", ["-rf", path]).status());
}

#[test]
fn a_failed_move_to_a_folder_can_be_taken_back() {
    let bench = running();
    bench.run(["exec", "--", "sh", "-c", "echo x >~/.local/share/opencode/kept"]).success();
    let folder = folder_of(&bench, 4321);
    let path = folder.to_str().unwrap();
    let mut moving = bench.start(["start", "--yes", "--workspace", path, "--progress", "json"]);
    moving.until("waiting for");
    moving.interrupt();
    moving.finish().interrupted();
    bench.run(["start", "--yes"]).success();
    let write = ["exec", "--", "sh", "-c", "echo y >>~/.local/share/opencode/kept"];
    bench.run(write).success();
    drop(as_root("rm", ["-rf", path]).status());
}
