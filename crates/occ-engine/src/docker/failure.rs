//! What a failed conversation means, read from errno and HTTP status.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bollard::errors::Error as Wire;

use super::dial::find_program;
use crate::endpoint::Endpoint;
use crate::error::Error;

/// Returns the meaning of a request that failed while `doing`.
pub(super) fn explain(doing: &'static str, error: Wire) -> Error {
    match error {
        Wire::DockerResponseServerError { status_code, message } => answered(status_code, message),
        // A failure inside a stream that began with 200: a 500 in everything but its first line.
        Wire::DockerStreamError { error } => Error::Refused { status: 500, message: error },
        // Our own transport wraps what it already understood.
        Wire::IOError { err } => {
            err.downcast::<Error>().unwrap_or_else(|source| broken(doing, source))
        }
        other => broken(doing, other),
    }
}

/// Returns the meaning of an answer that is not a success.
pub(super) fn answered(status: u16, message: String) -> Error {
    match status {
        404 => Error::NotFound { message },
        409 => Error::Conflict { message },
        _ => Error::Refused { status, message },
    }
}

/// Returns the error for a conversation that broke while `doing`.
pub(super) fn broken(
    doing: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::Broken { doing, source: source.into() }
}

/// Returns why no connection could be opened.
pub(super) fn unreachable(
    endpoint: &Endpoint,
    search_path: Option<&OsStr>,
    error: io::Error,
) -> Error {
    let shown = endpoint.to_string();
    let not_running = |error: io::Error| Error::NotRunning {
        endpoint: shown.clone(),
        source: Some(error.into()),
    };
    let path = match endpoint {
        Endpoint::Unix(path) => path,
        // Somebody answered, and did not prove to be the engine.
        Endpoint::Tls { .. } if error.kind() == ErrorKind::InvalidData => {
            return broken("agreeing on a key with the engine", error);
        }
        _ => return not_running(error),
    };
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if !is_installed(search_path) => {
            Error::NotInstalled { endpoint: shown }
        }
        ErrorKind::PermissionDenied => {
            Error::NoPermission { endpoint: shown, group: group_of(path, Path::new("/etc/group")) }
        }
        _ => not_running(error),
    }
}

fn is_installed(search_path: Option<&OsStr>) -> bool {
    find_program("dockerd", search_path).is_some()
        // Docker Desktop's engine lives in a virtual machine; only its client is installed.
        || (cfg!(target_os = "macos") && find_program("docker", search_path).is_some())
}

/// Returns the name of the group that owns `path`, or its number when `groups` does not name it.
fn group_of(path: &Path, groups: &Path) -> Option<String> {
    let gid = std::fs::metadata(path).ok()?.gid().to_string();
    let groups = std::fs::read_to_string(groups).unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == gid).then(|| name.to_owned())
    });
    Some(named.unwrap_or(gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_socket(kind: ErrorKind, search_path: Option<&OsStr>) -> Error {
        let endpoint = Endpoint::Unix("/nowhere/docker.sock".into());
        unreachable(&endpoint, search_path, kind.into())
    }

    #[test]
    fn a_missing_socket_means_not_installed_only_where_no_engine_is_installed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().as_os_str();
        let error = at_socket(ErrorKind::NotFound, None);
        assert!(matches!(error, Error::NotInstalled { .. }), "{error:?}");
        std::fs::write(dir.path().join("dockerd"), "").expect("a program");
        let error = at_socket(ErrorKind::NotFound, Some(path));
        assert!(matches!(error, Error::NotRunning { .. }), "{error:?}");
    }

    #[test]
    fn a_refused_connection_means_not_running_and_keeps_its_cause() {
        let error = at_socket(ErrorKind::ConnectionRefused, None);
        assert!(matches!(error, Error::NotRunning { source: Some(_), .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            "the container engine is not running: nothing answers at unix:///nowhere/docker.sock"
        );
    }

    #[test]
    fn a_missing_remote_engine_is_never_taken_for_a_missing_installation() {
        let endpoint = Endpoint::Tcp { host: "far.lan".to_owned(), port: 1 };
        let error = unreachable(&endpoint, None, ErrorKind::NotFound.into());
        assert!(matches!(error, Error::NotRunning { .. }), "{error:?}");
    }

    #[test]
    fn a_forbidden_socket_names_the_group_that_may_use_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (socket, groups) = (dir.path().join("socket"), dir.path().join("group"));
        std::fs::write(&socket, "").expect("a file");
        let gid = std::fs::metadata(&socket).expect("its owner").gid();
        assert_eq!(group_of(&socket, &groups), Some(gid.to_string()));
        std::fs::write(&groups, format!("root:x:99999:\nengine:x:{gid}:me\n")).expect("groups");
        assert_eq!(group_of(&socket, &groups), Some("engine".to_owned()));
        assert_eq!(group_of(&dir.path().join("absent"), &groups), None);
    }

    #[test]
    fn an_answer_is_told_apart_by_its_status() {
        assert!(matches!(answered(404, String::new()), Error::NotFound { .. }));
        assert!(matches!(answered(409, String::new()), Error::Conflict { .. }));
        assert!(matches!(answered(500, String::new()), Error::Refused { status: 500, .. }));
    }
}
