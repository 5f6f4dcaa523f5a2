//! Work that exists nowhere else: what a removal would lose.

use std::fmt;
use std::time::Duration;

use occ_engine::{Engine, Mount};
use occ_image::guest;
use serde::Serialize;

use crate::beside;
use crate::cancel::Cancel;
use crate::error::ApplyError;
use crate::fleet::Sandbox;
use crate::refusal::Claim;

/// How long git may look.
const PATIENCE: Duration = Duration::from_secs(180);

/// Work that exists nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Git repositories that have something no remote has.
    pub repositories: Vec<Repository>,
    /// Files in no repository, by the first part of their path.
    pub loose: Vec<Loose>,
    /// Sessions in which something is being done at this moment.
    pub busy_sessions: Vec<String>,
    /// Why it could not be found out: then everything counts as work.
    pub unknown: Option<String>,
}

/// A git repository that has something no remote has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Its folder in the workspace.
    pub path: String,
    /// What it has; none when git could not read it.
    pub has: Option<Unsaved>,
}

/// What a repository has that no remote has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unsaved {
    /// Files that were changed, staged or not.
    pub changed: u64,
    /// Files that git does not know and was not told to ignore.
    pub untracked: u64,
    /// Commits that no remote is known to have.
    pub unpushed: u64,
    /// Stashes.
    pub stashes: u64,
}

/// Files in no repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loose {
    /// First part of their path in the workspace.
    pub path: String,
    /// How many they are.
    pub files: u64,
}

impl Work {
    /// Returns whether nothing would be lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the work of another sandbox, whose name then stands before each path.
    pub fn add(&mut self, other: Self, sandbox: &str) {
        let under = |path: String| format!("{sandbox}: {path}");
        let repositories = other.repositories.into_iter();
        self.repositories
            .extend(repositories.map(|one| Repository { path: under(one.path), ..one }));
        self.loose
            .extend(other.loose.into_iter().map(|one| Loose { path: under(one.path), ..one }));
        self.busy_sessions.extend(other.busy_sessions);
        self.unknown = self.unknown.take().or(other.unknown.map(under));
    }

    /// Returns one line for each thing that would be lost.
    pub fn lines(&self) -> Vec<String> {
        let repositories = self.repositories.iter().map(ToString::to_string);
        let loose = self.loose.iter().map(|loose| {
            format!("{}: {} in no git repository", loose.path, count(loose.files, "file"))
        });
        let sessions = self.busy_sessions.iter().map(|id| format!("session at work: {id}"));
        repositories.chain(loose).chain(sessions).chain(self.unknown.clone()).collect()
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(has) = self.has else {
            return write!(f, "{}: git cannot read this repository", self.path);
        };
        let parts = [
            (has.changed, "changed file"),
            (has.untracked, "untracked file"),
            (has.unpushed, "unpushed commit"),
            (has.stashes, "stash"),
        ];
        let parts = parts.into_iter().filter(|(number, _)| *number > 0);
        let parts: Vec<String> = parts.map(|(number, what)| count(number, what)).collect();
        write!(f, "{}: {}", self.path, parts.join(", "))
    }
}

