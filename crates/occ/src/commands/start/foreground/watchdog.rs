//! The watchdog: asks the server again and again, and keeps what was seen when it stops answering.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::{ContainerState, Docker, Engine as _, LogsQuery, Phase, read_log};
use occ_sandbox::{
    Patience, Resolve, Sight, TryLock, Watch, client, load_password, look_at, reachable,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::commands::own_container;
use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;
use crate::time;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a server that does not answer may take to end.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// Lines of the log that are kept.
const LOG_LINES: u64 = 200;
/// Pieces of evidence that are kept.
const KEPT: usize = 10;

/// A watch over the sandbox's server.
pub(super) struct Watchdog {
    watch: Watch,
    interval: Duration,
    start_timeout: Duration,
    begun: Instant,
    /// Start of the run that has answered once; a younger one may still be starting.
    answered: Option<String>,
}

/// What the watch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The server is to be started again.
    Restart {
        /// After this pause.
        after: Duration,
        /// The how-manieth time.
        number: usize,
        /// What was said instead of answers.
        answers: Vec<String>,
    },
    /// It was, often enough.
    GiveUp {
        /// What was said instead of answers.
        answers: Vec<String>,
    },
}

impl Watchdog {
    /// Begins a watch as the settings say.
    pub(super) fn new(interval: Duration, config: &Config) -> Self {
        let patience = Patience {
            misses: 3,
            restarts: 3,
            forgiven_after: Duration::from_secs(3600),
            pause: Duration::from_secs(10),
        };
        Self {
            watch: Watch::new(patience),
            interval,
            start_timeout: config.start_timeout,
            begun: Instant::now(),
            answered: None,
        }
    }

    /// Notes that the run that began then has answered.
    pub(super) fn proved(&mut self, started_at: Option<String>) {
        self.answered = started_at;
    }

    /// Watches until something must be done.
    pub(super) async fn watch(
        &mut self,
        engine: &Docker,
        context: &Context,
    ) -> Result<Alarm, Failure> {
        loop {
            tokio::time::sleep(self.interval).await;
            let sight = self.look(engine, context).await?;
            match self.watch.note(sight, self.begun.elapsed()) {
                Resolve::GoOn => {}
                Resolve::Restart { after, number, answers } => {
                    return Ok(Alarm::Restart { after, number, answers });
                }
                Resolve::GiveUp { answers } => return Ok(Alarm::GiveUp { answers }),
            }
        }
    }

    async fn look(&mut self, engine: &Docker, context: &Context) -> Result<Sight, Failure> {
        // Another occ that works on the sandbox knows why it does not answer.
        if !matches!(context.home().try_lock()?, TryLock::Held(_)) {
            return Ok(Sight::Excused);
        }
        // That the engine is gone, or the container, is noticed by who waits for its end.
        let Ok(Some(state)) = own_container(engine, context).await else {
            return Ok(Sight::Excused);
        };
        let (Some(publish), Phase::Running) = (state.publish.first(), &state.phase) else {
            return Ok(Sight::Excused);
        };
        let Some(password) = load_password(&context.home())? else { return Ok(Sight::Excused) };
        let address = SocketAddr::new(reachable(publish.address), publish.host_port);
        // That there is no way to another machine says nothing about the server there.
        let Ok(reached) = context.reach(address) else { return Ok(Sight::Excused) };
        let sight = look_at(&client(reached.address, &password).within(ANSWER)).await;
        match sight {
            Sight::Alive => self.answered = state.started_at,
            _ if self.may_be_starting(&state) => return Ok(Sight::Excused),
            _ => {}
        }
        Ok(sight)
    }

    fn may_be_starting(&self, state: &ContainerState) -> bool {
        let age = state.started_at.as_deref().and_then(time::since);
        self.answered != state.started_at && age.is_some_and(|age| age < self.start_timeout)
    }
}

/// Writes down what can be seen of a server that does not answer; none where that is not possible, which
/// must not keep it from being started again.
pub(super) async fn keep_evidence(
    alarm: &Alarm,
    engine: &Docker,
    context: &Context,
) -> Option<PathBuf> {
    let (Alarm::Restart { answers, .. } | Alarm::GiveUp { answers }) = alarm;
    let state = own_container(engine, context).await.ok().flatten();
    let stats = engine.stats(&context.instance.container()).await.ok().flatten();
    let query = LogsQuery { timestamps: true, ..LogsQuery::last(LOG_LINES) };
    let log = read_log(engine, &context.instance.container(), &query).await.unwrap_or_default();
    let evidence = json!({
        "at": time::now(),
        "stats": stats,
        "answers": answers,
        "container": state.as_ref().map(without_environment),
        "log": log.lines().collect::<Vec<_>>(),
    });
    let folder = context.home().evidence_dir();
    occ_sandbox::private_dir(&folder).ok()?;
    let path = folder.join(format!("{}.json", time::now().replace(':', "-")));
    let text = format!("{evidence:#}\n");
    occ_sandbox::replace(&path, text.as_bytes(), 0o600).ok()?;
    forget_old(&folder);
    Some(path)
}

fn without_environment(state: &ContainerState) -> Value {
    let mut value = json!(state);
    if let Some(object) = value.as_object_mut() {
        object.remove("env");
    }
    value
}

/// Names are times, so their order is that of the events.
fn forget_old(folder: &std::path::Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for old in files.iter().rev().skip(KEPT) {
        // One that cannot be removed takes room, and that is all.
        drop(std::fs::remove_file(old));
    }
}
