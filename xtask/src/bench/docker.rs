//! What the engine's own builder is given so that it builds rendered Dockerfiles on this machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::sandbox::output;
use super::text;
use crate::Outcome;

/// The variants that there are, the smallest first.
pub(super) const VARIANTS: [&str; 4] = ["base", "omos", "with-pi", "omos-with-pi"];

/// Returns a program that can speak to `BuildKit` without more: one of today with its plugin, or the engine's
/// own.
pub(super) fn client() -> Outcome<&'static str> {
    let asked = Command::new("docker").args(["buildx", "version"]).output();
    let has_plugin = asked.map_err(|error| format!("docker: {error}"))?.status.success();
    Ok(if has_plugin { "docker" } else { "/usr/bin/docker" })
}

/// Lets a build trust whom this machine trusts: a company's certificates go there.
pub(super) fn trust_as_here(context: &Path) -> Outcome {
    fs::copy("/etc/ssl/certs/ca-certificates.crt", context.join("ca/company.crt"))?;
    Ok(())
}

/// Makes what bases are built on: no registry is asked.
pub(super) fn import_debian(folder: &Path, name: &str) -> Outcome {
    let archive = folder.join("debian.tar");
    let [mirror, _] = mirrors()?;
    let options = ["--quiet", "--variant=minbase", "trixie", text(&archive)?, &mirror];
    output(Command::new("mmdebstrap").args(options))?;
    output(Command::new("docker").arg("import").arg(&archive).arg(name))?;
    fs::remove_file(archive)?;
    Ok(())
}

/// Removes images by their names, those that are there.
pub(super) fn remove(names: &[String]) {
    let mut command = Command::new("docker");
    command.args(["image", "rm", "--force"]).args(names).stdout(Stdio::null());
    command.stderr(Stdio::null()).status().ok();
}

/// Removes all images of a repository, those too that have no tag any more.
pub(super) fn remove_all(repository: &str) -> Outcome {
    let ids = output(Command::new("docker").args(["image", "ls", "--quiet", repository]))?;
    remove(&ids.lines().map(str::to_owned).collect::<Vec<_>>());
    Ok(())
}

/// Puts a word into the first step, by which [`forget`] finds what was built on it.
pub(super) fn marked(dockerfile: &str, word: &str) -> Outcome<String> {
    let (before, after) = dockerfile.split_once("\nRUN ").ok_or("no step in a Dockerfile")?;
    Ok(format!("{before}\nRUN : {word} && {after}"))
}

/// Removes from the builder's cache the step with this word, what that stands on, and all that stands on that: what
/// they begin with has to be nobody else's.
pub(super) fn forget(word: &str) -> Outcome {
    let known = Command::new(client()?)
        .args(["system", "df", "--verbose", "--format", "{{json .BuildCache}}"])
        .output()?;
    let known: Vec<Value> = serde_json::from_slice(&known.stdout)?;
    let known: Vec<Record> = known.iter().map(Record::read).collect();
    let mine = related(&known, word);
    if mine.is_empty() {
        return Ok(());
    }
    // One by one takes a quarter of an hour. The engine holds them against a pattern.
    let filter = format!("id=\"^(?:{})$\"", mine.join("|"));
    let prune = ["builder", "prune", "--all", "--force", "--filter", &filter];
    output(Command::new(client()?).args(prune)).map(drop)
}

/// What the builder remembers of a step.
struct Record {
    id: String,
    parent: String,
    description: String,
}

impl Record {
    fn read(value: &Value) -> Self {
        let of = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Self { id: of("ID"), parent: of("Parent"), description: of("Description") }
    }
}

/// Returns which records belong to a word.
fn related<'a>(known: &'a [Record], word: &str) -> Vec<&'a str> {
    let below = |record: &&Record| known.iter().find(|other| other.id == record.parent);
    let ground = |record: &'a Record| {
        std::iter::successors(Some(record), below).last().map(|lowest| lowest.id.as_str())
    };
    let marked = known.iter().filter(|record| record.description.contains(word));
    let grounds: BTreeSet<_> = marked.filter_map(ground).collect();
    let mine = known.iter().filter(|it| ground(it).is_some_and(|id| grounds.contains(id)));
    mine.map(|record| record.id.as_str()).collect()
}

