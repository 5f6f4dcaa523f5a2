//! A registry with one image of nothing, as much of it as a daemon asks for a digest.
//! SPEC: OCI distribution specification, "Pulling manifests".

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// A registry on a loopback port; dropped, it is gone.
pub(crate) struct Registry {
    port: u16,
    over: Arc<AtomicBool>,
}

impl Registry {
    /// Starts to answer.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                // Who asks may be gone before the answer.
                drop(stream.and_then(|stream| answer(&stream)));
            }
        });
        Self { port, over }
    }

    /// Returns the name of its image.
    pub(crate) fn name(&self) -> String {
        format!("localhost:{}/some/image:1", self.port)
    }

    /// Returns the digest of its image.
    pub(crate) fn digest() -> String {
        let hash: String =
            Sha256::digest(MANIFEST).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hash}")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
    }
}

fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let digest = Registry::digest();
    let known = path.ends_with("/manifests/1") || path.ends_with(&digest);
    let (status, kind, body) = match path {
        "/v2/" => ("200 OK", "application/json", "{}"),
        _ if known => ("200 OK", "application/vnd.oci.image.index.v1+json", MANIFEST),
        _ => (
            "404 Not Found",
            "application/json",
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
        ),
    };
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Docker-Content-Digest: {digest}\r\n\
         Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n{}",
        body.len(),
        if method == "HEAD" { "" } else { body }
    )
}
