//! systemd: systemctl(1), loginctl(1).

use std::path::{Path, PathBuf};

use super::manager::{ServiceError, run};
use super::{Scope, Service};
use crate::env::Environment;

/// Returns the unit's name.
pub(super) fn name(service: &Service) -> String {
    format!("{}.service", service.instance.container())
}

/// Returns the unit's file.
pub(super) fn path(service: &Service, env: &Environment) -> PathBuf {
    let folder = match service.scope {
        Scope::User => env.config_home().join("systemd/user"),
        Scope::System => Path::new("/etc/systemd/system").to_owned(),
    };
    folder.join(name(service))
}

/// Returns the version, 0 where it cannot be told: then only what every systemd knows is used.
pub(super) fn version(env: &Environment) -> u32 {
    let said = run("systemctl", &["--version"], Scope::User, env).unwrap_or_default();
    // "systemd 252 (252.39-1~deb12u2)"
    said.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn systemctl(scope: Scope, words: &[&str], env: &Environment) -> Result<String, ServiceError> {
    let mut arguments = if scope == Scope::User { vec!["--user"] } else { vec![] };
    arguments.extend(words);
    run("systemctl", &arguments, scope, env)
}

/// Makes systemd read its units anew.
pub(super) fn reload(scope: Scope, env: &Environment) -> Result<(), ServiceError> {
    systemctl(scope, &["daemon-reload"], env).map(drop)
}

/// Starts the unit, now and later. A unit that gave up gets its attempts back.
pub(super) fn enable(service: &Service, env: &Environment) -> Result<(), ServiceError> {
    let (name, scope) = (name(service), service.scope);
    reload(scope, env)?;
    systemctl(scope, &["enable", &name], env)?;
    // That it never failed is no failure.
    drop(systemctl(scope, &["reset-failed", &name], env));
    systemctl(scope, &["start", "--no-block", &name], env).map(drop)
}

/// Stops the unit, now and later.
pub(super) fn disable(service: &Service, env: &Environment) -> Result<(), ServiceError> {
    systemctl(service.scope, &["disable", "--now", &name(service)], env).map(drop)
}

/// Returns whether the user's manager stays without a login; loginctl(1), `enable-linger`.
pub(super) fn lingers(service: &Service, env: &Environment) -> bool {
    let uid = service.person.uid.to_string();
    let words = ["show-user", &uid, "--property=Linger", "--value"];
    run("loginctl", &words, Scope::User, env).is_ok_and(|said| said.trim() == "yes")
}
