//! Defaults, file, environment: who said what, and the typed result.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::{Capability, Isolation, Limits, LogRotation, RestartPolicy};
use occ_sandbox::{MountWish, SecretRef, UpdateRule, parse_secret, parse_variable};
use occ_trust::Mode;
use serde::Serialize;
use serde_json::Value;

use super::file::ConfigFile;
use super::key::{self, KEYS};

/// Who gave a setting its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Origin {
    /// Nobody.
    Default,
    /// The config file.
    File,
    /// An `OCC_*` variable.
    Environment,
    /// A flag of this command.
    Flag,
}

/// Every setting's value and who gave it.
#[derive(Debug, Clone)]
pub(crate) struct Layers(BTreeMap<&'static str, (Value, Origin)>);

/// A variable of the environment that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable}: {what}")]
pub(crate) struct EnvironmentError {
    pub(crate) variable: String,
    pub(crate) what: String,
}

impl Layers {
    /// Lays file and environment over the defaults.
    pub(crate) fn new(
        file: &ConfigFile,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, EnvironmentError> {
        let mut layers = BTreeMap::new();
        for key in KEYS {
            let from_file = file.values.get(key.name).map(|value| (value.clone(), Origin::File));
            let from_env = match variable(&key.env()) {
                Some(text) => {
                    let value = key.parse(&text);
                    let wrong = |what| EnvironmentError { variable: key.env(), what };
                    Some((value.map_err(wrong)?, Origin::Environment))
                }
                None => None,
            };
            let given =
                from_env.or(from_file).unwrap_or_else(|| ((key.default)(), Origin::Default));
            layers.insert(key.name, given);
        }
        Ok(Self(layers))
    }

    /// Takes up what was just written to the file.
    pub(crate) fn written(&mut self, name: &'static str, value: Value) {
        self.0.insert(name, (value, Origin::File));
    }

    /// Lays a flag's value over everything; it was checked when the flag was read.
    pub(crate) fn flag(&mut self, name: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.0.insert(name, (value, Origin::Flag));
        }
    }

    /// Returns a setting's value and who gave it.
    pub(crate) fn get(&self, name: &str) -> &(Value, Origin) {
        self.0.get(name).expect("every name comes from the table of keys")
    }

    /// Returns every setting in the order of names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value, Origin)> {
        self.0.iter().map(|(name, (value, origin))| (*name, value, *origin))
    }

    /// Returns the texts of a setting that is a list.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let items = self.get(name).0.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Returns the typed settings.
    pub(crate) fn config(&self) -> Config {
        let text = |name: &str| self.get(name).0.as_str().unwrap_or_default();
        let size = |name: &str| self.get(name).0.as_str().and_then(key::parse_size);
        let count = |name: &str| self.get(name).0.as_u64();
        let retries = |name: &str| count(name).and_then(|count| u32::try_from(count).ok());
        let seconds = |name: &str| Duration::from_secs(count(name).expect("checked"));
        Config {
            bind: key::parse_address(text("bind_address")).expect("checked"),
            port: count("port").and_then(|port| u16::try_from(port).ok()).expect("checked"),
            workspace: self.get("workspace").0.as_str().map(PathBuf::from),
            isolation: isolation(text("isolation")),
            limits: Limits {
                memory: size("memory"),
                cpu_millis: self.get("cpus").0.as_number().and_then(key::cpu_millis),
                pids: count("pids_limit").and_then(|pids| u32::try_from(pids).ok()),
            },
            logs: LogRotation {
                max_size: size("log_max_size").expect("checked"),
                max_files: count("log_max_files")
                    .and_then(|files| u32::try_from(files).ok())
                    .expect("checked"),
            },
            restart: match text("restart") {
                "no" => RestartPolicy::No,
                // The engine's word for ever is 0.
                "on-failure" => match retries("restart_retries") {
                    Some(0) => RestartPolicy::No,
                    limit => RestartPolicy::OnFailure(limit.unwrap_or(0)),
                },
                _ => RestartPolicy::UnlessStopped,
            },
            mounts: self.list("mounts").iter().filter_map(|entry| entry.parse().ok()).collect(),
            env: self.list("container_env").iter().filter_map(|e| parse_variable(e).ok()).collect(),
            secrets: self.list("secrets").iter().filter_map(|e| parse_secret(e).ok()).collect(),
            proxy: text("proxy") == "auto",
            authorities: match self.get("ca_certificates").0.as_str() {
                None => Authorities::None,
                Some("auto") => Authorities::Auto,
                Some(path) => Authorities::File(PathBuf::from(path)),
            },
            ssh_agent: self.get("ssh_agent").0 == Value::Bool(true),
            git_identity: self.get("git_identity").0 == Value::Bool(true),
            restart_delay: seconds("restart_delay"),
            restart_retries: retries("restart_retries"),
            watchdog: (self.get("watchdog").0 == Value::Bool(true))
                .then(|| seconds("watchdog_interval")),
            hosted_models: self.get("hosted_models").0 == Value::Bool(true),
            prebuilt: text("image_source") == "prebuilt",
            update_check: match text("update_check") {
                "never" => UpdateRule::Never,
                "once" => UpdateRule::Once,
                _ => UpdateRule::Always,
            },
            verification: match text("image_verification") {
                "enforce" => Mode::Enforce,
                "off" => Mode::Off,
                _ => Mode::Warn,
            },
            registries: self.list("registries"),
            insecure_registries: self.list("insecure_registries"),
            image_variant: text("image_variant").to_owned(),
            image_recipe: self.get("image_recipe").0.as_str().map(PathBuf::from),
            image_features: self.list("image_features"),
            start_timeout: Duration::from_secs(count("start_timeout").expect("checked")),
            open_browser: self.get("open_browser").0 == Value::Bool(true),
        }
    }
}

