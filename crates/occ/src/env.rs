//! The one place that reads the environment and the machine's own facts.

#![expect(clippy::disallowed_methods, reason = "the environment's home")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use occ_engine::ClientSettings;

/// Returns the process's arguments.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// What the environment says, read once.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Folder of the config file.
    pub(crate) config_dir: PathBuf,
    /// Folder of state and record.
    pub(crate) state_dir: PathBuf,
    /// Folder of what can be made again.
    pub(crate) cache_dir: PathBuf,
    /// Folder for what is needed during one command.
    pub(crate) temp_dir: PathBuf,
    /// Whether colours are unwanted.
    pub(crate) no_color: bool,
    /// Where the command was typed.
    pub(crate) working_dir: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    home: PathBuf,
    path: Option<OsString>,
}

impl Environment {
    /// Reads the environment.
    pub(crate) fn read() -> Self {
        let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
        let xdg = |variable: &str, default: &str| {
            let set = std::env::var_os(variable).map(PathBuf::from).filter(|p| p.is_absolute());
            set.unwrap_or_else(|| home.join(default)).join("opencode-cloud")
        };
        Self {
            config_dir: xdg("XDG_CONFIG_HOME", ".config"),
            state_dir: xdg("XDG_DATA_HOME", ".local/share"),
            cache_dir: xdg("XDG_CACHE_HOME", ".cache"),
            temp_dir: std::env::temp_dir(),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            working_dir: std::env::current_dir().ok(),
            path: std::env::var_os("PATH"),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            home,
        }
    }

    /// Returns a variable that is set, valid UTF-8 and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// Returns every variable.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.variables.clone().into_iter()
    }

    /// Returns the user's home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the folder of every program's settings.
    pub(crate) fn config_home(&self) -> &Path {
        self.config_dir.parent().unwrap_or(&self.config_dir)
    }

    /// Returns the config file's path.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.config_dir.join("config.json")
    }

    /// Returns the file of the hosts that sandboxes may run on.
    pub(crate) fn hosts_file(&self) -> PathBuf {
        self.config_dir.join("hosts.json")
    }

    /// Returns the file that says whose signatures are believed.
    pub(crate) fn trust_policy_file(&self) -> PathBuf {
        self.config_dir.join("trust-policy.json")
    }

    /// Returns the file that says where images may be used.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.config_dir.join("policy.json")
    }

    /// Returns the file of the trust root that was imported.
    pub(crate) fn trust_root_file(&self) -> PathBuf {
        self.state_dir.join("trust-root.json")
    }

    /// Returns the folder of what was fetched with trust roots, so that nothing older is taken.
    pub(crate) fn trust_updates_dir(&self) -> PathBuf {
        self.state_dir.join("trust-updates")
    }

    /// Returns the file of what was seen signed.
    pub(crate) fn seen_signed_file(&self) -> PathBuf {
        self.state_dir.join("seen-signed-v1.json")
    }

    /// Returns the user's home.
    pub(crate) fn user_home(&self) -> &Path {
        &self.home
    }

    /// Returns the configuration of `ssh` to use instead of the user's and the machine's.
    pub(crate) fn ssh_config(&self) -> Option<String> {
        self.variable("OCC_SSH_CONFIG")
    }

    /// Returns where a user's own lock of the built-in recipe is.
    pub(crate) fn own_lock(&self) -> PathBuf {
        self.state_dir.join("sandbox.lock")
    }

    /// Returns where images are written when nobody names a folder.
    pub(crate) fn layout(&self) -> PathBuf {
        self.cache_dir.join("images")
    }

    /// Returns where the releases of this machine are kept, what they did and what they signed.
    pub(crate) fn releases(&self) -> PathBuf {
        self.state_dir.join("releases")
    }

    /// Returns the file that says when names went back to an earlier release.
    pub(crate) fn rollbacks(&self) -> PathBuf {
        self.state_dir.join("rollbacks.jsonl")
    }

    /// Returns where this program is.
    pub(crate) fn program_path() -> std::io::Result<PathBuf> {
        std::env::current_exe()
    }

    /// Returns where a program is on the search path.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| is_program(file))
    }

    /// Returns what decides which engine is used, as Docker's own client reads it.
    pub(crate) fn engine(&self) -> ClientSettings {
        ClientSettings {
            docker_host: self.variable("DOCKER_HOST"),
            docker_context: self.variable("DOCKER_CONTEXT"),
            docker_tls_verify: self.variable("DOCKER_TLS_VERIFY"),
            docker_cert_path: self.variable("DOCKER_CERT_PATH").map(PathBuf::from),
            docker_config_dir: self
                .variable("DOCKER_CONFIG")
                .map_or_else(|| self.home.join(".docker"), PathBuf::from),
            search_path: self.path.as_ref().map(with_system_programs),
            chosen: None,
        }
    }
}

/// `dockerd` lives where not every user's PATH leads.
fn with_system_programs(path: &OsString) -> OsString {
    let mut path = path.clone();
    path.push(":/usr/sbin:/sbin");
    path
}

fn is_program(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}
