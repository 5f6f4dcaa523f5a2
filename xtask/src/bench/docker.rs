//! What the engine's own builder is given so that it builds rendered Dockerfiles on this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

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
    use super::*;

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
