//! The values of secrets, from files, variables and commands of this host.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;
use occ_sandbox::{SecretError, SecretRef, SecretSource, SecretValue, secret_value};
use tokio::process::Command;

use crate::env::Environment;

/// How long a command may take: it may ask a person to unlock something.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gets values from this host, each once, so that what was there before a stop is there after it.
#[derive(Debug)]
pub(crate) struct HostSecrets {
    env: Environment,
    known: Mutex<BTreeMap<SecretRef, SecretValue>>,
}

impl HostSecrets {
    /// Returns a source that has asked for nothing yet.
    pub(crate) fn new(env: &Environment) -> Self {
        Self { env: env.clone(), known: Mutex::default() }
    }

    async fn ask(&self, name: &str, from: &SecretRef) -> Result<SecretValue, SecretError> {
        let failed = |why: String, source| SecretError { name: name.to_owned(), why, source };
        let bytes = match from {
            SecretRef::File(path) => std::fs::read(path).map_err(|error| {
                failed(format!("the file cannot be read: {}", path.display()), Some(error))
            })?,
            SecretRef::Env(variable) => {
                let value = self.env.variable(variable);
                let unset = || failed(format!("the variable is not set: {variable}"), None);
                value.ok_or_else(unset)?.into_bytes()
            }
            SecretRef::Command(command) => {
                run(command).await.map_err(|(why, source)| failed(why, source))?
            }
        };
        secret_value(name, bytes)
    }
}

impl SecretSource for HostSecrets {
    fn value<'a>(
        &'a self,
        name: &'a str,
        from: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretValue, SecretError>> {
        Box::pin(async move {
            let known = || self.known.lock().expect("nobody panics with it");
            if let Some(value) = known().get(from).cloned() {
                return Ok(value);
            }
            let value = self.ask(name, from).await?;
            known().insert(from.clone(), value.clone());
            Ok(value)
        })
    }
}

/// Runs a command and returns what it prints; what it has to say to a person it says itself. The command may
/// hold more than a person likes to see again, so no failure repeats it.
async fn run(command: &str) -> Result<Vec<u8>, (String, Option<std::io::Error>)> {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let ended =
        tokio::time::timeout(PATIENCE, async { shell.spawn()?.wait_with_output().await }).await;
    let late = |_| (format!("its command did not end within {} s", PATIENCE.as_secs()), None);
    let output = ended.map_err(late)?;
    let output = output.map_err(|error| ("its command cannot be run".to_owned(), Some(error)))?;
    if !output.status.success() {
        return Err((format!("its command ended with {}", output.status), None));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &HostSecrets, from: &str) -> Result<SecretValue, SecretError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let from: SecretRef = from.parse().expect("a reference");
        runtime.expect("a runtime").block_on(source.value("TOKEN", &from))
    }

    #[test]
    fn a_value_comes_from_a_file_or_a_command_and_is_asked_for_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (file, count) = (dir.path().join("token"), dir.path().join("count"));
        std::fs::write(&file, "from a file\n").expect("a file");
        let source = HostSecrets::new(&Environment::read());
        let from_file = value(&source, &format!("file:{}", file.display())).expect("a value");
        assert_eq!(from_file.expose(), "from a file");
        let command = format!("cmd:echo x >>{}; echo 'from a command'", count.display());
        for _ in 0..2 {
            assert_eq!(value(&source, &command).expect("a value").expose(), "from a command");
        }
        assert_eq!(std::fs::read_to_string(count).expect("a file"), "x\n");
    }

    #[test]
    fn what_cannot_be_had_is_named_with_the_reason_and_without_the_command() {
        let source = HostSecrets::new(&Environment::read());
        for (from, why) in [
            ("file:/nonexistent/token", "the file cannot be read: /nonexistent/token"),
            ("env:OCC_NO_SUCH_VARIABLE", "the variable is not set: OCC_NO_SUCH_VARIABLE"),
            ("cmd:exit 3 # hunter2", "its command ended with exit status: 3"),
            ("cmd:true # hunter2", "it is empty"),
        ] {
            let error = value(&source, from).expect_err(from).to_string();
            assert_eq!(error, format!("the secret TOKEN cannot be had: {why}"));
        }
    }
}
