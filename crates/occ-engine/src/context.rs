//! Which engine is meant: the docker client's own order of `DOCKER_HOST`, contexts and the default.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::endpoint::{DEFAULT_SOCKET, Endpoint, TlsFiles};
use crate::error::Error;

/// What the docker client would look at, handed in by the caller. Empty text counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// A choice made already: nothing else is looked at.
    pub chosen: Option<Choice>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_TLS_VERIFY`: any text turns TLS on for `DOCKER_HOST`.
    pub docker_tls_verify: Option<String>,
    /// `DOCKER_CERT_PATH`: folder of `ca.pem`, `cert.pem` and `key.pem`.
    pub docker_cert_path: Option<PathBuf>,
    /// `DOCKER_CONFIG`, usually `~/.docker`: `config.json` and the contexts.
    pub docker_config_dir: PathBuf,
    /// `PATH`: where `dockerd` and `ssh` are looked for. The caller adds the folders of system
    /// programs (`/usr/sbin`, `/sbin`), which are not on every user's PATH.
    pub search_path: Option<OsString>,
}

/// An endpoint and who named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Where the engine listens.
    pub endpoint: Endpoint,
    /// `default`, `DOCKER_HOST`, `context NAME` or what the caller says.
    pub chosen_by: String,
}

impl ClientSettings {
    /// Returns the engine that the docker client would talk to.
    ///
    /// Reads the client's configuration only when `DOCKER_HOST` does not settle it.
    ///
    /// # Errors
    /// [`Error::Endpoint`] when what is named cannot be used or does not exist,
    /// [`Error::ClientConfig`] when a file of the docker client cannot be read.
    pub fn choose(&self) -> Result<Choice, Error> {
        if let Some(chosen) = &self.chosen {
            return Ok(chosen.clone());
        }
        if let Some(host) = filled(self.docker_host.as_deref()) {
            let endpoint = Endpoint::parse(host, self.tls_files())
                .map_err(|why| refused("DOCKER_HOST", host, why))?;
            return Ok(Choice { endpoint, chosen_by: "DOCKER_HOST".to_owned() });
        }
        let (named_by, name) = match filled(self.docker_context.as_deref()) {
            Some(name) => ("DOCKER_CONTEXT".to_owned(), Some(name.to_owned())),
            None => self.current_context()?,
        };
        match name {
            Some(name) if name != "default" => self.context(&named_by, &name),
            _ => Ok(Choice {
                endpoint: Endpoint::Unix(DEFAULT_SOCKET.into()),
                chosen_by: "default".to_owned(),
            }),
        }
    }

    /// Returns the file and the context it names as current.
    fn current_context(&self) -> Result<(String, Option<String>), Error> {
        let path = self.docker_config_dir.join("config.json");
        let config: Option<ConfigFile> = read_json(&path)?;
        let name = config.and_then(|config| config.current_context);
        Ok((path.display().to_string(), name.filter(|name| !name.is_empty())))
    }

    fn tls_files(&self) -> Option<TlsFiles> {
        filled(self.docker_tls_verify.as_deref())?;
        let dir = match &self.docker_cert_path {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => &self.docker_config_dir,
        };
        Some(tls_files_in(dir))
    }

    fn context(&self, named_by: &str, name: &str) -> Result<Choice, Error> {
        let hash = hex(&Sha256::digest(name.as_bytes()));
        let contexts = self.docker_config_dir.join("contexts");
        let path = contexts.join("meta").join(&hash).join("meta.json");
        let Some(meta) = read_json::<Meta>(&path)? else {
            return Err(refused(named_by, name, unknown(&contexts.join("meta"))));
        };
        let origin = format!("context {name}");
        let Some(docker) = meta.endpoints.docker else {
            return Err(refused(&origin, name, "it describes no Docker engine".to_owned()));
        };
        let host = docker.host.unwrap_or_default();
        if docker.skip_tls_verify {
            let why = "it skips the check of the engine's certificate, which is not supported";
            return Err(refused(&origin, &host, why.to_owned()));
        }
        let tls = contexts.join("tls").join(&hash).join("docker");
        let files = tls.is_dir().then(|| tls_files_in(&tls));
        let host = if host.is_empty() { "unix://" } else { &host };
        let endpoint = Endpoint::parse(host, files).map_err(|why| refused(&origin, host, why))?;
        Ok(Choice { endpoint, chosen_by: origin })
    }
}

/// `config.json` of the docker client, as far as it matters here.
#[derive(Deserialize)]
struct ConfigFile {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

/// `meta.json` of a context.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    endpoints: Endpoints,
}

#[derive(Deserialize, Default)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    host: Option<String>,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn refused(origin: &str, value: &str, why: String) -> Error {
    Error::Endpoint { origin: origin.to_owned(), value: value.to_owned(), why }
}

fn tls_files_in(dir: &Path) -> TlsFiles {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let client = (cert.exists() || key.exists()).then_some((cert, key));
    TlsFiles { ca: dir.join("ca.pem"), client }
}

fn unknown(meta: &Path) -> String {
    let mut names: Vec<String> = fs::read_dir(meta)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| read_json::<Meta>(&entry.path().join("meta.json")).ok().flatten())
        .map(|meta| meta.name)
        .collect();
    names.push("default".to_owned());
    names.sort();
    format!("there is no such context, only {}", names.join(", "))
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, Error> {
    let broken = |source| Error::ClientConfig { path: path.to_owned(), source };
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(broken(error)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| broken(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// Returns lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|n| char::from(DIGITS[n as usize]))
        .collect()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary folder"))
        }

        fn file(self, path: &str, text: &str) -> Self {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
            self
        }

        fn context(self, name: &str, meta: &str) -> Self {
            let hash = hex(&Sha256::digest(name.as_bytes()));
            self.file(&format!("contexts/meta/{hash}/meta.json"), meta)
        }

        fn settings(&self) -> ClientSettings {
            ClientSettings { docker_config_dir: self.0.path().to_owned(), ..Default::default() }
        }
    }

    const REMOTE: &str =
        r#"{"Name":"remote","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far.lan:1"}}}"#;
    const ROOTLESS: &str =
        r#"{"Name":"rootless","Endpoints":{"docker":{"Host":"unix:///run/user/7/docker.sock"}}}"#;

    fn shown(settings: &ClientSettings) -> (String, String) {
        let choice = settings.choose().expect("a choice");
        (choice.endpoint.to_string(), choice.chosen_by)
    }

    #[test]
    fn the_order_is_host_then_context_variable_then_current_context_then_the_default_socket() {
        let home = Home::new()
            .context("remote", REMOTE)
            .context("rootless", ROOTLESS)
            .file("config.json", r#"{"auths":{},"currentContext":"rootless"}"#);
        let text = |text: &str| Some(text.to_owned());
        let table = [
            (text("tcp://a:1"), text("remote"), "tcp://a:1", "DOCKER_HOST"),
            (text(""), text("remote"), "tcp://far.lan:1", "context remote"),
            (None, None, "unix:///run/user/7/docker.sock", "context rootless"),
            (None, text(""), "unix:///run/user/7/docker.sock", "context rootless"),
            (None, text("default"), "unix:///var/run/docker.sock", "default"),
        ];
        for (docker_host, docker_context, endpoint, by) in table {
            let settings = ClientSettings { docker_host, docker_context, ..home.settings() };
            assert_eq!(shown(&settings), (endpoint.to_owned(), by.to_owned()));
        }
        let empty = Home::new();
        let default = ("unix:///var/run/docker.sock".to_owned(), "default".to_owned());
        assert_eq!(shown(&empty.settings()), default);
    }

    #[test]
    fn an_unknown_context_is_refused_and_the_known_ones_are_named() {
        let home = Home::new().context("remote", REMOTE);
        let settings =
            ClientSettings { docker_context: Some("remot".to_owned()), ..home.settings() };
        let error = settings.choose().expect_err("no such context").to_string();
        assert_eq!(
            error,
            "DOCKER_CONTEXT names remot, which cannot be used: \
             there is no such context, only default, remote"
        );
    }

    #[test]
    fn a_host_that_cannot_be_used_is_refused_by_name_and_not_replaced() {
        let settings = ClientSettings {
            docker_host: Some("npipe:////./pipe/docker_engine".to_owned()),
            ..Home::new().settings()
        };
        let error = settings.choose().expect_err("a pipe").to_string();
        assert!(error.starts_with("DOCKER_HOST names npipe:////./pipe/docker_engine"), "{error}");
    }

    #[test]
    fn a_broken_config_file_is_named_and_does_not_matter_when_docker_host_is_set() {
        let home = Home::new().file("config.json", "{");
        let error = home.settings().choose().expect_err("not JSON");
        assert!(
            matches!(&error, Error::ClientConfig { path, .. } if path.ends_with("config.json")),
            "{error:?}"
        );
        let settings =
            ClientSettings { docker_host: Some("tcp://a:1".to_owned()), ..home.settings() };
        assert_eq!(shown(&settings).0, "tcp://a:1");
    }

    #[test]
    fn tls_variables_apply_to_docker_host_and_default_to_the_config_folder() {
        let home = Home::new().file("cert.pem", "").file("key.pem", "");
        let dir = home.0.path();
        let settings = ClientSettings {
            docker_host: Some("tcp://far.lan".to_owned()),
            docker_tls_verify: Some("1".to_owned()),
            ..home.settings()
        };
        let expected = TlsFiles {
            ca: dir.join("ca.pem"),
            client: Some((dir.join("cert.pem"), dir.join("key.pem"))),
        };
        let found = settings.choose().expect("a choice").endpoint;
        let host = "far.lan".to_owned();
        assert_eq!(found, Endpoint::Tls { host: host.clone(), port: 2376, files: expected });

        let elsewhere =
            ClientSettings { docker_cert_path: Some("/certs".into()), ..settings.clone() };
        let files = TlsFiles { ca: "/certs/ca.pem".into(), client: None };
        let found = elsewhere.choose().expect("a choice").endpoint;
        assert_eq!(found, Endpoint::Tls { host: host.clone(), port: 2376, files });

        let off = ClientSettings { docker_tls_verify: Some(String::new()), ..settings };
        let found = off.choose().expect("a choice").endpoint;
        assert_eq!(found, Endpoint::Tcp { host, port: 2375 });
    }

    #[test]
    fn a_context_brings_its_own_tls_files() {
        let hash = hex(&Sha256::digest(b"remote"));
        let home = Home::new()
            .context("remote", REMOTE)
            .file(&format!("contexts/tls/{hash}/docker/ca.pem"), "");
        let settings =
            ClientSettings { docker_context: Some("remote".to_owned()), ..home.settings() };
        let dir = home.0.path().join("contexts/tls").join(hash).join("docker");
        let files = TlsFiles { ca: dir.join("ca.pem"), client: None };
        assert_eq!(
            settings.choose().expect("a choice").endpoint,
            Endpoint::Tls { host: "far.lan".to_owned(), port: 1, files }
        );
    }

    #[test]
    fn a_context_that_skips_the_certificate_check_or_describes_no_engine_is_refused() {
        let lax = r#"{"Name":"lax","Endpoints":{"docker":
            {"Host":"tcp://far.lan:1","SkipTLSVerify":true}}}"#;
        let home = Home::new().context("lax", lax).context("bare", r#"{"Name":"bare"}"#);
        for (name, clause) in [("lax", "skips the check"), ("bare", "describes no Docker engine")] {
            let settings =
                ClientSettings { docker_context: Some(name.to_owned()), ..home.settings() };
            let error = settings.choose().expect_err(name).to_string();
            assert!(error.starts_with(&format!("context {name} names")), "{error}");
            assert!(error.contains(clause), "{error}");
        }
    }
}
