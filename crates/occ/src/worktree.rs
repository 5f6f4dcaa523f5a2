//! Which instance is meant, and the one that a git worktree has.

use std::path::Path;
use std::str::FromStr;

use occ_sandbox::{AUTO, Instance, InstanceError};

use crate::failure::Failure;

/// What `--instance` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This one.
    Named(Instance),
    /// The one of the git worktree that the command was typed in.
    Auto,
}

impl FromStr for Choice {
    type Err = InstanceError;

    fn from_str(text: &str) -> Result<Self, InstanceError> {
        if text == AUTO { Ok(Self::Auto) } else { text.parse().map(Self::Named) }
    }
}

impl Choice {
    /// Returns the instance, looking for the worktree around `here` where that is asked for.
    pub(crate) fn resolve(&self, here: Option<&Path>) -> Result<Instance, Failure> {
        let here = match self {
            Self::Named(instance) => return Ok(instance.clone()),
            Self::Auto => here,
        };
        // A repository and a worktree beside it have a folder or a file of that name; gitrepository-layout(5).
        let top = here.and_then(|here| here.ancestors().find(|dir| dir.join(".git").exists()));
        top.map(Instance::of_folder).ok_or_else(|| {
            let place = here.map_or_else(String::new, |here| format!(": {}", here.display()));
            Failure::usage(format!(
                "--instance auto needs a git worktree, and this is in none{place}"
            ))
            .hint("go to your project's folder, or name the sandbox: --instance NAME")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_a_worktree_means_the_same_instance() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        let deep = one.join("src/deep");
        std::fs::create_dir_all(&deep).expect("folder");
        std::fs::create_dir_all(one.join(".git")).expect("folder");
        std::fs::create_dir_all(&other).expect("folder");
        std::fs::write(other.join(".git"), "gitdir: ../one/.git/worktrees/other\n").expect("file");
        let auto = |here: &Path| Choice::Auto.resolve(Some(here)).expect("in a worktree");
        assert_eq!(auto(&one), auto(&deep));
        assert_ne!(auto(&one), auto(&other));
    }

    #[test]
    fn outside_of_every_worktree_auto_is_a_usage_error() {
        let failure = Choice::Auto.resolve(Some(Path::new("/"))).expect_err("none");
        assert_eq!(failure.exit.code(), 2);
        assert!(failure.message.ends_with(": /"), "{}", failure.message);
    }

    #[test]
    fn a_name_needs_no_worktree() {
        let blue: Choice = "blue".parse().expect("valid");
        assert_eq!(blue.resolve(None).expect("named").name(), "blue");
    }
}
