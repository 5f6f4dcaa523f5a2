//! `occ exec` and `occ shell`: a program in the sandbox.

use std::io::IsTerminal as _;

use clap::Args;
use occ_engine::{Engine as _, ExecIo, ExecSpec, Phase, TerminalSize};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::existing_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// User to run as, instead of opencode
    #[arg(long, short, value_name = "USER")]
    user: Option<String>,
    /// Folder to run in, instead of the workspace
    #[arg(long, short, value_name = "DIR")]
    workdir: Option<String>,
    /// Further environment
    #[arg(long, short, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Give the program no terminal, even when there is one
    #[arg(long, short = 'T')]
    no_tty: bool,
    /// Program and arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// Runs `occ exec`; the exit code is the program's own.
pub(crate) fn run(args: ExecArgs, context: &Context) -> Result<Exit, Failure> {
    let spec = ExecSpec {
        command: args.command,
        user: args.user,
        working_dir: args.workdir,
        env: args.env,
        terminal: !args.no_tty && at_terminal(),
    };
    execute(spec, context)
}

/// Runs `occ shell`.
pub(crate) fn shell(context: &Context) -> Result<Exit, Failure> {
    let command = ["/bin/bash", "-l"].map(str::to_owned).into();
    execute(ExecSpec { command, terminal: at_terminal(), ..ExecSpec::default() }, context)
}

fn at_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn execute(mut spec: ExecSpec, context: &Context) -> Result<Exit, Failure> {
    if spec.terminal
        && let Some(term) = context.env.variable("TERM")
    {
        spec.env.push(format!("TERM={term}"));
    }
    let code = context.block_on(async {
        let engine = context.engine()?;
        let state = existing_container(&engine, context).await?;
        if state.phase != Phase::Running {
            return Err(Failure::new(Exit::Failed, "the sandbox is not running")
                .hint("start it: occ start"));
        }
        let raw = if spec.terminal { Raw::enter() } else { None };
        let io = ExecIo {
            stdin: Some(Box::new(tokio::io::stdin())),
            stdout: Box::new(tokio::io::stdout()),
            stderr: Box::new(tokio::io::stderr()),
            size: spec.terminal.then(sizes).flatten(),
        };
        let ran = tokio::select! {
            ran = engine.exec(&state.name, &spec, io) => ran.map_err(Failure::from),
            () = context.cancel.cancelled() => Ok(i64::from(Exit::Interrupted.code())),
        };
        drop(raw);
        ran
    })?;
    Ok(Exit::Child(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// A terminal that hands every key on; dropped, it is as before.
struct Raw(Termios);

impl Raw {
    fn enter() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// Returns the terminal's size now and whenever it changes.
fn sizes() -> Option<watch::Receiver<TerminalSize>> {
    let (send, receive) = watch::channel(size()?);
    let mut changes = signal(SignalKind::window_change()).ok()?;
    tokio::spawn(async move {
        while changes.recv().await.is_some() {
            let Some(size) = size() else { return };
            if send.send(size).is_err() {
                return;
            }
        }
    });
    Some(receive)
}

fn size() -> Option<TerminalSize> {
    let size = tcgetwinsize(std::io::stdout()).ok()?;
    Some(TerminalSize { columns: size.ws_col, rows: size.ws_row })
}
