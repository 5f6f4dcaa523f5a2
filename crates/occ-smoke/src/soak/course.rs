//! What all who take part share: the way to the server, the time, and what was seen.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use occ_opencode::Client;
use tokio::sync::{Notify, RwLock};
use tokio::time::Instant;

use super::entry::{Entry, Timed};
use super::verdict::SoakReport;
use super::{SoakWish, verdict};
use crate::fault::Fault;
use crate::group::said;
use crate::model::Model;
use crate::subject::Subject;

/// Where everybody has a folder.
pub(super) const ROOT: &str = "/tmp/occ-soak";

/// What all who take part share.
pub(super) struct Course<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) model: &'a Model,
    pub(super) wish: SoakWish,
    /// The way to the server. Whoever works holds it for reading, whoever disturbs for writing: what fails
    /// then is nobody's fault.
    pub(super) client: RwLock<Client>,
    /// Whether somebody disturbs.
    pub(super) disturbed: AtomicBool,
    begun: Instant,
    over: Notify,
    is_over: AtomicBool,
    is_given_up: AtomicBool,
    rounds: AtomicU64,
    entries: Mutex<Vec<Timed>>,
    observer: &'a (dyn Fn(&Timed) + Send + Sync),
}

impl<'a> Course<'a> {
    pub(super) fn new(
        subject: &'a Subject<'a>,
        model: &'a Model,
        wish: SoakWish,
        observer: &'a (dyn Fn(&Timed) + Send + Sync),
    ) -> Self {
        Self {
            subject,
            model,
            wish,
            client: RwLock::new(subject.client.clone()),
            disturbed: AtomicBool::new(false),
            begun: Instant::now(),
            over: Notify::new(),
            is_over: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
            rounds: AtomicU64::new(0),
            entries: Mutex::default(),
            observer,
        }
    }

    /// Returns the folder of one who works.
    pub(super) fn folder(worker: usize) -> PathBuf {
        Path::new(ROOT).join(worker.to_string())
    }

    /// Makes everybody's folder, with a configuration that asks the model of ours. A container that was made
    /// anew has none of them.
    pub(super) async fn prepare(&self) -> Result<(), Fault> {
        self.model.started().await?;
        let config = self.model.config().to_string();
        let make = "for n in $(seq 0 \"$2\"); do mkdir -p \"$3/$n\" && git init -q \"$3/$n\" && \
                    printf %s \"$1\" >\"$3/$n/opencode.json\" || exit 1; done";
        let last = (self.wish.concurrency - 1).to_string();
        said(self.subject, &["sh", "-c", make, "sh", &config, &last, ROOT]).await.map(drop)
    }

    /// Removes what was made inside.
    pub(super) async fn clean_up(&self) {
        // What stays is in `/tmp` of a container, and goes with it.
        drop(self.subject.inside.run(&["rm", "-rf", "--", ROOT]).await);
    }

    /// Returns how long it goes on still, for nothing where it is over.
    pub(super) fn goes_on(&self) -> bool {
        let enough = self.wish.runs.is_some_and(|runs| self.rounds() >= runs);
        !enough
            && !self.is_over.load(Ordering::Relaxed)
            && self.begun.elapsed() < self.wish.duration
    }

    /// Says that it is over.
    pub(super) fn finish(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.over.notify_waiters();
    }

    /// Says that it is over, and that there is no sense in anything more.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
        self.finish();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up.load(Ordering::Relaxed)
    }

    /// Returns whether so many of these parts of it are done, by the time or by the rounds.
    pub(super) fn has_done(&self, number: u32, parts: u32) -> bool {
        let by_time = self.begun.elapsed() * parts >= self.wish.duration * number;
        let rounds = self.rounds() * u64::from(parts);
        by_time || self.wish.runs.is_some_and(|runs| rounds >= runs * u64::from(number))
    }

    /// Waits for a moment, or for the end; returns whether it goes on.
    pub(super) async fn pause_until(&self, moment: Instant) -> bool {
        let over = self.over.notified();
        if self.is_over.load(Ordering::Relaxed) {
            return false;
        }
        tokio::select! {
            () = tokio::time::sleep_until(moment) => !self.is_over.load(Ordering::Relaxed),
            () = over => false,
        }
    }

    /// Waits for the end.
    pub(super) async fn end(&self) {
        let over = self.over.notified();
        if !self.is_over.load(Ordering::Relaxed) {
            over.await;
        }
    }

    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Notes that a round ended.
    pub(super) fn round(&self, worker: usize) {
        let rounds = self.rounds.fetch_add(1, Ordering::Relaxed) + 1;
        self.note(Entry::Round { worker, rounds });
    }

    pub(super) fn trouble(&self, what: &str, fault: &Fault) {
        self.note(Entry::Trouble { what: format!("{what}: {}", fault.whole()) });
    }

    /// Notes what happened.
    pub(super) fn note(&self, entry: Entry) {
        let timed = Timed { at: self.begun.elapsed().as_secs_f64(), entry };
        (self.observer)(&timed);
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(timed);
    }

    /// Judges what was seen.
    pub(super) fn into_report(self) -> SoakReport {
        let entries = self.entries.into_inner().unwrap_or_else(PoisonError::into_inner);
        verdict::judge(&entries, self.begun.elapsed())
    }
}
