//! Where an engine listens, read from the words people use for it (`unix://…`, `tcp://…`, `ssh://…`).

use std::fmt;
use std::path::PathBuf;

/// Socket of an engine when nothing names another one.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A socket of this machine that leads to an engine on another one.
    Forwarded {
        /// The socket here.
        socket: PathBuf,
        /// Where it leads, for people.
        shown: String,
    },
    /// TCP without encryption: whoever reaches the port owns the engine's host.
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// TCP with TLS, both sides proving who they are.
    Tls {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Files in PEM form.
        files: TlsFiles,
    },
    /// The user's own `ssh`, running `docker system dial-stdio` on the other side.
    Ssh {
        /// User, the one `ssh` would choose when `None`.
        user: Option<String>,
        /// Name or address as `ssh` takes it.
        host: String,
        /// Port, the one `ssh` would choose when `None`.
        port: Option<u16>,
    },
}

/// Files of one TLS connection, all in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates that may sign the engine's.
    pub ca: PathBuf,
    /// Our certificate and its key, when the engine asks for one.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Endpoint {
    /// Returns whether the engine shares this machine's files and ports.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Reads `value` as the docker client does.
    ///
    /// `tls` turns a `tcp://` address into an encrypted one.
    ///
    /// # Errors
    /// A clause that says why this program cannot use it; nothing is replaced by a default.
    pub fn parse(value: &str, tls: Option<TlsFiles>) -> Result<Self, String> {
        let (scheme, rest) = value.split_once("://").unwrap_or(("tcp", value));
        match scheme {
            "unix" if rest.is_empty() => Ok(Self::Unix(DEFAULT_SOCKET.into())),
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            "unix" => Err("the path of the socket must start with a slash".to_owned()),
            "tcp" => parse_tcp(rest, tls),
            "ssh" => parse_ssh(rest),
            "npipe" => Err("named pipes exist on Windows only".to_owned()),
            "fd" => Err("fd:// is for the engine's side of a socket".to_owned()),
            "http" | "https" => Err(format!("{scheme}:// is not supported, use tcp://")),
            other => Err(format!("{other}:// is not supported")),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bracket =
            |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Forwarded { shown, .. } => f.write_str(shown),
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => {
                write!(f, "tcp://{}:{port}", bracket(host))
            }
            Self::Ssh { user, host, port } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracket(host))?;
                port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

fn parse_tcp(rest: &str, tls: Option<TlsFiles>) -> Result<Endpoint, String> {
    let (host, port) = parse_authority(rest.strip_suffix('/').unwrap_or(rest))?;
    let host = if host.is_empty() { "localhost".to_owned() } else { host };
    // The ports registered for the engine's API, plain and encrypted.
    Ok(match tls {
        None => Endpoint::Tcp { host, port: port.unwrap_or(2375) },
        Some(files) => Endpoint::Tls { host, port: port.unwrap_or(2376), files },
    })
}

fn parse_ssh(rest: &str) -> Result<Endpoint, String> {
    let (user, address) = match rest.split_once('@') {
        Some((user, address)) => (Some(user.to_owned()), address),
        None => (None, rest),
    };
    if user.as_deref().is_some_and(|user| user.is_empty() || user.contains(':')) {
        return Err("the user before the @ must be a plain name, without a password".to_owned());
    }
    let (host, port) = parse_authority(address.strip_suffix('/').unwrap_or(address))?;
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    // INVARIANT: neither part can be taken for an option by ssh.
    if host.starts_with('-') || user.as_deref().is_some_and(|user| user.starts_with('-')) {
        return Err("a host or user must not start with a dash".to_owned());
    }
    Ok(Endpoint::Ssh { user, host, port })
}

fn parse_authority(text: &str) -> Result<(String, Option<u16>), String> {
    if text.contains(['/', '?', '#', '@']) || text.contains(char::is_whitespace) {
        return Err("only HOST or HOST:PORT is supported".to_owned());
    }
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, port))) => {
            (host, Some(port.strip_prefix(':').ok_or("a colon must follow the bracket")?))
        }
        Some(None) => return Err("the closing bracket is missing".to_owned()),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map(|port| match port.parse() {
        Ok(0) | Err(_) => Err(format!("{port:?} is not a port")),
        Ok(port) => Ok(port),
    });
    Ok((host.to_owned(), port.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Result<String, String> {
        Endpoint::parse(value, None).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn what_the_docker_client_understands_is_understood_here() {
        for (value, expected) in [
            ("unix:///run/user/1000/docker.sock", "unix:///run/user/1000/docker.sock"),
            ("unix://", "unix:///var/run/docker.sock"),
            ("tcp://10.0.0.5:2375", "tcp://10.0.0.5:2375"),
            ("tcp://engine.lan", "tcp://engine.lan:2375"),
            ("tcp://:4243", "tcp://localhost:4243"),
            ("engine.lan:99", "tcp://engine.lan:99"),
            ("tcp://[::1]:2375", "tcp://[::1]:2375"),
            ("tcp://[::1]", "tcp://[::1]:2375"),
            ("ssh://me@build.lan:2222", "ssh://me@build.lan:2222"),
            ("ssh://build.lan", "ssh://build.lan"),
        ] {
            assert_eq!(shown(value), Ok(expected.to_owned()), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_reason() {
        for (value, clause) in [
            ("npipe:////./pipe/docker_engine", "Windows"),
            ("fd://", "engine's side"),
            ("https://engine.lan", "https:// is not supported"),
            ("quic://engine.lan", "quic:// is not supported"),
            ("unix://run/docker.sock", "must start with a slash"),
            ("tcp://engine.lan:70000", "\"70000\" is not a port"),
            ("tcp://engine.lan:0", "\"0\" is not a port"),
            ("tcp://engine.lan:2375/prefix", "only HOST or HOST:PORT"),
            ("tcp://[::1:2375", "closing bracket"),
            ("tcp://[::1]2375", "colon must follow"),
            ("ssh://", "names no host"),
            ("ssh://-oProxyCommand=reboot", "dash"),
            ("ssh://-l@host", "dash"),
            ("ssh://me:secret@host", "without a password"),
            ("ssh://host/run/docker.sock", "only HOST or HOST:PORT"),
        ] {
            let why = shown(value).expect_err(value);
            assert!(why.contains(clause), "{value}: {why}");
        }
    }

    #[test]
    fn tls_files_make_a_tcp_address_encrypted_and_move_the_default_port() {
        let files = TlsFiles { ca: "/c/ca.pem".into(), client: None };
        assert_eq!(
            Endpoint::parse("tcp://engine.lan", Some(files.clone())),
            Ok(Endpoint::Tls { host: "engine.lan".to_owned(), port: 2376, files })
        );
    }
}
