//! Waiting until a server that is just starting can really be used.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::hedge::{Missed, Pace, first_answer};
use crate::{Client, Error, Health, Paths, ServerLine, UnknownLine};

/// Health answers in milliseconds or, while the server starts, never: ask often.
const EAGER: Pace = Pace {
    first_timeout: Duration::from_millis(250),
    longest_timeout: Duration::from_secs(2),
    overlap: 8,
};
/// The first answer of an instance is work of up to half a second, more on a slow machine, and
/// every request is more of it: ask patiently.
const PATIENT: Pace = Pace {
    first_timeout: Duration::from_secs(2),
    longest_timeout: Duration::from_secs(10),
    overlap: 2,
};

/// What the server must be to count as ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// The exact version; nothing accepts every version of a known line.
    pub version: Option<String>,
}

/// What is waited for, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The health endpoint answers under our credentials.
    Health,
    /// The instance endpoint answers, so that the configuration is sound.
    Instance,
    /// The event stream opens with its first event.
    Events,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Health => "the health endpoint",
            Self::Instance => "the instance endpoint",
            Self::Events => "the event stream",
        })
    }
}

/// What happens while waiting.
#[derive(Debug, Clone)]
pub enum Event {
    /// A stage is waited for; sent at its beginning and every quarter of a second.
    Waiting {
        /// The stage.
        stage: Stage,
        /// Time since the wait began.
        elapsed: Duration,
        /// What was last wrong with this stage.
        last_error: Option<Arc<Error>>,
    },
    /// A stage is reached.
    Reached {
        /// The stage.
        stage: Stage,
        /// Time since the wait began.
        elapsed: Duration,
    },
}

/// A server that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its version.
    pub version: String,
    /// The line of that version.
    pub line: ServerLine,
    /// The folders of its default instance.
    pub paths: Paths,
    /// How long the wait took.
    pub elapsed: Duration,
}

/// Why a server is not ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// The deadline came before a stage.
    #[error("opencode is not ready after {:.1} s: {stage} gives no good answer", elapsed.as_secs_f64())]
    Missing {
        /// The stage that did not come.
        stage: Stage,
        /// Time since the wait began.
        elapsed: Duration,
        /// What was last wrong with it; nothing where no request had ended.
        #[source]
        last_error: Option<Arc<Error>>,
    },
    /// Another version answers.
    #[error("opencode {expected} is expected and {found:?} answers")]
    WrongVersion {
        /// The version waited for.
        expected: String,
        /// The version that answered.
        found: String,
    },
    /// A version of an unknown line answers.
    #[error(transparent)]
    UnknownLine(#[from] UnknownLine),
    /// The server does not take our credentials.
    #[error("opencode does not accept the password")]
    Unauthorized {
        /// Where it was refused.
        stage: Stage,
        /// The refusal.
        #[source]
        source: Error,
    },
}

/// Waits until health, instance and events all answer as they should, and tells the observer.
///
/// A wrong version and wrong credentials end the wait at once; everything else is asked again
/// until the deadline. Cancelling ends all requests, so a caller may race this against the end
/// of the container.
///
/// # Errors
/// [`NotReady`] with the stage that did not come.
pub async fn wait_ready(
    client: &Client,
    expect: &Expect,
    deadline: Instant,
    observer: &(dyn Fn(Event) + Send + Sync),
) -> Result<Ready, NotReady> {
    let wait = Wait { begun: Instant::now(), deadline, observer };
    let Health { version, .. } = wait
        .reach(Stage::Health, EAGER, |timeout| {
            let client = client.within(timeout);
            async move {
                let health = client.health().await?;
                if health.healthy { Ok(health) } else { Err(Error::Unhealthy) }
            }
        })
        .await?;
    if let Some(expected) = expect.version.as_ref().filter(|expected| **expected != version) {
        return Err(NotReady::WrongVersion { expected: expected.clone(), found: version });
    }
    let line = ServerLine::of(&version)?;
    let paths = wait
        .reach(Stage::Instance, PATIENT, |timeout| {
            let client = client.within(timeout);
            async move { client.path().await }
        })
        .await?;
    let _stream = wait
        .reach(Stage::Events, PATIENT, |timeout| {
            let client = client.within(timeout);
            async move { client.connected_events().await }
        })
        .await?;
    Ok(Ready { version, line, paths, elapsed: wait.begun.elapsed() })
}

struct Wait<'a> {
    begun: Instant,
    deadline: Instant,
    observer: &'a (dyn Fn(Event) + Send + Sync),
}

impl Wait<'_> {
    async fn reach<T, F: Future<Output = Result<T, Error>>>(
        &self,
        stage: Stage,
        pace: Pace,
        probe: impl Fn(Duration) -> F,
    ) -> Result<T, NotReady> {
        let report = |last: Option<&Arc<Error>>| {
            let elapsed = self.begun.elapsed();
            (self.observer)(Event::Waiting { stage, elapsed, last_error: last.cloned() });
        };
        let outcome = first_answer(pace, self.deadline, probe, report).await;
        let elapsed = self.begun.elapsed();
        match outcome {
            Ok(answer) => {
                (self.observer)(Event::Reached { stage, elapsed });
                Ok(answer)
            }
            Err(Missed::Deadline(last_error)) => {
                Err(NotReady::Missing { stage, elapsed, last_error })
            }
            Err(Missed::Final(source)) => Err(NotReady::Unauthorized { stage, source }),
        }
    }
}