/// Makes the step that fetches opencode one that the builder has not seen.
pub(super) fn another_opencode(dockerfile: &str, turn: u32) -> Outcome<String> {
    let (before, after) =
        dockerfile.split_once("\n# opencode ").ok_or("no step fetches opencode")?;
    let (title, step) = after.split_once("\nRUN ").ok_or("no step fetches opencode")?;
    // What an earlier turn put there goes.
    let step = step.split_once(" && : same && ").map_or(step, |(_, step)| step);
    Ok(format!("{before}\n# opencode {title}\nRUN : turn {turn} && : same && {step}"))
}

/// What clients on this machine are told about registries, for the build to be told too.
pub(super) fn arguments() -> Outcome<Vec<String>> {
    let npm = output(Command::new("npm").args(["config", "get", "registry"]))?;
    let pip = Command::new("python3")
        .args(["-m", "pip", "config", "get", "global.index-url"])
        .output()
        .map_err(|error| format!("python3: {error}"))?;
    let pip = String::from_utf8(pip.stdout)?;
    let [mirror, security] = mirrors()?;
    let told = [
        ("NPM_CONFIG_REGISTRY", npm.trim()),
        ("PIP_INDEX_URL", pip.trim()),
        ("DEBIAN_MIRROR", mirror.trim_end_matches('/')),
        ("DEBIAN_SECURITY_MIRROR", security.trim_end_matches('/')),
    ];
    let told = told.iter().filter(|(_, value)| !value.is_empty());
    Ok(told.map(|(name, value)| format!("{name}={value}")).collect())
}

/// Returns where this machine has Debian's archive and its security updates from; the second is empty
/// where they come from the first.
fn mirrors() -> Outcome<[String; 2]> {
    let format = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let known = output(Command::new("apt-get").args(format))?;
    let first = known.lines().find(|address| !address.contains("security"));
    let first = first.ok_or("apt knows no archive of packages")?.to_owned();
    let security = known.lines().find(|address| address.contains("security"));
    Ok([first, security.unwrap_or_default().to_owned()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_belongs_to_a_word_is_what_stands_on_the_same_ground() {
        let record = |id: &str, parent: &str, description: &str| {
            Record::read(&json!({ "ID": id, "Parent": parent, "Description": description }))
        };
        let known = [
            record("debian", "", "from local "),
            record("sources", "debian", "mount / from exec /bin/sh -c : word-1 && sh"),
            record("packages", "sources", "mount / from exec /bin/sh -c apt-get"),
            record("image", "debian", "from local "),
            record("other", "", "from local "),
            record("others", "other", "mount / from exec /bin/sh -c : word-2 && sh"),
        ];
        assert_eq!(related(&known, "word-1"), ["debian", "sources", "packages", "image"]);
        assert_eq!(related(&known, "word-3"), Vec::<&str>::new());
        let text = marked("FROM a\nCOPY b c\nRUN d\nRUN e\n", "word-1").expect("a step");
        assert_eq!(text, "FROM a\nCOPY b c\nRUN : word-1 && d\nRUN e\n");
        assert!(marked("FROM a\n", "word-1").is_err());
    }

    #[test]
    fn only_the_step_of_opencode_is_another_one_each_turn() {
        let file =
            "FROM a\n\n# uv 1\nRUN set -e; x\n\n# opencode 1.2\nRUN set -e; y\n\n# pi 1\nRUN z\n";
        let first = another_opencode(file, 1).expect("a step");
        assert_eq!(first, file.replace("RUN set -e; y", "RUN : turn 1 && : same && set -e; y"));
        let second = another_opencode(&first, 2).expect("a step");
        assert_eq!(second, first.replace("turn 1", "turn 2"));
        assert!(another_opencode("FROM a\n", 1).is_err());
    }
}
