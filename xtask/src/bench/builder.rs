//! `occ` building images with a cache of its own, watched.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sandbox::output;
use super::text;
use crate::Outcome;

/// A release build and its cache.
pub(super) struct Builder {
    occ: PathBuf,
    recipe: PathBuf,
    cache: PathBuf,
    peak: Cell<u64>,
}

/// A layer of the images, by the name that plans have for it.
pub(super) struct Layer {
    pub(super) name: String,
    key: String,
}

impl Builder {
    /// Takes a program, the recipe of this working copy, and a folder, which is made.
    pub(super) fn new(occ: &Path, recipe: &Path, cache: &Path) -> Outcome<Self> {
        let occ = fs::canonicalize(occ).map_err(|error| {
            let hint = "hint: cargo build --release -p occ";
            format!("no program to measure: {}: {error}\n{hint}", occ.display())
        })?;
        fs::create_dir_all(cache)?;
        let recipe = recipe.to_owned();
        Ok(Self { occ, recipe, cache: fs::canonicalize(cache)?, peak: Cell::new(0) })
    }

    /// Returns another whose cache begins with what this one's has.
    pub(super) fn beside(&self, cache: &Path) -> Outcome<Self> {
        if cache.exists() {
            fs::remove_dir_all(cache)?;
        }
        // Links: files in a cache are never written again.
        output(Command::new("cp").arg("-al").arg(&self.cache).arg(cache))?;
        Self::new(&self.occ, &self.recipe, cache)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.occ);
        // Nobody's settings, and no lock but the one beside the recipe.
        command
            .env("XDG_CACHE_HOME", &self.cache)
            .env("XDG_CONFIG_HOME", self.cache.join("config"))
            .env("XDG_DATA_HOME", self.cache.join("data"))
            .args(arguments);
        if arguments.first() == Some(&"image") {
            command.arg("--recipe").arg(&self.recipe);
        }
        command
    }

    /// Returns what a command line answers.
    pub(super) fn ask(&self, arguments: &[&str]) -> Outcome<Value> {
        let answer = output(self.command(arguments).arg("--json"))?;
        Ok(serde_json::from_str::<Value>(&answer)?["data"].take())
    }

    /// Returns `occ`'s own version.
    pub(super) fn version(&self) -> Outcome<Value> {
        let text = output(&mut self.command(&["--version"]))?;
        Ok(text.split_whitespace().last().unwrap_or_default().into())
    }

    /// Returns opencode's version.
    pub(super) fn opencode(&self) -> Outcome<Value> {
        Ok(self.ask(&["image", "plan"])?["images"][0]["opencode"].take())
    }

    /// Returns the layers of all images.
    pub(super) fn layers(&self) -> Outcome<Vec<Layer>> {
        let plan = self.ask(&["image", "plan", "--variant", "all", "--platform", "all"])?;
        let layers = plan["layers"].as_array().ok_or("a plan without layers")?;
        let layer = |layer: &Value| {
            let key = layer["key"].as_str()?.split(':').next_back()?;
            Some(Layer { name: layer["layer"].as_str()?.to_owned(), key: key.to_owned() })
        };
        Ok(layers.iter().filter_map(layer).collect())
    }

    /// Returns where a layer is kept in a form.
    pub(super) fn kept(&self, layer: &Layer, form: &str) -> PathBuf {
        self.workshop().join("layers").join(format!("{}.{form}", layer.key))
    }

    /// Returns the folder of the cache.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Returns the folder of the workshop in the cache.
    pub(super) fn workshop(&self) -> PathBuf {
        self.cache.join("opencode-cloud/workshop-v3")
    }

    /// Removes layers from the cache, as if they had never been made.
    pub(super) fn forget(&self, which: impl Fn(&Layer) -> bool) -> Outcome {
        for layer in self.layers()?.iter().filter(|layer| which(layer)) {
            for form in ["json", "tar", "tar.gz", "tar.zst"] {
                let path = self.kept(layer, form);
                if path.exists() {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }

    /// Returns how long a command line takes that must succeed, and remembers the most memory it had.
    pub(super) fn time(&self, arguments: &[&str]) -> Outcome<Duration> {
        let mut command = self.command(arguments);
        command.arg("--quiet").stdout(Stdio::null()).stderr(Stdio::piped());
        let begun = Instant::now();
        let child = command.spawn()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let ended = AtomicBool::new(false);
        let (done, took, peak) = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&status, &ended));
            let done = child.wait_with_output();
            let took = begun.elapsed();
            ended.store(true, Ordering::Relaxed);
            (done, took, watcher.join().expect("it only reads"))
        });
        let done = done?;
        if !done.status.success() {
            let words = String::from_utf8_lossy(&done.stderr);
            return Err(format!("occ {}: {}", arguments.join(" "), words.trim()).into());
        }
        self.saw(peak);
        Ok(took)
    }

    /// Remembers an amount of memory, in bytes, if it is the largest so far.
    pub(super) fn saw(&self, peak: u64) {
        self.peak.set(self.peak.get().max(peak));
    }

    /// Returns the most memory, in bytes, that `occ` itself had in anything it was timed at.
    pub(super) fn peak(&self) -> u64 {
        self.peak.get()
    }

    /// Writes the Dockerfiles of a variant into a folder.
    pub(super) fn dockerfiles(&self, variant: &str, folder: &Path) -> Outcome {
        let folder = text(folder)?;
        self.ask(&["image", "dockerfile", "--variant", variant, "--output", folder]).map(drop)
    }
}

/// Returns the last `VmHWM` that a process shows, in bytes (`proc_pid_status(5)`); it only grows.
fn watch(status: &Path, ended: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !ended.load(Ordering::Relaxed) {
        if let Some(seen) = fs::read_to_string(status).ok().as_deref().and_then(high_water) {
            peak = seen;
        }
        thread::sleep(Duration::from_millis(2));
    }
    peak
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_memory_is_read_from_what_the_kernel_says() {
        assert_eq!(
            high_water("Name:\tocc\nVmHWM:\t   84668 kB\nVmRSS:\t 1 kB\n"),
            Some(86_700_032)
        );
        assert_eq!(high_water("Name:\tocc\nState:\tZ (zombie)\n"), None);
    }
}