fn isolation(word: &str) -> Isolation {
    match word {
        "strict" => Isolation::Strict,
        // What `sudo`, `su` and a package manager need, and nothing else.
        _ => Isolation::Capabilities(
            [
                Capability::AuditWrite,
                Capability::Chown,
                Capability::DacOverride,
                Capability::Fowner,
                Capability::Fsetid,
                Capability::Kill,
                Capability::Setgid,
                Capability::Setuid,
            ]
            .into(),
        ),
    }
}

/// Where certificates of authorities come from, beside those of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Authorities {
    /// From where this host keeps those that it was given.
    Auto,
    /// From a file.
    File(PathBuf),
    /// From nowhere.
    None,
}

/// The typed settings.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(crate) struct Config {
    pub(crate) bind: IpAddr,
    pub(crate) port: u16,
    pub(crate) workspace: Option<PathBuf>,
    pub(crate) isolation: Isolation,
    pub(crate) limits: Limits,
    pub(crate) logs: LogRotation,
    pub(crate) restart: RestartPolicy,
    pub(crate) mounts: Vec<MountWish>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, SecretRef>,
    pub(crate) proxy: bool,
    pub(crate) authorities: Authorities,
    pub(crate) ssh_agent: bool,
    pub(crate) git_identity: bool,
    pub(crate) restart_delay: Duration,
    pub(crate) restart_retries: Option<u32>,
    /// What an image from a registry must prove.
    pub(crate) verification: Mode,
    /// Time between two looks; none without a watchdog.
    pub(crate) watchdog: Option<Duration>,
    pub(crate) hosted_models: bool,
    pub(crate) prebuilt: bool,
    pub(crate) update_check: UpdateRule,
    pub(crate) registries: Vec<String>,
    pub(crate) insecure_registries: Vec<String>,
    pub(crate) image_variant: String,
    pub(crate) image_recipe: Option<PathBuf>,
    pub(crate) image_features: Vec<String>,
    pub(crate) start_timeout: Duration,
    pub(crate) open_browser: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layers(variables: &[(&str, &str)]) -> Result<Layers, EnvironmentError> {
        let file = ConfigFile::read(std::path::Path::new("/nonexistent/config.json"));
        Layers::new(&file.expect("a missing file says nothing"), |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_wins_over_the_default_and_a_flag_over_both() {
        let mut layers = layers(&[("OCC_PORT", "3005")]).expect("valid");
        assert_eq!(layers.get("port"), &(json!(3005), Origin::Environment));
        layers.flag("port", Some(json!(3006)));
        assert_eq!(layers.config().port, 3006);
        assert_eq!(layers.get("cpus").1, Origin::Default);
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = layers(&[("OCC_PORT", "abc")]).expect_err("invalid");
        assert_eq!(error.to_string(), "OCC_PORT: a port from 1 to 65535 is expected, not \"abc\"");
    }

    #[test]
    fn the_defaults_are_a_loopback_sandbox_with_limits() {
        let config = layers(&[]).expect("valid").config();
        assert!(config.bind.is_loopback());
        assert_eq!(config.limits.memory, Some(2 << 30));
        assert_eq!(config.limits.pids, Some(512));
    }
}
