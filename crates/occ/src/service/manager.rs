//! The machine's service manager, spoken to through its own program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;
use serde::Serialize;

use super::{Scope, Service, launchd, plist, systemd, unit};
use crate::env::Environment;

/// A service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Manager {
    /// systemd, on Linux
    Systemd,
    /// launchd, on macOS
    Launchd,
}

/// Why a service manager did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// Its program is not there.
    #[error("there is no {program} here")]
    Missing {
        /// The program.
        program: &'static str,
    },
    /// It would not run this program.
    #[error("systemd runs no program whose path has quotes or backslashes: {}", program.display())]
    Path {
        /// The program.
        program: PathBuf,
    },
    /// Its program cannot be run.
    #[error("cannot run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It refused.
    #[error("'{command}' failed with {status}{}", said(words))]
    Refused {
        /// What was asked, as it would be typed.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        words: String,
        /// Who the service belongs to.
        scope: Scope,
    },
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

impl Manager {
    /// Returns the manager of this kind of machine.
    pub(crate) fn native() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }

    /// Returns the name the manager knows a service by.
    pub(crate) fn name(self, service: &Service) -> String {
        match self {
            Self::Systemd => systemd::name(service),
            Self::Launchd => launchd::label(service),
        }
    }

    /// Returns where the manager looks for a service's file.
    pub(crate) fn path(self, service: &Service, env: &Environment) -> PathBuf {
        match self {
            Self::Systemd => systemd::path(service, env),
            Self::Launchd => launchd::path(service),
        }
    }

    /// Checks that the manager can run the service's program.
    ///
    /// # Errors
    /// [`ServiceError::Path`].
    pub(crate) fn check(self, service: &Service) -> Result<(), ServiceError> {
        let refused = |c: char| c.is_control() || "\"'\\".contains(c);
        if self == Self::Systemd && service.program.to_string_lossy().contains(refused) {
            return Err(ServiceError::Path { program: service.program.clone() });
        }
        Ok(())
    }

    /// Returns the file's text; the manager is asked for its version where that matters.
    pub(crate) fn render(self, service: &Service, env: &Environment) -> String {
        match self {
            Self::Systemd => unit::render(service, systemd::version(env)),
            Self::Launchd => plist::render(service, &launchd::label(service)),
        }
    }

    /// Lets the service begin now and with every boot or login; its file must be there. Not waited for:
    /// the first start may take minutes.
    pub(crate) fn enable(
        self,
        service: &Service,
        changed: bool,
        env: &Environment,
    ) -> Result<(), ServiceError> {
        match self {
            Self::Systemd => systemd::enable(service, env),
            Self::Launchd => launchd::enable(service, changed, env),
        }
    }

    /// Stops the service and lets it not begin again; waited for.
    pub(crate) fn disable(self, service: &Service, env: &Environment) -> Result<(), ServiceError> {
        match self {
            Self::Systemd => systemd::disable(service, env),
            Self::Launchd => launchd::disable(service, env),
        }
    }

    /// Lets the manager forget a service whose file is gone.
    pub(crate) fn forget(self, service: &Service, env: &Environment) -> Result<(), ServiceError> {
        match self {
            Self::Systemd => systemd::reload(service.scope, env),
            Self::Launchd => Ok(()),
        }
    }

    /// Returns whether a user's service ends with their last login.
    pub(crate) fn ends_with_login(self, service: &Service, env: &Environment) -> bool {
        self == Self::Systemd && service.scope == Scope::User && !systemd::lingers(service, env)
    }

    /// Returns the command that shows how the service is doing.
    pub(crate) fn look(self, service: &Service) -> String {
        match (self, service.scope) {
            (Self::Systemd, Scope::User) => {
                format!("systemctl --user status {}", self.name(service))
            }
            (Self::Systemd, Scope::System) => format!("systemctl status {}", self.name(service)),
            (Self::Launchd, _) => format!("launchctl print {}", launchd::target(service)),
        }
    }
}

/// Runs a manager's program to its end; returns what it printed.
pub(super) fn run(
    program: &'static str,
    arguments: &[&str],
    scope: Scope,
    env: &Environment,
) -> Result<String, ServiceError> {
    let path = env.program(program).ok_or(ServiceError::Missing { program })?;
    let output = capture(&path, arguments)
        .map_err(|source| ServiceError::Run { program: path.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(ServiceError::Refused {
        command: format!("{program} {}", arguments.join(" ")),
        status: output.status,
        words: words.join("; "),
        scope,
    })
}

fn capture(program: &Path, arguments: &[&str]) -> std::io::Result<std::process::Output> {
    Command::new(program).args(arguments).stdin(Stdio::null()).output()
}

#[cfg(test)]
mod tests {
    use super::super::sample::nasty;
    use super::*;

    #[test]
    fn a_path_that_systemd_refuses_is_refused_before_anything_is_written() {
        for path in ["/opt/it's/occ", "/opt/\"a\"/occ", "/opt/a\\b/occ"] {
            let service = Service { program: path.into(), ..nasty(Scope::User) };
            assert!(Manager::Systemd.check(&service).is_err(), "{path}");
            assert!(Manager::Launchd.check(&service).is_ok(), "{path}");
        }
        assert!(Manager::Systemd.check(&nasty(Scope::User)).is_ok());
    }
}
