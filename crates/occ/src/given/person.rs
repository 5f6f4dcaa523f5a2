//! What belongs to a person: the SSH agent and the name for commits. Passed on by consent alone.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use occ_sandbox::{Found, GitIdentity, Owner, SshAgent};

use crate::env::Environment;

/// Looks for the agent's socket.
pub(super) fn ssh_agent(
    wanted: bool,
    env: &Environment,
    notes: &mut Vec<String>,
) -> Found<SshAgent> {
    if !wanted {
        return Found::Unwanted;
    }
    let Some(named) = env.variable("SSH_AUTH_SOCK").map(PathBuf::from) else {
        notes.push("no SSH agent is passed on: SSH_AUTH_SOCK is not set".to_owned());
        return Found::Missing;
    };
    let socket = named.canonicalize().and_then(|path| Ok((path.metadata()?, path)));
    match socket {
        Ok((meta, socket)) if meta.file_type().is_socket() => {
            notes.push(
                "whatever runs in the sandbox can sign in with your SSH agent wherever your keys open a door, \
                 for as long as it runs; it cannot read the keys themselves"
                    .to_owned(),
            );
            Found::There(SshAgent { socket, owner: Owner { uid: meta.uid(), gid: meta.gid() } })
        }
        _ => {
            notes.push(format!(
                "no SSH agent is passed on: there is no socket at {}",
                named.display()
            ));
            Found::Missing
        }
    }
}

/// Asks the host's git who commits.
pub(super) fn git_identity(
    wanted: bool,
    env: &Environment,
    notes: &mut Vec<String>,
) -> Found<GitIdentity> {
    if !wanted {
        return Found::Unwanted;
    }
    let program = env.program("git");
    let ask = |key: &str| {
        let mut git = Command::new(program.as_ref()?);
        // Not what the repository says where the command was typed.
        git.args(["-C", "/", "config", "--get", key]).stdin(Stdio::null()).stderr(Stdio::null());
        let said = String::from_utf8(git.output().ok()?.stdout).ok()?;
        let said = said.trim_end_matches('\n');
        (!said.is_empty()).then(|| said.to_owned())
    };
    let identity = GitIdentity { name: ask("user.name"), email: ask("user.email") };
    if identity.name.is_none() && identity.email.is_none() {
        notes.push("no name for commits is passed on: git on this host knows none".to_owned());
        return Found::Missing;
    }
    Found::There(identity)
}
