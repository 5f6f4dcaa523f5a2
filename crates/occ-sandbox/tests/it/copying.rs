//! What the copier runs, on folders of this machine: whatever happens between its two looks, the copy is what
//! was there at the second.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = include_str!("../../src/copier.sh");

/// What can be seen of everything in a folder, by its place.
fn seen(root: &Path) -> BTreeMap<String, String> {
    let found = Command::new("find")
        .current_dir(root)
        .args([".", "-printf", "%P\\0%y %m %U:%G %T@ %l\\0"])
        .output()
        .expect("find");
    let text = String::from_utf8(found.stdout).expect("plain names");
    let fields: Vec<&str> = text.split_terminator('\0').collect();
    let content = |place: &str| fs::read(root.join(place)).unwrap_or_default();
    fields
        .chunks(2)
        .map(|one| {
            let place = one[0].to_owned();
            let content = if one[1].starts_with('f') { content(&place) } else { Vec::new() };
            (place, format!("{} {content:?}", one[1]))
        })
        .collect()
}

fn shell(folder: &Path, script: &str) {
    let done = Command::new("sh").current_dir(folder).args(["-ec", script]).status();
    assert!(done.expect("sh").success(), "{script}");
}

/// The copier at work below `root`, with the programs of `path` before the usual ones.
fn script(path: &Path, root: &Path) -> Command {
    let mut copier = Command::new("sh");
    let script = format!("PATH={}:$PATH\n{SCRIPT}", path.display());
    copier.args(["-c", &script]).env("ROOT", root);
    copier
}

/// Copies a folder that `between` changes between the two looks, with `path` before the programs' own; returns
/// what is there and what was copied.
fn copy_with(path: &Path, before: &str, between: &str) -> [BTreeMap<String, String>; 2] {
    let dir = tempfile::tempdir().expect("tempdir");
    let root = dir.path();
    let (from, to) = (root.join("from/0"), root.join("to/0"));
    fs::create_dir_all(&from).expect("create");
    fs::create_dir_all(to.join("left/over")).expect("create");
    shell(&from, before);
    // What is younger than a second is copied again in any case, which would hide what is not seen.
    std::thread::sleep(Duration::from_millis(2100));
    let mut copier = script(path, root);
    copier.stdout(Stdio::piped());
    let mut copier = copier.spawn().expect("sh");
    let mut said = BufReader::new(copier.stdout.take().expect("piped")).lines();
    assert_eq!(said.next().expect("a line").expect("read"), "ready");
    shell(&from, between);
    fs::write(root.join("go"), "").expect("write");
    assert_eq!(said.next().expect("a line").expect("read"), "copied");
    assert!(copier.wait().expect("wait").success());
    [seen(&from), seen(&to)]
}

fn copy(before: &str, between: &str) -> [BTreeMap<String, String>; 2] {
    copy_with(Path::new("/nonexistent"), before, between)
}

const TREE: &str = r"
    mkdir -p one/deep two becomes-file/in empty
    for n in 1 2 3; do echo $n >one/deep/$n; done
    echo a >one/a; echo b >two/b; echo gone >gone; echo dir >becomes-folder; echo s >same
    echo odd >'odd
	name'; echo dash >-dash; ln -s one/a link; ln two/b hard; chmod 600 same";

#[test]
fn what_does_not_change_is_copied_with_everything_about_it() {
    let [there, copied] = copy(TREE, ":");
    assert_eq!(there, copied);
    assert!(there.len() > 15, "{there:?}");
}

#[test]
fn what_changes_between_the_looks_is_copied_again_however_it_changes() {
    let changes = [
        "mv one t; mv two one; mv t two",
        "rm gone 'odd\n\tname'; echo new >'new\nodd'; rmdir empty",
        "rm becomes-folder; mkdir becomes-folder; echo in >becomes-folder/in",
        "rm -r becomes-file; echo file >becomes-file",
        // The same size and time: what changed it put the time back.
        "touch -r same t; echo S >same; touch -r t same; rm t",
        "chmod 700 one; echo more >>-dash; ln -sfn two/b link; rm hard; ln same hard",
        "find . -mindepth 1 -delete",
        "rm -r one; cp -a two one; echo again >one/b",
    ];
    for change in changes {
        let [there, copied] = copy(TREE, change);
        assert_eq!(there, copied, "{change}");
    }
}

/// A file that goes while it is copied makes the first copying fail; then everything counts as changed.
#[test]
fn a_first_copying_that_fails_counts_for_nothing() {
    let bin = tempfile::tempdir().expect("tempdir");
    let half = "echo '#!/bin/sh' >cp; echo 'echo half >$3/same; exit 1' >>cp; chmod 755 cp";
    shell(bin.path(), half);
    let [there, copied] = copy_with(bin.path(), TREE, ":");
    assert_eq!(there, copied);
}

/// Other tools than GNU's cannot tell what has changed; then all of it is copied when nobody writes any more.
#[test]
fn without_gnus_tools_everything_is_copied_late() {
    let bin = tempfile::tempdir().expect("tempdir");
    shell(bin.path(), "printf '#!/bin/sh\\nexit 1' >comm; cp comm tar; chmod 755 comm tar");
    let [there, copied] = copy_with(bin.path(), TREE, "rm gone; echo new >new");
    assert_eq!(there, copied);
}

/// What cannot be copied at all is no copy.
#[test]
fn a_second_copying_that_fails_is_said() {
    let dir = tempfile::tempdir().expect("tempdir");
    shell(dir.path(), "mkdir -p from/0 to/0 bin; echo a >from/0/a; touch go");
    shell(&dir.path().join("bin"), "echo '#!/bin/sh\nexit 1' >cp; cp cp tar; chmod 755 cp tar");
    let mut copier = script(&dir.path().join("bin"), dir.path());
    let done = copier.output().expect("sh");
    assert!(!done.status.success());
    assert_eq!(String::from_utf8_lossy(&done.stdout), "ready\n");
}
