//! A program inside a running container: its streams, its terminal, its exit code.

use std::io;
use std::time::Duration;

use bollard::body_full;
use bollard::models::ExecConfig;
use bollard::query_parameters::ResizeExecOptionsBuilder;
use bytes::BytesMut;
use hyper::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf,
};
use tokio::sync::watch;

use super::failure::broken;
use super::frames::Frames;
use super::wire::refusal;
use super::{Docker, LOOK, named, within};
use crate::container::{ContainerState, Phase};
use crate::error::Error;
use crate::exec::{ExecIo, ExecSpec, TerminalSize};
use crate::logs::Source;

const RUNNING: &str = "running a program";

/// How often the exit code is asked for after the streams ended, and the pause between.
const ASKED: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

impl Docker {
    /// Dropping the returned future leaves the program running: the engine has no way to end it.
    pub(super) async fn run(
        &self,
        container: &str,
        spec: &ExecSpec,
        io: ExecIo<'_>,
    ) -> Result<i64, Error> {
        let asked = self.client.create_exec(named(container)?, config(spec, io.stdin.is_some()));
        let prepared = within("preparing a program", LOOK, asked).await;
        let idle = |state: &ContainerState| state.phase != Phase::Running;
        let id = self.conflicting(prepared, container, idle).await?.id;
        let (output, input) = tokio::io::split(self.attach(&id, spec.terminal).await?);
        let ExecIo { stdin, stdout, stderr, size } = io;
        let feeding = async {
            let feed = feed(stdin, input);
            let follow = self.follow_size(&id, size.filter(|_| spec.terminal));
            tokio::try_join!(feed, follow)?;
            // The program decides when it is over.
            std::future::pending::<Result<(), Error>>().await
        };
        tokio::select! {
            ended = relay(output, Frames::new(spec.terminal), stdout, stderr) => ended?,
            failed = feeding => failed?,
        }
        self.exit_code(&id).await
    }

    /// Not through the client library: it looks for frames in a terminal's bytes, where there are
    /// none, and waits for ever when it believes to have found one.
    async fn attach(&self, id: &str, terminal: bool) -> Result<TokioIo<Upgraded>, Error> {
        let body = serde_json::json!({ "Detach": false, "Tty": terminal }).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/exec/{id}/start"))
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "tcp")
            .body(body_full(body.into()))
            .map_err(|error| broken(RUNNING, error))?;
        let response = self.wire.request(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(response).await);
        }
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map_err(|error| broken(RUNNING, error))
    }

    async fn follow_size(
        &self,
        id: &str,
        size: Option<watch::Receiver<TerminalSize>>,
    ) -> Result<(), Error> {
        let Some(mut size) = size else { return Ok(()) };
        loop {
            let TerminalSize { columns, rows } = *size.borrow_and_update();
            let options = ResizeExecOptionsBuilder::new().w(columns.into()).h(rows.into()).build();
            match within("resizing a terminal", LOOK, self.client.resize_exec(id, options)).await {
                // The program may not have started yet or have ended: its size is no reason to fail.
                Ok(())
                | Err(Error::NotFound { .. } | Error::Conflict { .. } | Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
            if size.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// The streams may end a moment before the engine has noted the exit code.
    async fn exit_code(&self, id: &str) -> Result<i64, Error> {
        for _ in 0..ASKED {
            let state =
                within("asking for an exit code", LOOK, self.client.inspect_exec(id)).await?;
            if let (Some(code), Some(false)) = (state.exit_code, state.running) {
                return Ok(code);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(broken(RUNNING, "its streams ended and the program did not"))
    }
}

fn config(spec: &ExecSpec, stdin: bool) -> ExecConfig {
    ExecConfig {
        attach_stdin: Some(stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(spec.terminal),
        cmd: Some(spec.command.clone()),
        env: Some(spec.env.clone()),
        user: spec.user.clone(),
        working_dir: spec.working_dir.clone(),
        privileged: Some(false),
        ..Default::default()
    }
}

/// Copies our input to the program and closes it at the end.
async fn feed(
    source: Option<Box<dyn AsyncRead + Send + Unpin + '_>>,
    mut input: WriteHalf<TokioIo<Upgraded>>,
) -> Result<(), Error> {
    let reading = |source| Error::Local { doing: "read the program's input", source };
    if let Some(mut source) = source {
        let mut piece = BytesMut::with_capacity(16 * 1024);
        while source.read_buf(&mut piece).await.map_err(reading)? > 0 {
            // A program that has ended takes nothing more; its output tells when that is.
            if input.write_all_buf(&mut piece).await.is_err() {
                return Ok(());
            }
        }
    }
    // Closing what is closed already is no failure.
    let _closed = input.shutdown().await;
    Ok(())
}

/// Copies the program's output to us until it ends.
async fn relay(
    mut output: ReadHalf<TokioIo<Upgraded>>,
    mut frames: Frames,
    mut stdout: Box<dyn AsyncWrite + Send + Unpin + '_>,
    mut stderr: Box<dyn AsyncWrite + Send + Unpin + '_>,
) -> Result<(), Error> {
    let writing = |source: io::Error| Error::Local { doing: "write the program's output", source };
    let mut piece = BytesMut::with_capacity(16 * 1024);
    loop {
        while let Some(chunk) = frames.next() {
            let to = match chunk.source {
                Source::Stdout => &mut stdout,
                Source::Stderr => &mut stderr,
            };
            to.write_all(&chunk.bytes).await.map_err(writing)?;
            to.flush().await.map_err(writing)?;
        }
        piece.clear();
        match output.read_buf(&mut piece).await {
            Ok(0) if frames.is_cut() => return Err(broken(RUNNING, "its output was cut short")),
            Ok(0) => return Ok(()),
            Ok(_) => frames.push(&piece),
            Err(error) => return Err(broken(RUNNING, error)),
        }
    }
}
