//! The end and the next beginning.

use std::collections::BTreeSet;
use std::time::Duration;

use occ_image::guest;
use occ_opencode::Client;

use super::forget;
use super::inside::said_by;
use super::server::await_ready;
use crate::check::Check;
use crate::fault::{Fault, demand, same};
use crate::inside::Inside;
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
    record.check(Check::Integrity, is_sound(subject.inside)).await
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
    await_ready(&client, &subject.expected).await?;
    Ok(client)
}

/// Asks `SQLite` itself, through the program's own, which starts faster so than opencode does.
const INTEGRITY: &str = "const { Database } = require('bun:sqlite'); \
const data = process.env.XDG_DATA_HOME ?? `${process.env.HOME}/.local/share`; \
const database = new Database(`${data}/opencode/opencode.db`); \
console.log(database.query('pragma integrity_check').get().integrity_check)";

/// Demands that the database is sound.
pub(crate) async fn is_sound(inside: &dyn Inside) -> Result<(), Fault> {
    let command = ["env", "BUN_BE_BUN=1", guest::OPENCODE, "-e", INTEGRITY];
    let said = said_by(inside, &command).await?;
    demand(said == "ok", || format!("the database says {said:?}"))
}
