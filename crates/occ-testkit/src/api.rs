//! A second opinion on the daemon: its API, spoken by hand, so that no test of the adapter rests on
//! the adapter.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::environment;

/// How long one answer may take; a pushed image is one answer.
const PATIENCE: Duration = Duration::from_secs(120);
const INSTANCE: &str = occ_image::guest::LABEL_INSTANCE;

/// The way to one daemon.
#[derive(Debug, Clone)]
pub struct Api {
    socket: PathBuf,
}

/// What the daemon said.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns the body as JSON; panics when it is none or the request failed.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status < 300, "the daemon refuses with {}: {text}", self.status);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Panics when the request failed, also where the daemon says so only in the body.
    #[track_caller]
    pub fn success(&self) {
        let text = String::from_utf8_lossy(&self.body);
        assert!(self.status < 300, "the daemon refuses with {}: {text}", self.status);
        assert!(!text.contains("\"errorDetail\""), "the daemon fails: {text}");
    }
}

impl Api {
    /// Returns the way to this machine's daemon.
    pub fn machine() -> Self {
        Self::at(&environment::docker_socket())
    }

    pub(crate) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Returns what `DOCKER_HOST` says to lead here.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Returns whether a daemon answers.
    pub fn answers(&self) -> bool {
        self.socket.exists()
            && self.try_send("GET", "/_ping", "", b"").is_ok_and(|a| a.status == 200)
    }

    /// Asks for something.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    /// Has something done that needs no more words.
    #[track_caller]
    pub fn act(&self, path: &str) {
        self.send("POST", path, "", b"").success();
    }

    /// Has something done.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "Content-Type: application/json\r\n", body.to_string().as_bytes())
    }

    /// Sends an archive.
    #[track_caller]
    pub fn post_archive(&self, path: &str, archive: &[u8]) -> Answer {
        self.send("POST", path, "Content-Type: application/x-tar\r\n", archive)
    }

    /// Has something removed.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", b"")
    }

    /// Pushes an image to a registry that wants no credentials.
    #[track_caller]
    pub fn push(&self, repository: &str, tag: &str) {
        let path = format!("/images/{repository}/push?tag={tag}");
        self.send("POST", &path, "X-Registry-Auth: e30=\r\n", b"").success();
    }

    /// Gives an image a further name.
    #[track_caller]
    pub fn tag(&self, image: &str, repository: &str, tag: &str) {
        let path = format!("/images/{image}/tag?repo={}&tag={tag}", encoded(repository));
        self.act(&path);
    }

    /// Returns a container as the daemon describes it, or none.
    #[track_caller]
    pub fn container(&self, name: &str) -> Option<Value> {
        let answer = self.get(&format!("/containers/{name}/json"));
        (answer.status != 404).then(|| answer.json())
    }

    /// Returns the names of an instance's containers, running or not.
    #[track_caller]
    pub fn containers_of(&self, instance: &str) -> Vec<String> {
        let filters = json!({ "label": [format!("{INSTANCE}={instance}")] }).to_string();
        let path = format!("/containers/json?all=1&filters={}", encoded(&filters));
        names(&self.get(&path).json(), |one| &one["Names"][0])
    }

    /// Returns the names of an instance's volumes.
    #[track_caller]
    pub fn volumes_of(&self, instance: &str) -> Vec<String> {
        let filters = json!({ "label": [format!("{INSTANCE}={instance}")] }).to_string();
        let path = format!("/volumes?filters={}", encoded(&filters));
        names(&self.get(&path).json()["Volumes"], |one| &one["Name"])
    }

    /// Removes a container, running or not, behind everybody's back.
    #[track_caller]
    pub fn remove_container(&self, name: &str) {
        self.delete(&format!("/containers/{name}?force=1")).success();
    }

    /// Removes every container and volume of an instance, as far as the daemon lets us.
    pub(crate) fn sweep(&self, instance: &str) {
        if !self.answers() {
            return;
        }
        for name in self.containers_of(instance) {
            drop(self.try_send("DELETE", &format!("/containers/{name}?force=1&v=1"), "", b""));
        }
        for name in self.volumes_of(instance) {
            drop(self.try_send("DELETE", &format!("/volumes/{name}?force=1"), "", b""));
        }
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| {
            panic!("{method} {path}: no container daemon answers at {}: {error}", self.host())
        })
    }

    /// HTTP/1.0, because its answers come in one piece and end with the connection.
    fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: docker\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let status =
            answer.get(9..12).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        let (Some(end), Some(status)) = (end, status) else {
            return Err(std::io::Error::other("that is not HTTP"));
        };
        Ok(Answer { status, body: answer.split_off(end + 4) })
    }
}

fn names(list: &Value, name: impl Fn(&Value) -> &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut names: Vec<String> = list
        .iter()
        .map(|one| name(one).as_str().unwrap_or_default().trim_start_matches('/').to_owned())
        .collect();
    names.sort();
    names
}

/// Returns text as it may stand in a URL's query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("text can be written to");
        }
    }
    out
}
