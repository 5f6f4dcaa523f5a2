//! An ssh server on loopback, with keys and a client's configuration of its own.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::environment::free_port;
use crate::root::is_root;

/// Debian's package `openssh-server`; not on every user's search path.
const SSHD: &str = "/usr/sbin/sshd";

/// How long the server may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// An ssh server that lets this test's user in, with the test's key; dropped, it ends.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    port: u16,
    server: Child,
}

impl Sshd {
    /// Starts the server. Its clients know it as `far`, and know its key.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        for key in ["host", "user"] {
            make_key(&folder.path().join(key));
        }
        fs::copy(folder.path().join("user.pub"), folder.path().join("authorized")).expect("a copy");
        // The server insists on this folder, which a package's service would have made.
        if is_root() {
            fs::create_dir_all("/run/sshd").expect("a folder");
        }
        let server = serve(folder.path(), port);
        let mut sshd = Self { folder, port, server };
        sshd.write_client_config();
        sshd.know_key();
        sshd.wait();
        sshd
    }

    /// Returns the configuration by which a client reaches it as `far`.
    pub fn client_config(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Lets clients forget the server's key.
    pub fn forget_key(&self) {
        fs::write(self.known(), "").expect("a file");
    }

    /// Lets nobody in any more.
    pub fn refuse_all(&self) {
        fs::write(self.folder.path().join("authorized"), "").expect("a file");
    }

    /// Ends the server.
    pub fn stop(&mut self) {
        let id = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        // One that has ended already hears nothing, and needs not.
        let _gone = kill_process(id.expect("a process has an id"), Signal::TERM);
        drop(self.server.wait());
    }

    fn known(&self) -> PathBuf {
        self.folder.path().join("known")
    }

    fn know_key(&self) {
        let key = fs::read_to_string(self.folder.path().join("host.pub")).expect("a key");
        fs::write(self.known(), format!("[127.0.0.1]:{} {key}", self.port)).expect("a file");
    }

    fn write_client_config(&self) {
        let (folder, port) = (self.folder.path().display(), self.port);
        let text = format!(
            "Host far\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder}/user\n \
             IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n \
             GlobalKnownHostsFile /dev/null\n BatchMode yes\n"
        );
        fs::write(self.client_config(), text).expect("a file");
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.server.try_wait().expect("a child can be asked");
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "the ssh server has ended ({ended:?}):\n{log}");
            assert!(begun.elapsed() < PATIENCE, "the ssh server does not come up:\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn make_key(file: &Path) {
    let run = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(file)
        .status()
        .unwrap_or_else(|error| panic!("ssh-keygen: {error} (package openssh-client)"));
    assert!(run.success(), "ssh-keygen makes a key: {run}");
}

fn serve(folder: &Path, port: u16) -> Child {
    let shown = folder.display();
    let config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nHostKey {shown}/host\n\
         AuthorizedKeysFile {shown}/authorized\nPidFile none\nStrictModes no\nUsePAM no\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    );
    fs::write(folder.join("server"), config).expect("a file");
    let log = fs::File::create(folder.join("log")).expect("a file");
    Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("server"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{SSHD}: {error} (package openssh-server)"))
}
