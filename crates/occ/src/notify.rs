//! Telling a service manager how far we are: `sd_notify(3)`, in its few lines that are needed.

use std::io;
use std::os::unix::net::UnixDatagram;

use crate::env::Environment;

/// The way to the manager that started this process, where one did and wants to know.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: Option<String>,
}

impl Notifier {
    /// Returns the way that the environment names.
    pub(crate) fn new(env: &Environment) -> Self {
        Self { socket: env.variable("NOTIFY_SOCKET") }
    }

    /// Says that the sandbox is ready.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"));
    }

    /// Says how it is doing.
    pub(crate) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={status}"));
    }

    /// Says that the end has begun.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping the sandbox");
    }

    /// A manager that does not hear is no reason to fail: it notices by itself.
    fn tell(&self, text: &str) {
        if let Some(socket) = &self.socket {
            drop(send(socket, text));
        }
    }
}

fn send(socket: &str, text: &str) -> io::Result<usize> {
    let from = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return from.send_to_addr(text.as_bytes(), &address);
    }
    from.send_to(text.as_bytes(), socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify").display().to_string();
        let at_path = UnixDatagram::bind(&path).expect("a socket");
        let mut heard = [0; 64];
        let mut hear = |socket: &UnixDatagram| {
            let count = socket.recv(&mut heard).expect("a message");
            String::from_utf8_lossy(&heard[..count]).into_owned()
        };
        Notifier { socket: Some(path) }.ready("well");
        assert_eq!(hear(&at_path), "READY=1\nSTATUS=well");

        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt as _;
            let name = format!("occ-test-{}", std::process::id());
            let address = std::os::unix::net::SocketAddr::from_abstract_name(&name);
            let abstractly = UnixDatagram::bind_addr(&address.expect("a name")).expect("a socket");
            Notifier { socket: Some(format!("@{name}")) }.stopping();
            assert!(hear(&abstractly).starts_with("STOPPING=1"));
        }
    }

    #[test]
    fn a_manager_that_is_gone_is_nobodys_problem() {
        Notifier { socket: Some("/nonexistent/socket".into()) }.status("x");
        Notifier { socket: None }.status("x");
    }
}
