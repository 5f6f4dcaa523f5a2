//! Disturbances, each with what must hold afterwards.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Moment};

use futures_util::future::join_all;
use occ_image::guest;
use occ_opencode::Client;
use tokio::time::{Instant, sleep};

use super::course::{Course, ROOT};
use super::entry::Entry;
use crate::examine::examine;
use crate::fault::{Fault, same};
use crate::group::{await_ready, is_sound, said_by, servers, sound, until};
use crate::model::wish;
use crate::report::Verdict;
use crate::subject::{Life, Subject, Wish};

/// Something that happens to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// It is stopped and started while a model is waited for.
    RestartInPrompt,
    /// It is killed and started.
    Kill,
    /// Nobody answers where the model was, and then somebody does again.
    ModelAway,
    /// A command eats all memory.
    ChildOutOfMemory,
    /// A command starts processes until there are no more to be had.
    ForkBomb,
    /// A hundred listeners go away at once.
    ListenersGone,
    /// The disk with the data is full, and then is not any more.
    FullDisk,
}

impl Disturbance {
    /// All of them. Those with a new start come first, so that there is a long time without one.
    pub const ALL: [Self; 7] = [
        Self::RestartInPrompt,
        Self::Kill,
        Self::FullDisk,
        Self::ModelAway,
        Self::ChildOutOfMemory,
        Self::ForkBomb,
        Self::ListenersGone,
    ];

    /// Returns the name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RestartInPrompt => "restart-in-prompt",
            Self::Kill => "kill",
            Self::ModelAway => "model-away",
            Self::ChildOutOfMemory => "child-out-of-memory",
            Self::ForkBomb => "fork-bomb",
            Self::ListenersGone => "listeners-gone",
            Self::FullDisk => "full-disk",
        }
    }

    /// Returns the one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Returns whether the engine is stopped for it, or another one made.
    pub const fn needs_life(self) -> bool {
        matches!(self, Self::RestartInPrompt | Self::Kill | Self::FullDisk)
    }
}

/// A disk that a few seconds fill, in bytes.
const SMALL_DISK: u64 = 48 << 20;
/// How long the engine may need to be itself again.
const RECOVERY: Duration = Duration::from_secs(60);
/// How long nobody answers for the model.
const AWAY: Duration = Duration::from_secs(3);
/// Longest time of a request.
const REQUEST: Duration = Duration::from_secs(90);
/// How many listeners go away.
const LISTENERS: usize = 100;

/// Pause before it is asked again whether it is time.
const PAUSE: Duration = Duration::from_millis(200);

/// Disturbs at equal distances. What is not done when the work is over is done then: each is promised.
pub(super) async fn disturb(course: &Course<'_>) {
    let can_stop = course.subject.life.is_some();
    let wished = course.wish.faults.iter().copied();
    let possible: Vec<Disturbance> = wished.filter(|one| can_stop || !one.needs_life()).collect();
    let parts = u32::try_from(possible.len() + 1).unwrap_or(u32::MAX);
    for (number, disturbance) in (1..).zip(possible) {
        while !course.has_done(number, parts) && course.pause_until(Instant::now() + PAUSE).await {}
        if course.is_given_up() {
            return;
        }
        once(course, disturbance).await;
    }
}

/// Waits until nobody works, disturbs, and proves that everything holds again.
async fn once(course: &Course<'_>, disturbance: Disturbance) {
    let mut client = course.client.write().await;
    course.disturbed.store(true, Ordering::Relaxed);
    let begun = Moment::now();
    let done = happen(course, disturbance, &mut client).await;
    let held = match done {
        Ok(()) => holds(course, &client).await,
        Err(fault) => Err(fault),
    };
    let error = held.err().map(|fault| fault.whole());
    let seconds = begun.elapsed().as_secs_f64();
    course.note(Entry::Disturbance { name: disturbance.name(), seconds, error });
    course.disturbed.store(false, Ordering::Relaxed);
}

async fn happen(
    course: &Course<'_>,
    disturbance: Disturbance,
    client: &mut Client,
) -> Result<(), Fault> {
    let life = || course.subject.life.ok_or_else(|| Fault::wrong("it must not be stopped"));
    match disturbance {
        Disturbance::RestartInPrompt => {
            let own = client.in_folder(&Course::folder(0));
            let session = own.create_session().await?;
            own.prompt_later(&session.id, &wish("HANG")).await?;
            until(&own, &session.id, true).await?;
            life()?.stop().await?;
            *client = begin_again(course, life()?).await?;
            let own = client.in_folder(&Course::folder(0));
            same("whether the session is at work", &own.at_work().await?.is_empty(), &true)?;
            Ok(own.delete_session(&session.id).await?)
        }
        Disturbance::Kill => {
            life()?.kill().await?;
            *client = begin_again(course, life()?).await?;
            Ok(())
        }
        Disturbance::ModelAway => model_away(course, client).await,
        Disturbance::ChildOutOfMemory => eats(course, client).await,
        Disturbance::ForkBomb => bombs(course, client).await,
        Disturbance::ListenersGone => {
            let open = join_all((0..LISTENERS).map(|_| client.connected_events())).await;
            let open = open.iter().flatten().count();
            same("how many could listen", &open, &LISTENERS)
        }
        Disturbance::FullDisk => full_disk(course, life()?).await,
    }
}