fn count(number: u64, what: &str) -> String {
    let ending = match (number, what.ends_with("sh")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {what}{ending}")
}

/// Looks through a sandbox's workspace volume for work, with the git of an image of ours in a short-lived
/// container that can change nothing and reach nobody.
///
/// # Errors
/// When the engine fails. That nothing could be found out is an answer.
pub async fn observe_work<E: Engine>(
    engine: &E,
    claim: Claim<'_>,
    sandbox: &Sandbox,
    cancel: &Cancel,
) -> Result<Work, ApplyError> {
    let volume = claim.instance.volume("workspace");
    if !sandbox.volumes.iter().any(|found| found.name == volume) {
        return Ok(Work::default());
    }
    let Some(image) = beside::any_image(engine, sandbox).await? else {
        return Ok(not_known("that needs an image, and there is none"));
    };
    let mount =
        Mount::Volume { name: volume, target: guest::WORKSPACE.to_owned(), read_only: true };
    let script = format!("cd {}\n{SCRIPT}", guest::WORKSPACE);
    let looking = beside::reading(claim, image, vec![mount], script);
    match looking.run(engine, claim, PATIENCE, cancel).await {
        Ok(said) if said.code == 0 => Ok(read(&said.out)),
        Ok(said) => Ok(not_known(said.err.trim())),
        Err(ApplyError::Probe(error)) => Ok(not_known(&error.to_string())),
        Err(error) => Err(error),
    }
}

fn not_known(why: &str) -> Work {
    let unknown = format!("what is in the workspace could not be found out: {why}");
    Work { unknown: Some(unknown), ..Work::default() }
}

/// Says one line for each repository and for each place with files in none, and a last one.
///
/// What a repository configures is not run: it belongs to the agent.
const SCRIPT: &str = r#"set -u
export GIT_OPTIONAL_LOCKS=0 GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME=/nonexistent
git --version >/dev/null || exit 3
g() {
	git -c safe.directory='*' -c core.fsmonitor=false -c core.hooksPath=/dev/null \
		-c status.relativePaths=false -C "$repo" "$@" 2>/dev/null
}
plain() { printf '%s' "$1" | tr '\t\n' '??'; }
unpushed() {
	g rev-list --count HEAD --branches --tags --not --remotes ||
		g rev-list --count --branches --tags --not --remotes
}
look() {
	status=$(g status --porcelain --untracked-files=all --ignore-submodules=none) &&
		commits=$(unpushed) && stashes=$(g stash list) || return 1
	untracked=$(printf '%s' "$status" | grep -c '^??')
	all=$(printf '%s' "$status" | grep -c '')
	stashes=$(printf '%s' "$stashes" | grep -c '')
	printf 'repository\t%s\t%s\t%s\t%s\t%s\n' \
		"$(plain "$repo")" "$((all - untracked))" "$untracked" "$commits" "$stashes"
}
find . -name .git -prune -print | while IFS= read -r dot; do
	repo=${dot%/.git}
	look || printf 'broken\t%s\n' "$(plain "$repo")"
done
if ! [ -e .git ]; then
	find . -mindepth 1 \( -type d -exec test -e '{}/.git' \; -prune \) -o ! -type d -print |
		sed 's,^\./,,; s,/.*,,' | sort | uniq -c |
		while read -r files top; do printf 'loose\t%s\t%s\n' "$(plain "$top")" "$files"; done
fi
echo end
"#;

/// Reads what the script said; what is not understood is no proof.
fn read(said: &str) -> Work {
    let mut work = Work::default();
    let Some(lines) = said.strip_suffix("end\n") else { return not_known("it was cut short") };
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let Some(()) = add(&mut work, &fields) else {
            return not_known(&format!("{line:?} is not understood"));
        };
    }
    work
}

fn add(work: &mut Work, fields: &[&str]) -> Option<()> {
    let number = |text: &str| text.parse::<u64>().ok();
    match fields {
        ["repository", path, changed, untracked, unpushed, stashes] => {
            let has = Unsaved {
                changed: number(changed)?,
                untracked: number(untracked)?,
                unpushed: number(unpushed)?,
                stashes: number(stashes)?,
            };
            if has != Unsaved::default() {
                work.repositories.push(Repository { path: named(path), has: Some(has) });
            }
        }
        ["broken", path] => work.repositories.push(Repository { path: named(path), has: None }),
        ["loose", path, files] => {
            work.loose.push(Loose { path: (*path).to_owned(), files: number(files)? });
        }
        _ => return None,
    }
    Some(())
}

/// Returns a path as people know it: without the dot that stands for the workspace.
fn named(path: &str) -> String {
    match path.strip_prefix("./") {
        Some(path) => path.to_owned(),
        None => guest::WORKSPACE.rsplit('/').next().unwrap_or(path).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_is_all_pushed_is_no_work() {
        assert!(read("repository\t./a\t0\t0\t0\t0\nend\n").is_none());
    }

    #[test]
    fn everything_that_exists_only_here_is_said() {
        let said = "repository\t./a\t1\t2\t0\t0\nrepository\t.\t0\t0\t3\t2\nbroken\t./b/c\nloose\tnotes\t7\nend\n";
        let work = read(said);
        assert_eq!(
            work.lines(),
            [
                "a: 1 changed file, 2 untracked files",
                "workspace: 3 unpushed commits, 2 stashes",
                "b/c: git cannot read this repository",
                "notes: 7 files in no git repository",
            ]
        );
    }

    #[test]
    fn what_was_not_said_to_its_end_is_no_proof() {
        for said in [
            "",
            "repository\t./a\t0\t0\t0\t0\n",
            "repository\t./a\tx\t0\t0\t0\nend\n",
            "odd\nend\n",
        ] {
            assert!(read(said).unknown.is_some(), "{said:?}");
        }
    }
}
