//! Releases by `occ`, to two registries, with a home and a key of their own.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::place::{Bytes, Place};
use super::recipes::Recipe;
use super::rivals::Taken;
use crate::Outcome;
use crate::bench::sandbox::output;

/// A program that releases, and where to.
pub(super) struct Press<'a> {
    occ: &'a Path,
    home: PathBuf,
    cache: &'a Path,
    places: [Place; 2],
    form: &'static str,
}

/// How long the steps of a release took, in seconds, in their order; of one for each registry the longest.
pub(super) type Steps = Vec<(&'static str, f64)>;

/// Steps that do something where nothing is run or scanned.
const STEPS: [&str; 10] = [
    "assemble",
    "stage",
    "compare",
    "sign",
    "attach",
    "read back",
    "policy",
    "receipt",
    "tags",
    "promote",
];

impl<'a> Press<'a> {
    /// Makes home, key and empty registries in a folder, for layers of one form.
    pub(super) fn prepare(
        occ: &'a Path,
        cache: &'a Path,
        folder: &Path,
        form: &'static str,
    ) -> Outcome<Self> {
        let place = |name: &str| Place::start(folder.join(name));
        let places = [place("first")?, place("second")?];
        let press = Self { occ, home: folder.join("home"), cache, places, form };
        let settings = press.home.join("config/opencode-cloud");
        fs::create_dir_all(&settings)?;
        let key = press.key();
        output(press.command().args(["trust", "key"]).arg(&key))?;
        let public = fs::read_to_string(key.with_extension("pem.pub"))?;
        fs::write(settings.join("trust-policy.json"), json!({ "keys": [public] }).to_string())?;
        Ok(press)
    }

    /// Releases without running an image; returns how long it took with what it moved, and how long its steps did.
    pub(super) fn release(&self, recipe: &Recipe, version: &str) -> Outcome<(Taken, Steps)> {
        self.release_with(recipe, version, &["--no-smoke"])
    }

    /// Releases, and tries every image that runs on this machine.
    pub(super) fn release_tested(&self, recipe: &Recipe, version: &str) -> Outcome<Taken> {
        Ok(self.release_with(recipe, version, &[])?.0)
    }

    fn release_with(
        &self,
        recipe: &Recipe,
        version: &str,
        more: &[&str],
    ) -> Outcome<(Taken, Steps)> {
        let mut command = self.command();
        command.args(["release", "run", version, "--recipe"]).arg(&recipe.file).arg("--key");
        command.arg(self.key()).args(["--revision", &revision(version), "--no-scan"]).args(more);
        command.args(["--compression", self.form]);
        for place in &self.places {
            command.args(["--to", &place.repository("sandbox")]);
        }
        let before = self.bytes()?;
        let begun = Instant::now();
        let done = command.output()?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(&done.stderr);
        if !done.status.success() {
            return Err(format!("occ release run {version}: {}", said.trim()).into());
        }
        Ok(((took, self.bytes()?.since(before)), steps(&said)))
    }

    /// Keeps what the registries have, to go back to.
    pub(super) fn keep(&self, name: &str) -> Outcome {
        self.places.iter().try_for_each(|place| place.keep(name))
    }

    /// Goes back to what was kept; that anything was released since is forgotten.
    pub(super) fn go_back(&mut self, name: &str) -> Outcome {
        let data = self.home.join("data");
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        self.places.iter_mut().try_for_each(|place| place.go_back(name))
    }

    fn bytes(&self) -> Outcome<Bytes> {
        self.places.iter().map(Place::bytes).sum()
    }

    fn key(&self) -> PathBuf {
        self.home.join("key.pem")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.occ);
        command
            .env("XDG_CACHE_HOME", self.cache)
            .env("XDG_CONFIG_HOME", self.home.join("config"))
            .env("XDG_DATA_HOME", self.home.join("data"));
        command
    }
}

/// Returns a commit for a version, because a policy wants one and a tag is made of it; each has its own.
fn revision(version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    format!("{:016x}{:024}", hasher.finish(), 0)
}

/// Reads how long steps took from lines such as `assemble: done in 1.5 s`.
fn steps(said: &str) -> Steps {
    let of = |name: &'static str| {
        let seconds = said.lines().filter_map(|line| {
            let (step, took) = line.split_once(": done in ")?;
            let rest = step.strip_prefix(name)?;
            let is_whole = rest.is_empty() || rest.starts_with(' ');
            if is_whole { took.split(' ').next()?.parse().ok() } else { None }
        });
        Some((name, seconds.reduce(f64::max)?))
    };
    STEPS.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_step_for_each_registry_the_longest_counts() {
        let said = "v1.2.3 is released\nassemble: done in 4.5 s\nstage localhost:1/a: done in 1.0 s (2 B sent)\n\
            stage localhost:2/a: done in 1.5 s (2 B sent)\nsmoke base linux/amd64: done in 0.0 s (NOT RUN: no)\n\
            sign: done in 0.2 s\n";
        assert_eq!(steps(said), [("assemble", 4.5), ("stage", 1.5), ("sign", 0.2)]);
        assert_eq!(steps("stages: done in 1.0 s\n"), []);
    }
}
