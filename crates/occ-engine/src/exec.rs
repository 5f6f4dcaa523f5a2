//! A program run inside a running container.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// What to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecSpec {
    /// Program and arguments, at least one.
    pub command: Vec<String>,
    /// User, the container's own when `None`.
    pub user: Option<String>,
    /// Folder, the container's own when `None`.
    pub working_dir: Option<String>,
    /// Further environment, `NAME=value`.
    pub env: Vec<String>,
    /// Whether the program gets a terminal (then all output comes on `stdout`).
    pub terminal: bool,
}

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// The three streams of the program, and its terminal's size when it has one.
pub struct ExecIo<'a> {
    /// Fed to the program; `None` closes its standard input at once.
    pub stdin: Option<Box<dyn AsyncRead + Send + Unpin + 'a>>,
    /// Receives standard output.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin + 'a>,
    /// Receives standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin + 'a>,
    /// Size now and whenever it changes.
    pub size: Option<watch::Receiver<TerminalSize>>,
}

impl std::fmt::Debug for ExecIo<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecIo").field("stdin", &self.stdin.is_some()).finish_non_exhaustive()
    }
}
