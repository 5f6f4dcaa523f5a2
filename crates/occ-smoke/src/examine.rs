//! The order of an examination.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use occ_opencode::Witness;

use crate::check::{Check, Group};
use crate::group;
use crate::model::beside_model;
use crate::record::Record;
use crate::report::{Outcome, Report};
use crate::subject::{Subject, Wish};

/// Longest time of an ordinary request: some of the first ones are work of seconds, and the server's one thread also
/// waits for its database, half a minute where the disk is busy with gigabytes of somebody else's.
const REQUEST: Duration = Duration::from_secs(60);

/// Examines an engine that has been started; whether it is ready is the first question. What a check made is
/// removed by it: sessions, and one folder of `/tmp`.
///
/// What is seen from inside is looked at while the server starts. `observer` hears of each check when it ended.
pub async fn examine(
    mut subject: Subject<'_>,
    wish: Wish,
    observer: &(dyn Fn(Check, &Outcome) + Send + Sync),
) -> Report {
    let begun = Instant::now();
    let exchanges = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&exchanges);
    let witness = Witness::new(move |exchange| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    });
    subject.client = subject.client.within(REQUEST).before(witness);
    let ended = std::mem::replace(&mut subject.ended, Box::pin(std::future::pending()));
    let record = Record::new(observer);
    let subject = &subject;
    let (ready, ()) =
        tokio::join!(group::ready(subject, ended, &record), group::inside(subject, &record),);
    if ready.is_some() {
        let folder = group::Folder::make(subject).await;
        if wish.model {
            beside_model(subject.inside, async |model| {
                // Before anything is done in the folder: its configuration is read once.
                let asks = group::configure(subject, &record, &folder, model).await;
                without_model(subject, &record, &folder).await;
                if asks.is_some() {
                    group::model(subject, &record, &folder, model).await;
                }
            })
            .await;
        } else {
            without_model(subject, &record, &folder).await;
        }
        folder.remove(subject).await;
        if let Some(life) = subject.life {
            group::life(subject, life, &record).await;
        }
    }
    if !wish.model {
        record.skip(Group::Model, "no model was wished for");
    }
    if subject.life.is_none() {
        record.skip(Group::Life, "it would stop a sandbox that somebody may work in");
    }
    let exchanges = exchanges.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
    Report { outcomes: record.into_outcomes(), exchanges, took: begun.elapsed() }
}

/// Everything that needs no model, one after the other, because the server does one thing at a time; only a
/// terminal's shell starts without it.
async fn without_model(subject: &Subject<'_>, record: &Record<'_>, folder: &group::Folder) {
    group::session(subject, record, folder).await;
    tokio::join!(group::server(subject, record), group::terminal(subject, record));
}
