//! What every command is given.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use occ_image::BuildError;
use occ_sandbox::{AUTO, Cancel, Claim, Event, Instance, Lock, TryLock};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::addressing::Addressing;
use crate::cli::Global;
use crate::config::{ConfigFile, Layers};
use crate::env::Environment;
use crate::failure::Failure;
use crate::remote::{HostName, Tunnel};
use crate::secrets::HostSecrets;
use crate::terminal::Terminal;

/// Returns what a command that is typed next has to name: a variable still does, a flag has to be repeated.
fn addressing(env: &Environment, instance: &Instance, host: Option<&HostName>) -> Addressing {
    let named = env.variable("OCC_INSTANCE");
    let is_meant = instance.is_first()
        || named.is_some_and(|name| [instance.name(), AUTO].contains(&name.as_str()));
    Addressing {
        instance: (!is_meant).then(|| instance.clone()),
        host: host.filter(|_| env.variable("OCC_HOST").is_none()).cloned(),
    }
}

/// What every command is given.
pub(crate) struct Context {
    /// The way to people and programs.
    pub(crate) terminal: Terminal,
    /// What the environment says.
    pub(crate) env: Environment,
    /// Which sandbox.
    pub(crate) instance: Instance,
    /// The machine it runs on, where it is not this one.
    pub(crate) host: Option<HostName>,
    /// The way to that machine's engine, once it was needed.
    pub(crate) way: OnceLock<Tunnel<PathBuf>>,
    /// The wish to stop, from Ctrl-C.
    pub(crate) cancel: Cancel,
    /// The values of secrets that were asked for so far.
    pub(crate) secrets: HostSecrets,
}

impl Context {
    /// Reads the environment, and chooses the instance; a failure comes with the way to report it.
    pub(crate) fn new(global: &Global) -> Result<Self, Box<(Terminal, Failure)>> {
        let env = Environment::read();
        let mut terminal = Terminal::new(global, env.no_color);
        match global.instance.resolve(env.working_dir.as_deref()) {
            Ok(instance) => {
                let secrets = HostSecrets::new(&env);
                let (host, way, cancel) = (global.host.clone(), OnceLock::new(), Cancel::default());
                terminal.speak_of(addressing(&env, &instance, host.as_ref()));
                Ok(Self { terminal, env, instance, host, way, cancel, secrets })
            }
            Err(failure) => Err(Box::new((terminal, failure))),
        }
    }

    /// Returns the settings: defaults, file, environment.
    pub(crate) fn layers(&self) -> Result<Layers, Failure> {
        let path = self.env.config_file();
        let file = ConfigFile::read(&path)?;
        for note in &file.notes {
            self.terminal.warn(&format!("{}: {note}", path.display()));
        }
        Ok(Layers::new(&file, |name| self.env.variable(name))?)
    }

    /// Returns what this user may touch.
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim { instance: &self.instance, user: rustix::process::getuid().as_raw() }
    }

    /// Waits for the sandbox's lock, saying who has it, and ends what an earlier command left undone.
    pub(crate) async fn lock(&self) -> Result<Lock, Failure> {
        let lock = self.wait_for_lock().await?;
        self.recover(&lock).await?;
        if self.home().filling_path().exists() {
            crate::commands::backup::forget_part(&lock, self).await?;
        }
        Ok(lock)
    }

    /// Waits for the sandbox's lock, saying who has it, and leaves everything as it is.
    pub(crate) async fn wait_for_lock(&self) -> Result<Lock, Failure> {
        let home = self.home();
        home.create()?;
        let mut told = false;
        loop {
            let by = match home.try_lock()? {
                TryLock::Held(lock) => return Ok(lock),
                TryLock::Busy { by } => by,
            };
            if !told {
                let by = by.map_or_else(String::new, |pid| format!(" (process {pid})"));
                self.terminal
                    .say(&format!("Waiting for another occ that works on this sandbox{by}"));
                told = true;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
                () = self.cancel.cancelled() => {
                    return Err(Failure::interrupted());
                }
            }
        }
    }

    /// Does a long piece of the workshop's work on a thread of its own, showing what goes on.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(occ_image::Observer<'_>, &AtomicBool) -> Result<T, BuildError>
        + Send
        + 'static,
    ) -> Result<T, Failure> {
        self.building(work).await.map_err(Failure::from)
    }

    /// The same, for whoever needs to know what went wrong.
    pub(crate) async fn building<T: Send + 'static>(
        &self,
        work: impl FnOnce(occ_image::Observer<'_>, &AtomicBool) -> Result<T, BuildError>
        + Send
        + 'static,
    ) -> Result<T, BuildError> {
        let progress = Arc::new(self.terminal.progress());
        let (shown, cancel) = (Arc::clone(&progress), self.cancel.clone());
        let done = tokio::task::spawn_blocking(move || {
            let observer = |event| shown.show(&Event::Build(event));
            work(&observer, cancel.flag())
        });
        let done = done.await.expect("the workshop does not panic");
        progress.clear();
        done
    }

    /// Runs a future to its end; Ctrl-C and SIGTERM become the wish to stop, a second one ends the
    /// program at once.
    pub(crate) fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(async {
            // Before anything is done: a question may be the first thing.
            let mut listening = std::pin::pin!(listen(signals(), &self.cancel));
            let mut future = std::pin::pin!(future);
            tokio::select! {
                biased;
                done = &mut future => done,
                second = &mut listening => Err(second),
            }
        });
        // A thread that reads standard input would be waited for until somebody types.
        runtime.shutdown_background();
        done
    }
}

/// Takes over the signals that ask to stop.
fn signals() -> Option<(Signal, Signal)> {
    let interrupt = signal(SignalKind::interrupt()).ok()?;
    Some((interrupt, signal(SignalKind::terminate()).ok()?))
}

/// Turns the first signal into a wish and returns with the second.
async fn listen(signals: Option<(Signal, Signal)>, cancel: &Cancel) -> Failure {
    let Some((mut interrupt, mut terminate)) = signals else {
        return std::future::pending().await;
    };
    for turn in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if turn == 0 {
            cancel.cancel();
        }
    }
    Failure::interrupted()
        .hint("what was under way is finished or taken back by the next: occ start")
}
