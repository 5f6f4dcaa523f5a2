//! Plain HTTP on both sides: questions past the port, and an engine that only pretends.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use occ_engine::{ClientSettings, Endpoint};

use crate::bench::local_settings;

/// Asks the daemon of this machine and returns status and body.
pub(crate) fn ask_docker(method: &str, path: &str) -> (u16, String) {
    let Endpoint::Unix(socket) = local_settings().choose().unwrap().endpoint else {
        panic!("the daemon under test listens on a socket");
    };
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Asks the daemon how it understood a container.
pub(crate) fn inspected(container: &str) -> serde_json::Value {
    let (status, body) = ask_docker("GET", &format!("/containers/{container}/json"));
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// Something that answers like an engine that speaks the API from one version to another.
pub(crate) struct Pretender {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Pretender {
    /// Starts to answer; it goes on until the test ends.
    pub(crate) fn speaking(oldest: &'static str, newest: &'static str) -> Self {
        let headers = format!("Api-Version: {newest}\r\n");
        Self::answering(headers, move |path, _| answer(path, oldest, newest))
    }

    /// Starts to answer like a Podman that loses its container between finding and describing it.
    pub(crate) fn losing() -> Self {
        let headers = "Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\n".to_owned();
        Self::answering(headers, |path, before| match before {
            _ if path.ends_with("/_ping") => (200, "OK".to_owned()),
            0 => (500, r#"{"message":"does not exist in database: no such container"}"#.to_owned()),
            _ => (404, r#"{"message":"no such container"}"#.to_owned()),
        })
    }

    /// Starts to answer by a path and how often it was asked for before.
    fn answering(
        headers: String,
        answer: impl Fn(&str, usize) -> (u16, String) + Send + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("socket")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let path = read_path(&mut stream);
                let before = noted.lock().unwrap().iter().filter(|asked| **asked == path).count();
                let (status, body) = answer(&path, before);
                noted.lock().unwrap().push(path);
                // The client may have gone.
                drop(write!(
                    stream,
                    "HTTP/1.1 {status} x\r\n{headers}Connection: close\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                ));
            }
        });
        Self { dir, asked }
    }

    pub(crate) fn settings(&self) -> ClientSettings {
        settings_for(&self.dir.path().join("socket"))
    }

    /// Returns every path asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Returns what leads to one socket.
pub(crate) fn settings_for(socket: &Path) -> ClientSettings {
    let docker_host = Some(format!("unix://{}", socket.display()));
    ClientSettings { docker_host, docker_config_dir: PathBuf::new(), ..Default::default() }
}

fn read_path(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().split(' ').nth(1).unwrap_or_default().to_owned()
}

fn answer(path: &str, oldest: &str, newest: &str) -> (u16, String) {
    let minor = |version: &str| version.split_once('.').unwrap().1.parse::<u32>().unwrap();
    let asked = path.strip_prefix("/v").and_then(|rest| rest.split('/').next());
    let asked = asked.filter(|asked| asked.starts_with("1."));
    match asked {
        Some(asked) if minor(asked) < minor(oldest) => (
            400,
            format!(
                r#"{{"message":"client version {asked} is too old. Minimum supported API version
                    is {oldest}, please upgrade your client to a newer version"}}"#
            )
            .replace('\n', " "),
        ),
        Some(asked) if minor(asked) > minor(newest) => {
            (400, format!(r#"{{"message":"client version {asked} is too new."}}"#))
        }
        _ if path.ends_with("/_ping") => (200, "OK".to_owned()),
        _ if path.ends_with("/version") => {
            (200, format!(r#"{{"ApiVersion":"{newest}","MinAPIVersion":"{oldest}"}}"#))
        }
        _ => (404, r#"{"message":"No such thing"}"#.to_owned()),
    }
}
