//! The machine's npm, with the user's own configuration: registry, scopes, credentials, proxy.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Deserialize;

use super::REGISTRY;
use crate::error::BuildError;
use crate::program::{Program, Stream};
use crate::workshop::Workshop;

/// What every call has: nothing of a package is run, nothing is said that nobody reads, and what a user has
/// set for their own projects does not change what is asked here.
const ALWAYS: [&str; 13] = [
    "--json",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--no-progress",
    "--logs-max=0",
    "--prefer-offline",
    "--global=false",
    "--workspaces=false",
    "--engine-strict=false",
    "--legacy-peer-deps=false",
    "--install-strategy=hoisted",
];

/// npm, working in a folder.
pub(super) struct Client<'a> {
    workshop: &'a Workshop,
    folder: &'a Path,
    cancel: &'a AtomicBool,
}

/// Why npm did not do what it was asked.
#[derive(Debug)]
pub(super) struct Failure {
    /// What it says itself, if it got that far.
    said: Option<Said>,
    error: Box<BuildError>,
}

/// SPEC: npm, "--json": an error is printed as an object.
#[derive(Debug, Deserialize)]
struct Said {
    code: String,
    #[serde(default)]
    summary: String,
}

#[derive(Deserialize)]
struct Answer {
    error: Said,
}

impl<'a> Client<'a> {
    /// Prepares npm; `folder` is a work folder, where it also keeps what it fetches.
    pub(super) fn new(workshop: &'a Workshop, folder: &'a Path, cancel: &'a AtomicBool) -> Self {
        Self { workshop, folder, cancel }
    }

    /// Returns the folder it works in.
    pub(super) fn folder(&self) -> &'a Path {
        self.folder
    }

    /// Runs it and returns what it printed.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut printed = String::new();
        let ended = Program::new(&self.workshop.programs.npm, "npm", self.cancel)
            .with(|command| {
                command
                    .args(arguments)
                    .args(ALWAYS)
                    .arg("--cache")
                    .arg(self.folder.join("npm"))
                    .current_dir(self.folder)
                    .envs(self.workshop.environment.iter().cloned());
            })
            .writes_to(self.folder)
            .run(|stream, line| {
                if stream == Stream::Out {
                    printed.push_str(line);
                    printed.push('\n');
                }
            });
        match ended {
            Ok(()) => Ok(printed),
            Err(error) => {
                let answer: Option<Answer> = serde_json::from_str(&printed).ok();
                Err(Failure::new(answer.map(|answer| answer.error), error, self.folder))
            }
        }
    }
}

impl Failure {
    fn new(said: Option<Said>, error: BuildError, folder: &Path) -> Self {
        // npm's codes are names of errno where the system refuses something.
        let full = |said: &Said| matches!(said.code.as_str(), "ENOSPC" | "EDQUOT");
        match error {
            BuildError::ProgramFailed { .. } if said.as_ref().is_some_and(full) => {
                let path = folder.to_owned();
                Self { said: None, error: BuildError::StorageFull { path }.into() }
            }
            // Nothing that it says of a registry counts then.
            BuildError::StorageFull { .. } => Self { said: None, error: error.into() },
            _ => Self { said, error: error.into() },
        }
    }

    /// Returns whether it is about one package, and not about npm, the registry or the way to it.
    pub(super) fn is_of_one_package(&self) -> bool {
        self.kind() != Kind::Other
    }

    /// Returns the error, by the code that npm gives; `name` is what was asked for.
    pub(super) fn of(self, name: &str) -> BuildError {
        let (kind, name) = (self.kind(), name.to_owned());
        let reason = self.said.map(|said| said.summary).unwrap_or_default();
        match kind {
            Kind::NotAvailable => BuildError::NotAvailable { name, registry: REGISTRY },
            Kind::NoAnswer => BuildError::Answer { name, registry: REGISTRY, reason },
            Kind::Other => *self.error,
        }
    }

    /// Returns the error for a package with all it needs, where only npm's words tell which of them it is.
    pub(super) fn of_tree(self, name: &str) -> BuildError {
        match &self.said {
            Some(said) if self.kind() == Kind::NotAvailable => {
                let name = format!("{name} with all it needs ({})", said.summary);
                self.of(&name)
            }
            _ => self.of(name),
        }
    }

    fn kind(&self) -> Kind {
        match self.said.as_ref().map(|said| said.code.as_str()) {
            Some("E404" | "E410" | "ETARGET" | "ENOVERSIONS") => Kind::NotAvailable,
            // A page of a company's proxy instead of JSON, or bytes that are not those the registry names.
            Some("FETCH_ERROR" | "EJSONPARSE" | "EINTEGRITY") => Kind::NoAnswer,
            _ => Kind::Other,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    NotAvailable,
    NoAnswer,
    Other,
}
