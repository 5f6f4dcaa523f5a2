//! launchd: launchctl(1).

use std::path::{Path, PathBuf};

use super::manager::{ServiceError, run};
use super::{Scope, Service};
use crate::env::Environment;

/// Returns the label.
pub(super) fn label(service: &Service) -> String {
    let base = "org.opencode-cloud.sandbox";
    if service.instance.is_first() {
        base.to_owned()
    } else {
        format!("{base}.{}", service.instance)
    }
}

/// Returns the property list's file.
pub(super) fn path(service: &Service) -> PathBuf {
    let folder = match service.scope {
        Scope::User => service.person.home.join("Library/LaunchAgents"),
        Scope::System => Path::new("/Library/LaunchDaemons").to_owned(),
    };
    folder.join(format!("{}.plist", label(service)))
}

fn domain(service: &Service) -> String {
    match service.scope {
        Scope::User => format!("gui/{}", service.person.uid),
        Scope::System => "system".to_owned(),
    }
}

/// Returns the service's own name, domain included.
pub(super) fn target(service: &Service) -> String {
    format!("{}/{}", domain(service), label(service))
}

fn is_loaded(service: &Service, env: &Environment) -> bool {
    run("launchctl", &["print", &target(service)], service.scope, env).is_ok()
}

/// Loads the service, which starts it; one that is loaded from an older file is unloaded first.
pub(super) fn enable(
    service: &Service,
    changed: bool,
    env: &Environment,
) -> Result<(), ServiceError> {
    let loaded = is_loaded(service, env);
    if loaded && !changed {
        return Ok(());
    }
    if loaded {
        run("launchctl", &["bootout", &target(service)], service.scope, env)?;
    }
    let file = path(service);
    let file = file.to_string_lossy();
    run("launchctl", &["bootstrap", &domain(service), &file], service.scope, env).map(drop)
}

/// Unloads the service, which stops it.
pub(super) fn disable(service: &Service, env: &Environment) -> Result<(), ServiceError> {
    if !is_loaded(service, env) {
        return Ok(());
    }
    run("launchctl", &["bootout", &target(service)], service.scope, env).map(drop)
}
