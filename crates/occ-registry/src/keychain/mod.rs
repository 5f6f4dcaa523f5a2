//! Who we are to which registry: Docker's configuration, then a credential helper, then the
//! environment. The first that knows the host is believed.

mod docker_config;
mod environment;
mod helper;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use occ_oci::Host;

pub use environment::EnvironmentLogin;

use docker_config::DockerConfig;

use crate::secret::Secret;

/// How long a credential helper may take.
const HELPER_LIMIT: Duration = Duration::from_secs(5);

/// What proves who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A token that is exchanged for others (distribution spec, OAuth 2, `refresh_token`).
    Identity(Secret),
    /// A token that a registry takes as it is.
    Registry(Secret),
}

/// Why credentials could not be found out. None of it holds what a file or a program said.
#[derive(Debug, thiserror::Error)]
pub enum KeychainError {
    /// Docker's configuration cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Docker's configuration has another shape.
    #[error("{} is not a configuration of Docker: line {line}, column {column}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column.
        column: usize,
    },
    /// An entry's `auth` is no name and password, or another one than `username` and `password`.
    #[error("the entry for {host} in {} contradicts itself or is no name and password", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The host.
        host: String,
    },
    /// The name of a helper could lead to a program of somebody else's.
    #[error("{name:?} is not the name of a credential helper")]
    HelperName {
        /// The name.
        name: String,
    },
    /// A helper is not on the search path.
    #[error("there is no program {program}")]
    HelperMissing {
        /// The program.
        program: String,
    },
    /// A helper could not be run, or spoken to.
    #[error("cannot run {program}")]
    HelperRun {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A helper did not end in time.
    #[error("{program} did not answer within {} s", after.as_secs_f64())]
    HelperSlow {
        /// The program.
        program: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A helper failed. What it said is left out: it may be a password.
    #[error("{program} failed{}", code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    HelperFailed {
        /// The program.
        program: String,
        /// Exit code; none where a signal ended it.
        code: Option<i32>,
    },
    /// A helper answered something else than the protocol has.
    #[error("the answer of {program} is not understood")]
    HelperAnswer {
        /// The program.
        program: String,
    },
    /// The environment has a login without the host that it is for, or half of one.
    #[error("{0}")]
    Environment(&'static str),
}

/// Where credentials are looked for.
#[derive(Debug, Clone, Default)]
pub struct Keychain {
    /// Folder of Docker's configuration; none to leave it alone.
    pub docker_config_dir: Option<PathBuf>,
    /// Where helpers are looked for, in the form of `PATH`.
    pub search_path: Option<OsString>,
    /// What the environment says.
    pub environment: Option<EnvironmentLogin>,
    /// How long a helper may take, instead of five seconds.
    pub helper_limit: Option<Duration>,
}

impl Keychain {
    /// Returns the credentials for a host, none when nobody knows it.
    ///
    /// Only the exact host counts, its port included: what is kept for one is never tried on another.
    ///
    /// # Errors
    /// [`KeychainError`] when a source that comes first cannot be read: going on without it could
    /// mean to speak to the registry as somebody else.
    pub async fn credentials(&self, host: &Host) -> Result<Option<Credentials>, KeychainError> {
        if let Some(dir) = &self.docker_config_dir
            && let Some(config) = DockerConfig::read(&dir.join("config.json"))?
        {
            if let Some(credentials) = config.entry(host)? {
                return Ok(Some(credentials));
            }
            if let Some(name) = config.helper(host) {
                let limit = self.helper_limit.unwrap_or(HELPER_LIMIT);
                let key = docker_config::key(host);
                let told = helper::ask(name, self.search_path.as_deref(), &key, limit).await?;
                if told.is_some() {
                    return Ok(told);
                }
            }
        }
        let own = self.environment.as_ref().filter(|login| login.host == *host);
        Ok(own.map(|login| login.credentials.clone()))
    }
}
