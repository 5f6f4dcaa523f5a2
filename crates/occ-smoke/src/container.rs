//! The inside of a container of an engine.

use futures_util::future::BoxFuture;
use occ_engine::{Engine, ExecIo, ExecSpec};
use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};

use crate::inside::{Inside, Ran, Talk, Trouble};

/// Most that is kept of an output, in bytes; what comes after it is read and forgotten.
const OUTPUT_LIMIT: usize = 1024 * 1024;
/// What a pipe holds, in bytes.
const PIPE: usize = 64 * 1024;

/// A running container.
#[derive(Debug)]
pub struct InContainer<'a, E> {
    /// The engine.
    pub engine: &'a E,
    /// The container's name.
    pub container: &'a str,
}

impl<E: Engine> InContainer<'_, E> {
    async fn exec(&self, command: &[&str], io: ExecIo<'_>) -> Result<i64, Trouble> {
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let program = command.first().cloned().unwrap_or_default();
        let spec = ExecSpec { command, ..ExecSpec::default() };
        let ran = self.engine.exec(self.container, &spec, io).await;
        ran.map_err(|source| Trouble { program, source: source.into() })
    }
}

impl<E: Engine> Inside for InContainer<'_, E> {
    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Ran, Trouble>> {
        Box::pin(async move {
            let ((out, read_out), (err, read_err)) = (duplex(PIPE), duplex(PIPE));
            let io =
                ExecIo { stdin: None, stdout: Box::new(out), stderr: Box::new(err), size: None };
            let (code, out, err) =
                tokio::join!(self.exec(command, io), whole(read_out), whole(read_err));
            Ok(Ran { code: code?, out, err })
        })
    }
}

impl<E: Engine> Talk for InContainer<'_, E> {
    fn run_with<'a>(
        &'a self,
        command: &'a [&'a str],
        stdin: DuplexStream,
        stdout: DuplexStream,
    ) -> BoxFuture<'a, Result<i64, Trouble>> {
        Box::pin(async move {
            let io = ExecIo {
                stdin: Some(Box::new(stdin)),
                stdout: Box::new(stdout),
                stderr: Box::new(tokio::io::sink()),
                size: None,
            };
            self.exec(command, io).await
        })
    }
}

/// Reads a pipe to its end.
async fn whole(mut pipe: DuplexStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIPE];
    // A pipe in memory does not fail.
    while let Ok(length @ 1..) = pipe.read(&mut piece).await {
        let room = OUTPUT_LIMIT.saturating_sub(bytes.len());
        bytes.extend_from_slice(&piece[..length.min(room)]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
