//! What the tests of this folder read: the manifests through cargo, the text through git.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the top folder").into()
}

/// A file of the working copy that is text: its path from the top folder, and what it says.
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) content: String,
}

/// Every text file under version control or about to be; what git ignores is left out.
pub(crate) fn texts() -> Vec<Text> {
    let listing = Command::new("git")
        // A checkout may belong to someone else than the one who tests it.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard")
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(listing.status.success(), "{}", String::from_utf8_lossy(&listing.stderr));
    let paths = String::from_utf8(listing.stdout).expect("our file names are UTF-8");
    let texts: Vec<_> = paths.split_terminator('\0').filter_map(read).collect();
    assert!(texts.len() > 10, "git lists only {} files", texts.len());
    texts
}

/// A file that was deleted but not yet committed, or is not text, has nothing to say.
fn read(path: &str) -> Option<Text> {
    let content = std::fs::read_to_string(root().join(path)).ok()?;
    Some(Text { path: path.to_owned(), content })
}

/// Fails with the rule and everything that breaks it.
pub(crate) fn none_of(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}, but:\n  {}", offenders.join("\n  "));
}
