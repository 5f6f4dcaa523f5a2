//! Docker's protocol for credential helpers: a program, a host on its input, JSON on its output.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Credentials, KeychainError};
use crate::secret::Secret;

/// What every helper's name begins with.
const PREFIX: &str = "docker-credential-";
/// Longest answer that is read, in bytes.
const ANSWER_LIMIT: u64 = 64 * 1024;
/// SPEC: what a helper writes, and fails, when it has nothing for a host.
const NOTHING: &[u8] = b"credentials not found in native keychain";
/// SPEC: the user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials that it has under `key`.
pub(super) async fn ask(
    name: &str,
    search_path: Option<&OsStr>,
    key: &str,
    limit: Duration,
) -> Result<Option<Credentials>, KeychainError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // A name with a slash would lead to any program at all.
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(KeychainError::HelperName { name: name.to_owned() });
    }
    let program = format!("{PREFIX}{name}");
    let Some(path) = find(&program, search_path) else {
        return Err(KeychainError::HelperMissing { program });
    };
    let failed = |source| KeychainError::HelperRun { program: program.clone(), source };
    let mut child = Command::new(path)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // What it says there could be a secret, and is for nobody here.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let ended = timeout(limit, speak(&mut child, key)).await;
    let Ok(ended) = ended else {
        return Err(KeychainError::HelperSlow { program, after: limit });
    };
    let (output, code) = ended.map_err(failed)?;
    understand(&output, code, program)
}

async fn speak(child: &mut Child, key: &str) -> io::Result<(Vec<u8>, Option<i32>)> {
    let lost = || io::Error::other("it started without its streams");
    let mut input = child.stdin.take().ok_or_else(lost)?;
    let output = child.stdout.take().ok_or_else(lost)?;
    // One that does not read its input is known by its answer.
    let _unread = input.write_all(key.as_bytes()).await;
    drop(input);
    let mut answer = Vec::new();
    output.take(ANSWER_LIMIT).read_to_end(&mut answer).await?;
    let status = child.wait().await?;
    Ok((answer, status.code()))
}

fn understand(
    output: &[u8],
    code: Option<i32>,
    program: String,
) -> Result<Option<Credentials>, KeychainError> {
    if code != Some(0) {
        let is_nothing = output.trim_ascii() == NOTHING;
        return if is_nothing {
            Ok(None)
        } else {
            Err(KeychainError::HelperFailed { program, code })
        };
    }
    let Ok(Answer { username, secret }) = serde_json::from_slice(output) else {
        return Err(KeychainError::HelperAnswer { program });
    };
    let secret = Secret::new(secret);
    Ok(Some(match username.as_str() {
        TOKEN_USER => Credentials::Identity(secret),
        _ => Credentials::Password { user: username, password: secret },
    }))
}

fn find(program: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search_path?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
