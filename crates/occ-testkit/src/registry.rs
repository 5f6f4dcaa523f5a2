//! A real registry on a loopback port, and one that never answers.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::daemon::needed;
use crate::environment::free_port;

/// A registry without credentials, empty at first; dropped, it is gone.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    child: Child,
    _folder: TempDir,
}

impl Registry {
    /// Starts the distribution project's registry and waits until it listens.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts it with a certificate and its key, in PEM form.
    #[track_caller]
    pub fn start_encrypted(certificate: &Path, key: &Path) -> Self {
        let (certificate, key) = (certificate.display(), key.display());
        Self::start_with(&format!(", tls: {{certificate: {certificate}, key: {key}}}"))
    }

    #[track_caller]
    fn start_with(more: &str) -> Self {
        let program = needed("docker-registry", "docker-registry");
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"{more}}}\n",
            folder.path().join("data").display()
        );
        let file = folder.path().join("config.yml");
        fs::write(&file, config).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let child = Command::new(program)
            .arg("serve")
            .arg(file)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the registry starts");
        let deadline = Instant::now() + Duration::from_secs(15);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the registry does not listen:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
        Self { port, child, _folder: folder }
    }

    /// Returns the host and port as they stand in an image's name.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Returns the host of a registry that accepts and never answers; it lasts as long as what is
    /// returned with it.
    pub fn silent() -> (String, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (format!("localhost:{port}"), listener)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
