//! The environment of a tested program: this process's own, without what would lead it astray.

#![expect(clippy::disallowed_methods, reason = "the test kit's one place that reads it")]

use std::ffi::{OsStr, OsString};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// What a test decides itself; everything else (search path, proxies, certificates) is passed on.
const OURS: [&str; 6] = ["XDG_", "DOCKER_", "OCC_", "NO_COLOR", "CLICOLOR", "DEBUG"];

/// Returns what is passed on to a tested program.
pub(crate) fn passed_on() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !is_ours(name)).collect()
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    OURS.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the user's npm configuration, which names the company's mirror where there is one.
pub(crate) fn npm_config() -> Option<PathBuf> {
    let named = std::env::var_os("npm_config_userconfig").map(PathBuf::from);
    let at_home = || std::env::home_dir().map(|home| home.join(".npmrc"));
    named.or_else(at_home).filter(|file| file.exists())
}

/// Returns the search path.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").expect("a search path is set")
}

/// Returns the socket of this machine's daemon.
pub(crate) fn docker_socket() -> PathBuf {
    let chosen = std::env::var("DOCKER_HOST").ok();
    let chosen = chosen.as_deref().and_then(|host| host.strip_prefix("unix://"));
    Path::new(chosen.unwrap_or("/var/run/docker.sock")).to_owned()
}

/// Returns a port that nobody listens at, below those that the kernel gives out by itself.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seed = u16::try_from(std::process::id() % 9_000).expect("below 9000");
    loop {
        let port = 20_000 + (seed + NEXT.fetch_add(7, Ordering::Relaxed)) % 9_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
