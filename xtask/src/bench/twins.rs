//! Two images that differ in a label alone, offered in turns: every update has something to change.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::sandbox::{Sandbox, output};
use crate::{Outcome, say};

/// The image that a build gives, and one beside it.
pub(super) struct Twins<'a> {
    sandbox: &'a Sandbox,
    /// The name under which an update looks for the image.
    name: String,
    images: [String; 2],
    /// Which one runs.
    turn: Cell<usize>,
}

impl<'a> Twins<'a> {
    /// Makes the second one of the first.
    pub(super) fn make(sandbox: &'a Sandbox) -> Outcome<Self> {
        output(&mut sandbox.occ(&["config", "set", "image_source", "build"]))?;
        let text = output(&mut sandbox.occ(&["version", "--json"]))?;
        let version: serde_json::Value = serde_json::from_str(&text)?;
        let name = version["data"]["image"].as_str().ok_or("an image has a name")?.to_owned();
        let inspect = ["image", "inspect", "--format", "{{.Id}}", &name];
        let first = output(Command::new("docker").args(inspect))?.trim().to_owned();
        let second = labelled(&name)?;
        Ok(Self { sandbox, name, images: [first, second], turn: Cell::new(0) })
    }

    /// Updates to the other one.
    pub(super) fn update(&self) -> Outcome {
        self.offer_other()?;
        output(&mut self.sandbox.occ(&["update", "--yes"])).map(drop)
    }

    /// Updates to the other one; returns how long the step took that copies the data for the way back.
    pub(super) fn time_snapshot(&self) -> Outcome<Duration> {
        self.offer_other()?;
        let words = ["update", "--yes", "--verbose", "--progress", "plain"];
        let mut command = self.sandbox.occ(&words);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stderr.take().ok_or("stderr is piped")?);
        let (mut begun, mut took) = (None, None);
        for line in said.lines().map_while(Result::ok).filter(|line| line.starts_with('[')) {
            took = took.or_else(|| begun.map(|begun: Instant| begun.elapsed()));
            if line.contains("keep a copy of") {
                begun = Some(Instant::now());
            }
        }
        if !child.wait()?.success() {
            return Err("occ update failed".into());
        }
        Ok(took.ok_or("no data was copied")?)
    }

    fn offer_other(&self) -> Outcome {
        self.turn.set(1 - self.turn.get());
        self.name_it(self.turn.get())
    }

    fn name_it(&self, which: usize) -> Outcome {
        output(Command::new("docker").args(["tag", &self.images[which], &self.name])).map(drop)
    }
}

impl Drop for Twins<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.name_it(0) {
            say(&format!("warning: {} is another image now: {error}", self.name));
        }
    }
}

/// Makes an image that has one label more.
fn labelled(name: &str) -> Outcome<String> {
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = build.spawn()?;
    let mut recipe = child.stdin.take().ok_or("stdin is piped")?;
    write!(recipe, "FROM {name}\nLABEL bench=twin\n")?;
    drop(recipe);
    let built = child.wait_with_output()?;
    if !built.status.success() {
        return Err("docker build failed".into());
    }
    Ok(String::from_utf8(built.stdout)?.trim().to_owned())
}
