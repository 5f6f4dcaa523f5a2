//! The rendered Dockerfiles, built by the engine's own builder for this machine's architecture.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::builder::Builder;
use super::text;
use crate::Outcome;
use crate::bench::sandbox::output;

const VARIANTS: [&str; 4] = ["base", "omos", "with-pi", "omos-with-pi"];

/// Contexts in a folder, and images that are gone with this value.
pub(super) struct Dockerfiles {
    folder: TempDir,
    arguments: Vec<String>,
    turn: Cell<u32>,
}

impl Dockerfiles {
    /// Builds everything once.
    pub(super) fn prepare(builder: &Builder) -> Outcome<Self> {
        let arguments = registries()?;
        let this = Self { folder: TempDir::new()?, arguments, turn: Cell::new(0) };
        for variant in VARIANTS {
            let context = this.context(variant);
            builder.dockerfiles(variant, &context)?;
            // A company's certificates go there; here it is what this machine trusts.
            fs::copy("/etc/ssl/certs/ca-certificates.crt", context.join("ca/company.crt"))?;
        }
        this.import_debian()?;
        this.build("base", "Dockerfile.base", "debian", "on")?;
        this.build_variants()?;
        Ok(this)
    }

    /// Returns how long the variants take when the step that fetches opencode is another one.
    pub(super) fn time_new_version(&self) -> Outcome<Duration> {
        self.turn.set(self.turn.get() + 1);
        for variant in VARIANTS {
            let path = self.context(variant).join("Dockerfile.variant");
            let text = fs::read_to_string(&path)?;
            fs::write(&path, another_opencode(&text, self.turn.get())?)?;
        }
        let begun = Instant::now();
        self.build_variants()?;
        Ok(begun.elapsed())
    }

    fn build_variants(&self) -> Outcome {
        VARIANTS.iter().try_for_each(|it| self.build(it, "Dockerfile.variant", "on", it))
    }

    fn build(&self, context: &str, file: &str, base: &str, made: &str) -> Outcome {
        let context = self.context(context);
        let mut command = Command::new(client()?);
        command
            .env("DOCKER_BUILDKIT", "1")
            .args(["build", "--network=host", "--tag", &name(made), "--file"])
            .arg(context.join(file))
            .arg(format!("--build-arg=BASE={}", name(base)))
            .args(self.arguments.iter().map(|it| format!("--build-arg={it}")))
            .arg(context);
        output(&mut command).map(drop)
    }

    fn context(&self, variant: &str) -> PathBuf {
        self.folder.path().join(variant)
    }

    /// Makes what the base is built on: no registry is asked.
    fn import_debian(&self) -> Outcome {
        let archive = self.folder.path().join("debian.tar");
        let [mirror, _] = mirrors()?;
        let options = ["--quiet", "--variant=minbase", "trixie", text(&archive)?, &mirror];
        output(Command::new("mmdebstrap").args(options))?;
        output(Command::new("docker").arg("import").arg(&archive).arg(name("debian")))?;
        fs::remove_file(archive)?;
        Ok(())
    }
}

impl Drop for Dockerfiles {
    fn drop(&mut self) {
        let names = VARIANTS.iter().chain(&["on", "debian"]).map(|it| name(it));
        let mut command = Command::new("docker");
        command.args(["image", "rm", "--force"]).args(names).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().ok();
    }
}

/// Returns a program that can speak to `BuildKit` without more: one of today with its plugin, or the engine's
/// own.
fn client() -> Outcome<&'static str> {
    let asked = Command::new("docker").args(["buildx", "version"]).output();
    let has_plugin = asked.map_err(|error| format!("docker: {error}"))?.status.success();
    Ok(if has_plugin { "docker" } else { "/usr/bin/docker" })
}

fn name(made: &str) -> String {
    format!("occ-bench-{made}:{}", std::process::id())
}

/// Makes the step that fetches opencode one that the builder has not seen.
fn another_opencode(dockerfile: &str, turn: u32) -> Outcome<String> {
    let (before, after) =
        dockerfile.split_once("\n# opencode ").ok_or("no step fetches opencode")?;
    let (title, step) = after.split_once("\nRUN ").ok_or("no step fetches opencode")?;
    // What an earlier turn put there goes.
    let step = step.split_once(" && : same && ").map_or(step, |(_, step)| step);
    Ok(format!("{before}\n# opencode {title}\nRUN : turn {turn} && : same && {step}"))
}

/// What clients on this machine are told about registries, for the build to be told too.
fn registries() -> Outcome<Vec<String>> {
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
