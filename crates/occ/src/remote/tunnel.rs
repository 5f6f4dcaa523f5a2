//! One `ssh` of ours that carries connections, for as long as it is needed.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::diagnose::refused;
use super::hosts::Host;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long `ssh` may take; a person may have to type a passphrase.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often the way is tried while `ssh` opens it.
const BEAT: Duration = Duration::from_millis(20);

/// Starts a program that Ctrl-C does not reach: what `occ` takes back then, it takes back through it.
const SHIELD: &str = "trap '' INT; exec \"$0\" \"$@\"";

/// An open way that begins at this socket or address; dropped, it is closed.
#[derive(Debug)]
pub(crate) struct Tunnel<T> {
    /// Where it begins, on this machine.
    pub(crate) entrance: T,
    ssh: Child,
    /// Made by `ssh` once the way is open; that something answers at the entrance would prove nothing.
    ready: PathBuf,
    _folder: TempDir,
}

impl Tunnel<PathBuf> {
    /// Opens the way to the host's engine.
    pub(crate) fn to_engine(host: &Host, context: &Context) -> Result<Self, Failure> {
        let folder = private_folder(context)?;
        let socket = folder.path().join("engine");
        let forward = format!("{}:{}", socket.display(), host.socket.display());
        Self::open(host, &forward, socket, folder, context)
    }
}

impl Tunnel<SocketAddr> {
    /// Opens the way to a port on the host, from this port of loopback or from one that is free.
    pub(crate) fn to_port(
        host: &Host,
        there: SocketAddr,
        here: Option<u16>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let folder = private_folder(context)?;
        let here = here.unwrap_or(0);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, here)).map_err(|error| {
            let message = format!("port {here} of this machine cannot be used: {error}");
            let name = &host.name;
            Failure::new(Exit::Failed, message).hint(format!("any other: occ host connect {name}"))
        })?;
        let address = listener.local_addr()?;
        // `ssh` takes the port a moment later; whoever is faster meanwhile makes it end, and the way
        // is not open.
        drop(listener);
        let forward = format!("{address}:{there}");
        Self::open(host, &forward, address, folder, context)
    }
}

impl<T> Tunnel<T> {
    /// Returns whether `ssh` has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.ssh.try_wait(), Ok(None))
    }

    fn open(
        host: &Host,
        forward: &str,
        entrance: T,
        folder: TempDir,
        context: &Context,
    ) -> Result<Self, Failure> {
        let Some(ssh) = context.env.program("ssh") else {
            return Err(Failure::new(Exit::Failed, "there is no ssh on this machine")
                .hint("install it: sudo apt-get install openssh-client"));
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SHIELD]).arg(ssh).args(arguments(host, context));
        // `ssh` runs the local command when every way it was asked for is open.
        let ready = folder.path().join("ready");
        let told = format!("LocalCommand=touch {}", ready.display());
        command.args(["-N", "-T", "-o", "PermitLocalCommand=yes", "-o", &told]);
        command.args(["-o", "ExitOnForwardFailure=yes", "-L", forward]);
        command.args(["--", &host.url.host]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let ssh = command.spawn()?;
        let mut tunnel = Self { entrance, ssh, ready, _folder: folder };
        let begun = Instant::now();
        while !tunnel.ready.exists() {
            if tunnel.has_ended() || begun.elapsed() > PATIENCE {
                return Err(refused(host, &tunnel.complaints(), context));
            }
            std::thread::sleep(BEAT);
        }
        Ok(tunnel)
    }

    /// Returns what `ssh` said, once it has ended.
    fn complaints(&mut self) -> String {
        self.close();
        let mut said = String::new();
        if let Some(stderr) = self.ssh.stderr.take() {
            // What cannot be read is not said.
            drop(stderr.take(4096).read_to_string(&mut said));
        }
        said.trim().to_owned()
    }

    fn close(&mut self) {
        // One that has ended already needs no end.
        drop(self.ssh.kill());
        drop(self.ssh.wait());
    }
}

impl<T> Drop for Tunnel<T> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns what every call of `ssh` for this host begins with.
///
/// No connection of the user's is shared or left behind; host keys are checked as the user's
/// configuration says.
pub(super) fn arguments(host: &Host, context: &Context) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(file) = context.env.ssh_config() {
        words.extend(["-F".to_owned(), file]);
    }
    for option in
        ["ControlMaster=no", "ControlPath=none", "ConnectTimeout=30", "ServerAliveInterval=15"]
    {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    if let Some(user) = &host.url.user {
        words.extend(["-l".to_owned(), user.clone()]);
    }
    if let Some(port) = host.url.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    words
}

/// A socket's path is limited to a hundred bytes, so the folder is not below the user's home.
fn private_folder(context: &Context) -> Result<TempDir, Failure> {
    Ok(tempfile::Builder::new().prefix("occ").tempdir_in(&context.env.temp_dir)?)
}