/// Starts it again and waits until it is ready; the folders in it are made anew.
async fn begin_again(course: &Course<'_>, life: &dyn Life) -> Result<Client, Fault> {
    let client = life.start().await?;
    await_ready(&client, &course.subject.expected).await?;
    course.prepare().await?;
    Ok(client.within(REQUEST))
}

/// The server asks again by itself, later and later; the prompt is answered when the model is back.
async fn model_away(course: &Course<'_>, client: &Client) -> Result<(), Fault> {
    let own = client.within(REQUEST).in_folder(&Course::folder(0));
    let session = own.create_session().await?;
    course.model.rest(true);
    sleep(Duration::from_secs(1)).await;
    let asked = async {
        let back = async {
            sleep(AWAY).await;
            course.model.rest(false);
        };
        tokio::join!(sound(&own, &session.id, "are you there"), back).0
    };
    let answer = asked.await;
    own.delete_session(&session.id).await?;
    same("the answer", &answer?.text().as_str(), &"PONG are you there")
}

/// The command dies of it, and nobody else.
async fn eats(course: &Course<'_>, client: &Client) -> Result<(), Fault> {
    let own = client.within(REQUEST).in_folder(&Course::folder(0));
    let session = own.create_session().await?;
    let before = servers(course.subject.inside).await?;
    let ran = own.command(&session.id, "tail /dev/zero >/dev/null").await?;
    own.delete_session(&session.id).await?;
    same("the exit code of what ate all memory", &ran.code, &137)?;
    same("the process of the server", &servers(course.subject.inside).await?, &before)
}

/// The command can start no more, and the server works on.
async fn bombs(course: &Course<'_>, client: &Client) -> Result<(), Fault> {
    let own = client.within(REQUEST).in_folder(&Course::folder(0));
    let session = own.create_session().await?;
    let before = servers(course.subject.inside).await?;
    let bomb = "n=0; while [ $n -lt 5000 ]; do sleep 5 & n=$((n+1)); done 2>/dev/null; wait";
    let (ran, alive) = tokio::join!(own.command(&session.id, bomb), async {
        sleep(Duration::from_secs(2)).await;
        client.within(Duration::from_secs(5)).health().await
    });
    alive?;
    // However it ended: it ended.
    ran?;
    own.delete_session(&session.id).await?;
    same("the process of the server", &servers(course.subject.inside).await?, &before)
}

/// Another engine, so that no disk of anybody's is filled.
async fn full_disk(course: &Course<'_>, life: &dyn Life) -> Result<(), Fault> {
    let other = life.on_small_disk(SMALL_DISK).await?;
    let client = other.client().within(REQUEST);
    let filled = async {
        await_ready(&client, &course.subject.expected).await?;
        let session = client.create_session().await?;
        let fill = format!("cat /dev/zero >{}/fill 2>/dev/null; true", guest::PLACES[0].path);
        said_by(other.inside(), &["sh", "-c", &fill]).await?;
        same("whether it is alive on a full disk", &client.health().await?.healthy, &true)?;
        if client.command(&session.id, "true").await.is_ok() {
            return Err(Fault::wrong("a command succeeds on a full disk"));
        }
        let empty = format!("{}/fill", guest::PLACES[0].path);
        said_by(other.inside(), &["rm", &empty]).await?;
        recovers(&client).await?;
        is_sound(other.inside()).await
    };
    let filled = filled.await;
    other.end().await?;
    filled
}

/// Waits until commands succeed again.
async fn recovers(client: &Client) -> Result<(), Fault> {
    let deadline = Instant::now() + RECOVERY;
    loop {
        let tried = async {
            let session = client.create_session().await?;
            client.command(&session.id, "true").await
        };
        match tried.await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > deadline => return Err(error.into()),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Proves that everything holds that smoke asks for, without stopping it.
async fn holds(course: &Course<'_>, client: &Client) -> Result<(), Fault> {
    let subject = Subject {
        client: client.clone(),
        inside: course.subject.inside,
        aside: course.subject.inside,
        expected: course.subject.expected.clone(),
        ended: Box::pin(std::future::pending()),
        sharers: Vec::new(),
        life: None,
    };
    let report = examine(subject, Wish { model: true }, &|_, _| {}).await;
    // What the checks removed is theirs; ours must still be there.
    said_by(course.subject.inside, &["ls", ROOT]).await?;
    match report.verdict() {
        Verdict::Passed => Ok(()),
        Verdict::Failed => {
            let failures: Vec<String> =
                report.failures().map(|(check, why)| format!("{}: {why}", check.name())).collect();
            Err(Fault::Wrong(format!("afterwards, {}", failures.join("; "))))
        }
    }
}
