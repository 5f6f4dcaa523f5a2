//! Why there is no way to a host: found out by asking, for `ssh` says it in words only.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::hosts::Host;
use super::tunnel::arguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long a connection may take that shows whether anything listens.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `ssh` would do for a host, of its answer to `ssh -G`; see `ssh_config(5)`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Resolved {
    hostname: String,
    port: u16,
    alias: Option<String>,
    known: Vec<PathBuf>,
    indirect: bool,
}

/// Returns the failure of an `ssh` that opened no way, with its own words.
pub(super) fn refused(host: &Host, said: &str, context: &Context) -> Failure {
    let by_hand = by_hand(host, context);
    let resolved = resolve(host, context);
    let message = format!("{} cannot be reached: {}", host.name, host.url);
    let mut failure = Failure::new(Exit::Network, message);
    failure.causes.extend(said.lines().map(|line| line.trim().to_owned()));
    match resolved {
        Some(resolved) if !resolved.indirect && !listens(&resolved) => {
            let Resolved { hostname, port, .. } = resolved;
            failure.causes.insert(0, format!("nothing answers at {hostname}, port {port}"));
            failure.hint(format!("is it on, and its ssh server running? try: {by_hand}"))
        }
        Some(resolved) if !is_known(&resolved, context) => {
            failure.causes.insert(0, "its key is not known on this machine".to_owned());
            failure.hint(format!("compare its key and accept it, once: {by_hand}"))
        }
        _ => failure.hint(format!("try by hand until it works: {by_hand}")),
    }
    .hint(format!("then: occ host test {}", host.name))
}

/// Returns the command that a person types to see the same.
fn by_hand(host: &Host, context: &Context) -> String {
    let mut words = vec!["ssh".to_owned()];
    if let Some(file) = context.env.ssh_config() {
        words.extend(["-F".to_owned(), file]);
    }
    if let Some(port) = host.url.port {
        words.extend(["-p".to_owned(), port.to_string()]);
    }
    let user = host.url.user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
    words.push(format!("{user}{}", host.url.host));
    words.join(" ")
}

fn resolve(host: &Host, context: &Context) -> Option<Resolved> {
    let mut command = Command::new(context.env.program("ssh")?);
    command.args(arguments(host, context)).args(["-G", "--", &host.url.host]);
    let run = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&run.stdout);
    run.status.success().then(|| parse(&text, context.env.user_home()))
}

fn parse(text: &str, home: &std::path::Path) -> Resolved {
    let mut resolved = Resolved::default();
    let file = |word: &str| match word.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => word.into(),
    };
    for line in text.lines() {
        let Some((key, value)) = line.split_once(' ') else { continue };
        match key {
            "hostname" => value.clone_into(&mut resolved.hostname),
            "port" => resolved.port = value.parse().unwrap_or_default(),
            "hostkeyalias" => resolved.alias = Some(value.to_owned()),
            "userknownhostsfile" | "globalknownhostsfile" => {
                resolved.known.extend(value.split(' ').map(file));
            }
            "proxycommand" | "proxyjump" => resolved.indirect |= value != "none",
            _ => {}
        }
    }
    resolved
}

fn listens(resolved: &Resolved) -> bool {
    let addresses = (resolved.hostname.as_str(), resolved.port).to_socket_addrs();
    let mut addresses = addresses.into_iter().flatten();
    addresses.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

/// Returns whether any file of known hosts names this one; where that cannot be asked, it is known.
fn is_known(resolved: &Resolved, context: &Context) -> bool {
    let Some(keygen) = context.env.program("ssh-keygen") else { return true };
    let name = match &resolved.alias {
        Some(alias) => alias.clone(),
        None if resolved.port == 22 => resolved.hostname.clone(),
        None => format!("[{}]:{}", resolved.hostname, resolved.port),
    };
    resolved.known.iter().filter(|file| file.exists()).any(|file| {
        let mut command = Command::new(&keygen);
        let run = command.arg("-F").arg(&name).arg("-f").arg(file).output();
        run.is_ok_and(|run| run.status.success())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_would_do_is_read_from_its_own_answer() {
        let text = "hostname 10.0.0.1\nport 2222\nproxyjump none\n\
                    userknownhostsfile ~/.ssh/known_hosts /etc/more\nforwardagent no\n";
        let expected = Resolved {
            hostname: "10.0.0.1".to_owned(),
            port: 2222,
            alias: None,
            known: vec!["/home/me/.ssh/known_hosts".into(), "/etc/more".into()],
            indirect: false,
        };
        assert_eq!(parse(text, "/home/me".as_ref()), expected);
        assert!(parse("proxyjump gate.lan\n", "/".as_ref()).indirect);
    }
}
