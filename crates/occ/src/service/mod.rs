//! The service that keeps a sandbox running: what it is, apart from the manager that runs it.

mod carry;
mod files;
mod launchd;
mod manager;
mod owner;
mod plist;
mod systemd;
mod unit;

use std::path::PathBuf;
use std::time::Duration;

use occ_sandbox::Instance;
use serde::Serialize;

pub(crate) use self::carry::carried;
pub(crate) use self::files::{Standing, remove, standing, write};
pub(crate) use self::manager::{Manager, ServiceError};
pub(crate) use self::owner::Person;

/// Who the service belongs to, and when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// The user's own manager; begins when they log in, or with the machine when they may linger.
    User,
    /// The machine's manager; begins with the machine.
    System,
}

/// What is done when the service fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retries {
    /// How often in a row; none means for ever.
    pub(crate) limit: Option<u32>,
    /// How long is waited before the first.
    pub(crate) delay: Duration,
    /// How long one attempt may take until it is known to have failed.
    pub(crate) attempt: Duration,
}

/// A service, complete: every manager's file follows from this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Service {
    /// Which sandbox.
    pub(crate) instance: Instance,
    /// Who it belongs to, and when it begins.
    pub(crate) scope: Scope,
    /// Whose sandbox it is.
    pub(crate) person: Person,
    /// This program.
    pub(crate) program: PathBuf,
    /// Variables it needs, by name.
    pub(crate) environment: Vec<(String, String)>,
    /// What is done when it fails; none when it stays down.
    pub(crate) retries: Option<Retries>,
    /// Where a manager that keeps no log of its own writes what the service says.
    pub(crate) log: PathBuf,
}

impl Service {
    /// Returns the arguments the program is run with.
    fn arguments(&self) -> Vec<&str> {
        // Nobody is there to be asked; what could lose work is not answered by `--yes`.
        let start = ["start", "--foreground", "--yes", "--progress", "plain"];
        let instance = ["--instance", self.instance.name()];
        instance.into_iter().chain(start).collect()
    }

    /// Returns the line that tells our files, and whose they are, from anybody else's.
    fn mark(&self) -> String {
        format!("Made by 'occ install' for user {}", self.person.uid)
    }

    fn description(&self) -> String {
        format!("opencode in a sandbox ({})", self.instance)
    }
}

/// Exit codes after which another attempt would end the same: usage, refused, config, lost work.
const HOPELESS: [u8; 4] = [2, 3, 4, 8];

/// How long a stop may take until the service is killed; a sandbox may take half of it.
const STOP: Duration = Duration::from_secs(90);

#[cfg(test)]
mod sample {
    use super::*;

    /// Returns a service whose every part needs escaping.
    pub(super) fn nasty(scope: Scope) -> Service {
        Service {
            instance: "blue".parse().expect("valid"),
            scope,
            person: Person { uid: 1000, home: PathBuf::from("/home/an n") },
            program: PathBuf::from("/opt/a b/100%/$HOME/é/occ"),
            environment: vec![
                ("DOCKER_HOST".into(), "unix:///run/100%/a \"b\".sock".into()),
                ("OCC_WORKSPACE".into(), "/home/an n/$x & <y>\n'z'\\".into()),
            ],
            retries: Some(Retries {
                limit: Some(3),
                delay: Duration::from_secs(5),
                attempt: Duration::from_secs(60),
            }),
            log: PathBuf::from("/home/an n/service.log"),
        }
    }
}
