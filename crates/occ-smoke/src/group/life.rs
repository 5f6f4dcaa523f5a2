//! The end and the next beginning.

use std::collections::BTreeSet;
use std::time::Duration;

use occ_image::guest;
use occ_opencode::{Client, Expect, wait_ready};
use tokio::time::Instant;

use super::forget;
use super::inside::said;
use crate::check::Check;
use crate::fault::{Fault, demand, same};
use crate::record::Record;
use crate::subject::{Life, Stopped, Subject};

/// Longest time that stopping may take.
const STOP: Duration = Duration::from_secs(3);
/// 128 and the number of SIGTERM: opencode has no handler for it, and ends by it.
const BY_SIGNAL: i64 = 143;

/// Stops it, starts it again on the same data, and looks for what was there.
pub(crate) async fn life(
    subject: &Subject<'_>,
    life: &dyn Life,
    record: &Record<'_>,
) -> Option<()> {
    let session = subject.client.create_session().await.ok();
    record.check(Check::Stops, stops(life)).await?;
    let patience = subject.expected.start + Duration::from_secs(30);
    let work = async {
        let session = session.ok_or_else(|| Fault::wrong("no session could be begun"))?;
        let client = starts(subject, life).await?;
        let listed: BTreeSet<_> = client.sessions().await?.into_iter().map(|one| one.id).collect();
        forget(&client, &session).await;
        demand(listed.contains(&session.id), || format!("{} is not listed any more", session.id))
    };
    record.check_within(Check::Survives, patience, work).await?;
    record.check(Check::Integrity, is_sound(subject)).await
}

async fn stops(life: &dyn Life) -> Result<(), Fault> {
    let Stopped { code, took } = life.stop().await?;
    if took > STOP {
        return Err(Fault::Wrong(format!("it took {:.1} s to stop", took.as_secs_f64())));
    }
    same("the exit code", &code, &BY_SIGNAL)
}

async fn starts(subject: &Subject<'_>, life: &dyn Life) -> Result<Client, Fault> {
    let client = life.start().await?;
    let expect = Expect { version: subject.expected.version.clone() };
    let deadline = Instant::now() + subject.expected.start;
    wait_ready(&client, &expect, deadline, &|_| {}).await?;
    Ok(client)
}

async fn is_sound(subject: &Subject<'_>) -> Result<(), Fault> {
    let said = said(subject, &[guest::OPENCODE, "db", "pragma integrity_check"]).await?;
    let is_sound = said.lines().any(|line| line.trim() == "ok");
    demand(is_sound, || format!("the database says {said:?}"))
}
