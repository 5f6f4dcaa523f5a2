//! A sandbox that exists for one measurement and leaves nothing.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::server::Server;
use crate::{Outcome, say};

/// Where opencode's data lies inside.
const DATA: &str = "~/.local/share/opencode";

/// A running sandbox with files, a port and a name of its own.
pub(super) struct Sandbox {
    occ: PathBuf,
    home: Rc<TempDir>,
    instance: String,
    port: u16,
    server: Option<Server>,
}

impl Sandbox {
    /// Starts it; gets the image first when there is none.
    pub(super) fn start(occ: &Path) -> Outcome<Self> {
        let instance = format!("bench-{}", std::process::id());
        Self::start_in(Rc::new(TempDir::new()?), fs::canonicalize(occ)?, instance)
    }

    /// Starts more of the same user, with numbers.
    pub(super) fn start_more(&self, count: usize) -> Outcome<Vec<Self>> {
        let names = (1..=count).map(|number| format!("{}-{number}", self.instance));
        names.map(|name| Self::start_in(Rc::clone(&self.home), self.occ.clone(), name)).collect()
    }

    fn start_in(home: Rc<TempDir>, occ: PathBuf, instance: String) -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut sandbox = Self { occ, home, instance, port, server: None };
        output(&mut sandbox.occ(&["start", "--yes"]))?;
        let password = output(&mut sandbox.occ(&["password"]))?;
        sandbox.server = Some(Server::new(port, "opencode", password.trim()));
        Ok(sandbox)
    }

    /// Returns a command line of `occ` that means this sandbox.
    pub(super) fn occ(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.occ);
        command
            .env("XDG_CONFIG_HOME", self.home.path().join("config"))
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            .env("OCC_INSTANCE", &self.instance)
            .env("OCC_PORT", self.port.to_string())
            .args(arguments);
        command
    }

    /// Lets the user believe whom a policy names.
    pub(super) fn believe(&self, policy: &Value) -> Outcome {
        let folder = self.home.path().join("config/opencode-cloud");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join("trust-policy.json"), policy.to_string())?)
    }

    /// Returns a folder for what is needed meanwhile.
    pub(super) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Returns opencode inside.
    pub(super) fn server(&self) -> &Server {
        self.server.as_ref().expect("it was started")
    }

    /// Returns what `occ status` says.
    pub(super) fn status(&self) -> Outcome<Value> {
        let text = output(&mut self.occ(&["status", "--json"]))?;
        Ok(serde_json::from_str::<Value>(&text)?["data"].take())
    }

    /// Stops it.
    pub(super) fn stop(&self) -> Outcome {
        output(&mut self.occ(&["stop"])).map(drop)
    }

    /// Returns how long a command line takes from the first to the last moment of its process.
    pub(super) fn time_occ(&self, arguments: &[&str]) -> Outcome<Duration> {
        let mut command = self.occ(arguments);
        let begun = Instant::now();
        output(&mut command)?;
        Ok(begun.elapsed())
    }

    /// Returns how long opencode takes by itself: the same container started with the engine's own
    /// client, until the server can be used.
    pub(super) fn time_own_start(&self) -> Outcome<Duration> {
        let begun = Instant::now();
        output(Command::new("docker").args(["start", &self.container()]))?;
        self.server().wait(begun + Duration::from_secs(60))?;
        Ok(begun.elapsed())
    }

    /// Fills the volume of opencode's data.
    pub(super) fn fill(&self, megabytes: usize) -> Outcome {
        let script = format!(
            "mkdir {DATA}/bench && for n in $(seq {}); do head -c 10000000 /dev/urandom >{DATA}/bench/$n; done",
            megabytes / 10
        );
        self.inside(&script)
    }

    /// Returns how long `cp -a` takes for that volume.
    pub(super) fn time_copy(&self) -> Outcome<Duration> {
        self.inside("rm -rf ~/.cache/bench")?;
        let begun = Instant::now();
        self.inside(&format!("cp -a {DATA} ~/.cache/bench"))?;
        Ok(begun.elapsed())
    }

    fn inside(&self, script: &str) -> Outcome {
        let words = ["exec", &self.container(), "sh", "-ec", script];
        output(Command::new("docker").args(words)).map(drop)
    }

    fn container(&self) -> String {
        format!("opencode-cloud-sandbox-{}", self.instance)
    }

    fn remove(&self) -> Outcome {
        let label = format!("label=org.opencode-cloud.instance={}", self.instance);
        let containers =
            output(Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &label]))?;
        for container in containers.lines() {
            output(Command::new("docker").args(["rm", "--force", "--volumes", container]))?;
        }
        let volumes =
            output(Command::new("docker").args(["volume", "ls", "--quiet", "--filter", &label]))?;
        for volume in volumes.lines() {
            output(Command::new("docker").args(["volume", "rm", volume]))?;
        }
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            say(&format!("warning: the sandbox {} is left over: {error}", self.instance));
        }
    }
}

/// Returns what a command prints, or what it complains about.
pub(super) fn output(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().display().to_string();
    let done = command.output().map_err(|error| format!("{name}: {error}"))?;
    if done.status.success() {
        Ok(String::from_utf8(done.stdout)?)
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&done.stderr).trim()).into())
    }
}
