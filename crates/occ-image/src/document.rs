//! Reading the hand-written files: strictly, and with the place of every mistake.

use serde::de::DeserializeOwned;

/// A hand-written file says something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DocumentError {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Reads TOML; `file` is only its name for messages.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, DocumentError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        place(file, text, at, error.message().to_owned())
    })
}

/// Makes an error that points at byte `at`.
pub(crate) fn place(file: &str, text: &str, at: usize, message: String) -> DocumentError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    DocumentError {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message,
    }
}
