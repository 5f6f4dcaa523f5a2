//! `occ start --foreground`: starts the sandbox, stays with it, ends with it.
//!
//! This is what a service runs. The engine starts a sandbox that crashed again, as the setting `restart`
//! says; what it cannot notice is done here: an engine that went away and comes back, a sandbox that another
//! occ replaced, and with the watchdog a server that does not answer.

mod ended;
mod watchdog;

use std::time::Duration;

use occ_engine::{ContainerState, Docker, Engine as _, Error as EngineError, Phase, RestartPolicy};
use occ_sandbox::{HistoryEntry, TryLock, Verdict};
use tokio::time::Instant;

use self::ended::{Ended, ended};
use self::watchdog::{Alarm, Watchdog};
use super::{StartSettings, start};
use crate::commands::own_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::notify::Notifier;
use crate::time;

/// How long an engine may be away: booting, or being updated.
const ENGINE_PATIENCE: Duration = Duration::from_secs(120);
/// How long the sandbox may take to end by itself.
const GRACE: Duration = Duration::from_secs(30);
/// How long another occ may take to finish its work before the sandbox is left to it.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_millis(500);

/// Starts and stays.
pub(super) async fn run(settings: StartSettings, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    await_engine(&engine, context).await?;
    let again = settings.again_in_silence();
    let config = settings.config();
    start(settings, context).await?;
    let notifier = Notifier::new(&context.env);
    notifier.ready("the sandbox is ready");
    let watchdog = config.watchdog.map(|interval| Watchdog::new(interval, &config));
    let mut follower = Follower {
        engine,
        context,
        notifier,
        again,
        watchdog,
        restart: config.restart,
        restarts: 0,
    };
    follower.proved().await?;
    follower.follow().await
}

struct Follower<'a> {
    engine: Docker,
    context: &'a Context,
    notifier: Notifier,
    again: StartSettings,
    watchdog: Option<Watchdog>,
    restart: RestartPolicy,
    /// How often the engine has started this container again, as last seen.
    restarts: u64,
}

/// What happens next to a sandbox that runs.
enum Turn {
    /// Somebody wants it to end.
    Asked,
    /// It does not run any more, or the engine is gone.
    Ended,
    /// The watchdog wants it started again, or gives up.
    Alarm(Alarm),
}

