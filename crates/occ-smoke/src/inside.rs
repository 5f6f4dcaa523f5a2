//! Commands inside the container, as a port: the real one goes through the engine.

use futures_util::future::BoxFuture;
use tokio::io::DuplexStream;

/// A program that ran to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code.
    pub code: i64,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Why nothing can be run inside.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {program} inside")]
pub struct Trouble {
    /// The program.
    pub program: String,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A way to run programs inside, as the container's own user.
pub trait Inside: Send + Sync {
    /// Runs a program and waits for its end.
    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Ran, Trouble>>;
}

/// A way to talk to programs inside while they run.
pub trait Talk: Inside {
    /// Runs a program with the ends of two pipes as its standard input and output, and returns its exit code.
    fn run_with<'a>(
        &'a self,
        command: &'a [&'a str],
        stdin: DuplexStream,
        stdout: DuplexStream,
    ) -> BoxFuture<'a, Result<i64, Trouble>>;
}
