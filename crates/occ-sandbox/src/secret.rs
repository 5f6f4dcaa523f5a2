//! A secret by reference: where its value is to be had when a sandbox starts. The value is written down nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use futures_util::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::spec::SandboxSpec;
use crate::variable::{VariableError, check_name};

/// The value of a secret; it does not print itself.
pub type SecretValue = occ_opencode::Secret<String>;

/// Where a value is to be had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// The contents of a file of the host.
    File(PathBuf),
    /// A variable of the environment in which `occ` runs.
    Env(String),
    /// What a command of the host prints.
    Command(String),
}

/// Why a text names no place of a secret; the text may be the secret itself and is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretForm {
    /// There is no name.
    #[error("a secret is written NAME=file:PATH, NAME=env:VARIABLE or NAME=cmd:COMMAND")]
    Form,
    /// What stands there is no reference.
    #[error(
        "the value of {0} is not written down: say where it is to be had, file:PATH, env:VARIABLE or cmd:COMMAND"
    )]
    NotAReference(String),
    /// The file's path is relative.
    #[error("the file of a secret is named by an absolute path: {0}")]
    Relative(String),
    /// No variable can be called so.
    #[error(transparent)]
    Name(#[from] VariableError),
}

impl FromStr for SecretRef {
    type Err = SecretForm;

    fn from_str(text: &str) -> Result<Self, SecretForm> {
        let (kind, rest) = text.split_once(':').unwrap_or_default();
        match kind {
            "file" if rest.starts_with('/') => Ok(Self::File(rest.into())),
            "file" => Err(SecretForm::Relative(rest.to_owned())),
            "env" if check_name(rest) != Err(VariableError::Name(rest.to_owned())) => {
                Ok(Self::Env(rest.to_owned()))
            }
            "cmd" if !rest.trim().is_empty() => Ok(Self::Command(rest.to_owned())),
            _ => Err(SecretForm::Form),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Command(command) => write!(f, "cmd:{command}"),
        }
    }
}

impl SecretRef {
    /// Returns what may be seen of it by everybody who may ask the engine. A command can hold more than its
    /// writer thought of, so that only its digest is there: enough to tell that it is another one.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File(_) | Self::Env(_) => self.to_string(),
            Self::Command(command) => {
                let digest = Sha256::digest(command.as_bytes());
                let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
                format!("cmd ({hex})")
            }
        }
    }
}

/// Reads `NAME=REFERENCE`.
///
/// # Errors
/// When it has another form, or no variable can be called so.
pub fn parse_secret(text: &str) -> Result<(String, SecretRef), SecretForm> {
    let (name, from) = text.split_once('=').ok_or(SecretForm::Form)?;
    check_name(name)?;
    match from.parse() {
        Ok(from) => Ok((name.to_owned(), from)),
        Err(SecretForm::Form) => Err(SecretForm::NotAReference(name.to_owned())),
        Err(other) => Err(other),
    }
}

/// Why a value could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the secret {name} cannot be had: {why}")]
pub struct SecretError {
    /// The secret's name.
    pub name: String,
    /// Why, in one line, without the value.
    pub why: String,
    /// The cause, when the system gave one.
    #[source]
    pub source: Option<io::Error>,
}

/// Longest value: the kernel gives no process a longer variable (`MAX_ARG_STRLEN`, execve(2)), its name included.
const LONGEST: usize = 120 << 10;

/// Returns what a reference gave as a value: text, without line ends at its end.
///
/// # Errors
/// When no variable can have it.
pub fn secret_value(name: &str, bytes: Vec<u8>) -> Result<SecretValue, SecretError> {
    let wrong =
        |why: &str| SecretError { name: name.to_owned(), why: why.to_owned(), source: None };
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not text"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    if text.contains('\0') {
        return Err(wrong("it has a zero byte"));
    }
    if text.len() > LONGEST {
        return Err(wrong("it is longer than a variable can be"));
    }
    Ok(SecretValue::from(text))
}

/// Gets values; it asks the host only once for each.
pub trait SecretSource: Send + Sync {
    /// Returns the value of the secret `name`.
    fn value<'a>(
        &'a self,
        name: &'a str,
        from: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretValue, SecretError>>;
}

/// Returns the values of a sandbox's secrets, by name; to be called before anything is stopped.
///
/// # Errors
/// The first that cannot be had.
pub async fn secrets(
    spec: &SandboxSpec,
    source: &dyn SecretSource,
) -> Result<BTreeMap<String, SecretValue>, SecretError> {
    let mut values = BTreeMap::new();
    for (name, from) in &spec.given.secrets {
        values.insert(name.clone(), source.value(name, from).await?);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_a_reference_and_read_back_as_the_same() {
        for text in [
            "A=file:/run/token",
            "A=env:GITHUB_TOKEN",
            "A=cmd:pass show x | head -n1",
            "A=env:PATH",
        ] {
            let (name, from) = parse_secret(text).expect(text);
            assert_eq!(format!("{name}={from}"), text);
        }
    }

    #[test]
    fn a_value_in_a_references_place_is_refused_and_not_repeated() {
        for text in ["A=hunter2", "A=", "A=env:hunter-2", "A=cmd: ", "hunter2", "PATH=env:hunter2"]
        {
            let error = parse_secret(text).expect_err(text).to_string();
            assert!(!error.contains("hunter"), "{error}");
        }
        assert!(matches!(parse_secret("A=file:token"), Err(SecretForm::Relative(_))));
    }

    #[test]
    fn a_command_is_shown_to_nobody_and_another_one_is_told_from_it() {
        let shown = |text: &str| text.parse::<SecretRef>().expect(text).shown();
        let one = shown("cmd:echo hunter2");
        assert!(!one.contains("hunter2") && one != shown("cmd:echo hunter3"), "{one}");
        assert_eq!(shown("file:/token"), "file:/token");
    }

    #[test]
    fn line_ends_are_no_part_of_a_value_and_what_no_variable_can_have_is_refused() {
        let value = secret_value("A", b"x y\nz\r\n\n".to_vec()).expect("a value");
        assert_eq!(value.expose(), "x y\nz");
        for bytes in [
            b"".to_vec(),
            b"\n".to_vec(),
            b"\xff".to_vec(),
            b"hunter\0".to_vec(),
            vec![b'a'; 130_000],
        ] {
            let error = secret_value("A", bytes).expect_err("a value");
            assert!(error.to_string().starts_with("the secret A cannot be had: it "), "{error}");
            assert!(!format!("{error:?}").contains("hunter"));
        }
    }
}