impl Follower<'_> {
    /// Takes note of the run that a start has just proved.
    async fn proved(&mut self) -> Result<(), Failure> {
        let state = own_container(&self.engine, self.context).await?;
        self.restarts = state.as_ref().map_or(0, |state| state.restarts);
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.proved(state.and_then(|state| state.started_at));
        }
        Ok(())
    }

    async fn follow(mut self) -> Result<Exit, Failure> {
        loop {
            match self.next().await? {
                Turn::Asked => return self.stop().await,
                Turn::Alarm(alarm) => self.heed(alarm).await?,
                Turn::Ended => match self.look().await? {
                    None if self.context.cancel.is_cancelled() => return self.stop().await,
                    // An engine that cannot be waited at is asked now and then instead.
                    None => tokio::time::sleep(BEAT).await,
                    Some(Ended::Stopped(how)) => {
                        self.context
                            .terminal
                            .say(&format!("The sandbox {how}; nothing left to do"));
                        return Ok(Exit::Done);
                    }
                    Some(Ended::Crashed(status)) => return Err(crashed(&status)),
                },
            }
        }
    }

    async fn next(&mut self) -> Result<Turn, Failure> {
        let Self { engine, context, watchdog, .. } = self;
        let name = context.instance.container();
        let alarm = async {
            match watchdog {
                Some(watchdog) => watchdog.watch(engine, context).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = context.cancel.cancelled() => Ok(Turn::Asked),
            // How it ended is asked again, under the lock.
            _ended = engine.wait_container(&name) => Ok(Turn::Ended),
            alarm = alarm => Ok(Turn::Alarm(alarm?)),
        }
    }

    /// Looks at a sandbox that ended; none when it runs (again), or nobody wants to know any more.
    async fn look(&mut self) -> Result<Option<Ended>, Failure> {
        let (engine, context) = (&self.engine, self.context);
        loop {
            await_engine(engine, context).await?;
            // Whoever replaces or stops the sandbox holds the lock; what is seen under it is meant to last.
            let Some(_lock) = lock_within(None, context).await? else { return Ok(None) };
            let state = own_container(engine, context).await?;
            let restarts = state.as_ref().map_or(0, |state| state.restarts);
            if restarts > self.restarts {
                let said = format!(
                    "the sandbox ended by itself, and the engine starts it again ({restarts})"
                );
                context.terminal.warn(&said);
                self.notifier.status(&said);
            }
            self.restarts = restarts;
            if state.as_ref().is_none_or(|state| state.phase != Phase::Restarting) {
                let stopped = state.as_ref().is_some_and(|state| stopped(state, context));
                return Ok(ended(state.as_ref(), self.restart, stopped));
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = context.cancel.cancelled() => return Ok(None),
            }
        }
    }

    async fn heed(&mut self, alarm: Alarm) -> Result<(), Failure> {
        let context = self.context;
        let kept = watchdog::keep_evidence(&alarm, &self.engine, context).await;
        let verdict =
            if matches!(alarm, Alarm::GiveUp { .. }) { Verdict::Failed } else { Verdict::Done };
        let entry = HistoryEntry {
            why: Some("the server did not answer".to_owned()),
            ..HistoryEntry::new(time::now(), "watchdog", verdict)
        };
        context.home().remember(&entry)?;
        let Alarm::Restart { after, number, .. } = alarm else {
            return Err(given_up(kept.as_deref()));
        };
        context.terminal.warn(&format!(
            "the sandbox does not answer; starting it again ({number}){}",
            kept.map(|path| format!(", evidence: {}", path.display())).unwrap_or_default()
        ));
        self.notifier.status("starting a sandbox again that did not answer");
        tokio::select! {
            () = tokio::time::sleep(after) => {}
            () = context.cancel.cancelled() => return Ok(()),
        }
        let lock = context.lock().await?;
        // A server that does not answer seldom hears that it should end.
        self.engine.stop_container(&context.instance.container(), watchdog::GRACE).await?;
        drop(lock);
        match start(self.again.clone(), context).await {
            Ok(_) => {
                self.proved().await?;
                self.notifier.status("the sandbox is ready");
            }
            // The watch goes on: it counts, and gives up when it is time.
            Err(failure) if failure.exit == Exit::Unhealthy => {
                context.terminal.warn(&failure.message);
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Stops the sandbox, as it was asked to.
    async fn stop(&self) -> Result<Exit, Failure> {
        self.notifier.stopping();
        let Some(_lock) = lock_within(Some(LOCK_PATIENCE), self.context).await? else {
            self.context.terminal.warn("another occ works on the sandbox, which is left to it");
            return Ok(Exit::Done);
        };
        self.context.terminal.say("Stopping the sandbox");
        self.engine
            .stop_container(&self.context.instance.container(), GRACE)
            .await
            .or_else(gone)?;
        Ok(Exit::Done)
    }
}

/// Returns whether an occ has stopped this very run, as the history says.
fn stopped(state: &ContainerState, context: &Context) -> bool {
    let begun = state.started_at.as_deref().and_then(time::nanos).unwrap_or_default();
    let history = context.home().history().unwrap_or_default();
    let last = history.iter().rev().find(|entry| entry.what == "stop");
    // The history tells whole seconds.
    last.and_then(|entry| time::nanos(&entry.at)).is_some_and(|at| at + 1_000_000_000 > begun)
}

fn gone(error: EngineError) -> Result<(), EngineError> {
    if matches!(error, EngineError::NotFound { .. }) { Ok(()) } else { Err(error) }
}

fn crashed(status: &occ_engine::ExitStatus) -> Failure {
    let memory = if status.oom_killed { ": it ran out of memory" } else { "" };
    let words = status.error.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
    let message = format!("the sandbox ended with exit code {}{memory}{words}", status.code);
    Failure::new(Exit::Unhealthy, message).hint("see what it said: occ logs")
}

fn given_up(evidence: Option<&std::path::Path>) -> Failure {
    let message = "the sandbox does not answer, and starting it again did not help";
    let failure = Failure::new(Exit::Unhealthy, message);
    let failure = match evidence {
        Some(path) => failure.hint(format!("what was seen: cat {}", path.display())),
        None => failure,
    };
    failure.hint("look: occ logs; for a report: occ diagnose")
}

/// Waits until the engine answers; one that is not there at boot comes up beside us.
async fn await_engine(engine: &Docker, context: &Context) -> Result<(), Failure> {
    let deadline = Instant::now() + ENGINE_PATIENCE;
    let mut told = false;
    loop {
        let absent = match engine.container(&context.instance.container()).await {
            Ok(_) => return Ok(()),
            Err(error @ (EngineError::NotRunning { .. } | EngineError::NotInstalled { .. })) => {
                error
            }
            // An engine that is being shut down breaks what is under way.
            Err(error @ EngineError::Broken { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if Instant::now() >= deadline || context.cancel.is_cancelled() {
            return Err(absent.into());
        }
        if !told {
            told = true;
            context.terminal.say("Waiting for the container engine");
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = context.cancel.cancelled() => {}
        }
    }
}

/// Takes the sandbox's lock; with a limit also after the wish to stop, without one until that wish.
async fn lock_within(
    limit: Option<Duration>,
    context: &Context,
) -> Result<Option<occ_sandbox::Lock>, Failure> {
    let (home, begun) = (context.home(), Instant::now());
    loop {
        if let TryLock::Held(lock) = home.try_lock()? {
            return Ok(Some(lock));
        }
        let over = match limit {
            Some(limit) => begun.elapsed() > limit,
            None => context.cancel.is_cancelled(),
        };
        if over {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
