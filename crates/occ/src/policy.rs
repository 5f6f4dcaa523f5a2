//! Which usage policy judges: the one that is named, the user's own, or the built-in one.

use std::fs;
use std::io;
use std::path::Path;

use occ_policy::{Facts, Policy, builtin_policy, builtin_text};

use crate::env::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// A policy, and where it is from.
#[derive(Debug)]
pub(crate) struct Judge {
    /// The policy.
    pub(crate) policy: Policy,
    /// Its text.
    pub(crate) text: String,
    /// The file, or `built in`.
    pub(crate) from: String,
}

impl Judge {
    /// Returns the policy in a file, else the user's own, else the built-in one.
    pub(crate) fn choose(named: Option<&Path>, env: &Environment) -> Result<Self, Failure> {
        if let Some(path) = named {
            return Self::read(path);
        }
        let own = env.policy_file();
        if own.exists() { Self::read(&own) } else { Ok(Self::built_in()) }
    }

    /// Reads the policy in a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = read("policy", path)?;
        let from = path.display().to_string();
        Ok(Self { policy: Policy::parse(&from, &text)?, text, from })
    }

    fn built_in() -> Self {
        let text = builtin_text().to_owned();
        Self { policy: builtin_policy(), text, from: "built in".to_owned() }
    }
}

/// Reads a file of facts.
pub(crate) fn read_facts(path: &Path) -> Result<Facts, Failure> {
    Ok(Facts::parse(&path.display().to_string(), &read("file of facts", path)?)?)
}

/// Reads a file that people write; `what` is its name in messages.
pub(crate) fn read(what: &str, path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is none".to_owned(),
            io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(Exit::Config, format!("cannot read the {what} {}: {why}", path.display()))
    })
}

impl From<occ_policy::DocumentError> for Failure {
    fn from(error: occ_policy::DocumentError) -> Self {
        Self::of(Exit::Config, &error).hint("see what may stand in it: occ policy schema")
    }
}

impl From<occ_policy::UnknownEnvironment> for Failure {
    fn from(error: occ_policy::UnknownEnvironment) -> Self {
        Self::of(Exit::Usage, &error)
    }
}
