//! Doing what a release plan says: every step that can be done is, side by side, and each is written down.

use std::cell::RefCell;
use std::error::Error as _;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use occ_image::BuildPlan;
use occ_registry::Client;
use occ_trust::{Policy, TrustRoot};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use crate::error::StepError;
use crate::event::{Event, Observer};
use crate::journal::{Ended, Entry, Journal};
use crate::look::Trust;
use crate::made::Made;
use crate::plan::{ReleasePlan, Source};
use crate::ports::Ports;
use crate::step::{Step, steps};

/// Everything that a release works with.
pub struct Press<'a, P> {
    /// Recipe and lock.
    pub source: Source<'a>,
    /// The build plans that the release plan was made of.
    pub builds: &'a [BuildPlan],
    /// The places of the plan, in its order.
    pub places: &'a [Client],
    /// Whom readers believe.
    pub policy: &'a Policy,
    /// Who vouches for whom.
    pub root: &'a TrustRoot,
    /// What is needed from outside.
    pub ports: &'a P,
    /// How many images are run at the same time: what one must do, it must do in time.
    pub at_once: NonZeroUsize,
    /// Who is told.
    pub observer: Observer<'a>,
    /// Set when it is to stop.
    pub cancel: &'a AtomicBool,
}

/// Why a release stopped. What is done is written down, and nothing has its name that was not to have it.
#[derive(Debug, thiserror::Error)]
#[error("the release stopped at: {step}")]
pub struct Stopped {
    /// At which step.
    pub step: Step,
    /// Why.
    #[source]
    pub source: StepError,
}

/// A release at work.
pub(crate) struct Work<'a, P> {
    pub(crate) press: &'a Press<'a, P>,
    pub(crate) plan: ReleasePlan,
    pub(crate) journal: RefCell<&'a mut Journal>,
    pub(crate) made: OnceCell<Made>,
    /// Room for images to run.
    room: Semaphore,
}

impl<P: Ports> Press<'_, P> {
    /// Does what is left of a release.
    ///
    /// # Errors
    /// [`Stopped`] at the first step that does not succeed, tried twice where that can help. Steps that were at
    /// work then are waited for.
    pub async fn run(&self, journal: &mut Journal) -> Result<(), Stopped> {
        let work = Work {
            press: self,
            plan: journal.plan().clone(),
            journal: RefCell::new(journal),
            made: OnceCell::new(),
            room: Semaphore::new(self.at_once.get()),
        };
        work.all().await
    }
}

impl<P: Ports> Work<'_, P> {
    async fn all(&self) -> Result<(), Stopped> {
        let mut waiting = steps(&self.plan);
        waiting.retain(|planned| self.done(&planned.step).is_none());
        let mut working = FuturesUnordered::new();
        let mut stopped: Option<Stopped> = None;
        loop {
            if stopped.is_none() {
                let (ready, rest): (Vec<_>, Vec<_>) = waiting
                    .into_iter()
                    .partition(|planned| planned.after.iter().all(|it| self.done(it).is_some()));
                waiting = rest;
                working.extend(ready.into_iter().map(|planned| self.one(planned.step)));
            }
            match working.next().await {
                Some(Ok(())) => {}
                Some(Err(first)) => {
                    stopped.get_or_insert(first);
                }
                None => return stopped.map_or(Ok(()), Err),
            }
        }
    }

    /// Does a step, once more if that can help, and writes down how it ended.
    async fn one(&self, step: Step) -> Result<(), Stopped> {
        // Waiting for one's turn is no work.
        let _alone = match &step {
            Step::Smoke { .. } => Some(self.room.acquire().await.expect("it is never closed")),
            _ => None,
        };
        let (began, clock) = (self.press.ports.now(), Instant::now());
        (self.press.observer)(Event::Begin(step.clone()));
        let mut done = self.perform(&step).await;
        if let Err(error) = &done
            && error.may_pass()
            && !self.is_cancelled()
        {
            (self.press.observer)(Event::Again { step: step.clone(), why: chain(error) });
            done = self.perform(&step).await;
        }
        let ended = match &done {
            Ok(facts) => Ended::Done(facts.clone()),
            Err(error) => Ended::Failed(chain(error)),
        };
        let at = self.press.ports.now();
        let written = self.note(Entry { step: Some(step.clone()), began, at, ended });
        match done.and_then(|facts| written.map(|()| facts)) {
            Ok(facts) => {
                let note = note(&step, &facts);
                (self.press.observer)(Event::Done { step, took: clock.elapsed(), note });
                Ok(())
            }
            Err(source) => {
                (self.press.observer)(Event::Failed { step: step.clone(), why: chain(&source) });
                Err(Stopped { step, source })
            }
        }
    }

    async fn perform(&self, step: &Step) -> Result<Value, StepError> {
        if self.is_cancelled() {
            return Err(StepError::Interrupted);
        }
        match step {
            Step::Assemble => self.assemble().await,
            Step::Stage { place } => self.stage(self.place(place)).await,
            Step::Compare { place } => self.compare(self.place(place)).await,
            Step::Smoke { variant, platform } => self.smoke(variant, *platform).await,
            Step::Scan { variant, platform } => self.scan(variant, *platform).await,
            Step::Judge { variant, platform } => self.judge(variant, *platform).await,
            Step::Sign => self.sign().await,
            Step::Attach { place } => self.attach(self.place(place)).await,
            Step::ReadBack { place } => self.read_back(self.place(place)).await,
            Step::Receipt => self.receipt().await,
            Step::Fix => self.fix().await,
            Step::Move => self.advance().await,
        }
    }

    fn is_cancelled(&self) -> bool {
        self.press.cancel.load(Ordering::Relaxed)
    }

    pub(crate) fn place(&self, name: &occ_oci::Repository) -> &Client {
        let of_name = |client: &&Client| client.repository() == name;
        self.press.places.iter().find(of_name).expect("steps name places of the plan")
    }

    pub(crate) fn trust(&self) -> Trust<'_> {
        let Press { policy, root, ports, .. } = self.press;
        Trust { policy, root, now: ports.now() }
    }

    /// Returns what a step found or made, when it is done.
    pub(crate) fn done(&self, step: &Step) -> Option<Value> {
        self.journal.borrow().done(step).cloned()
    }

    fn note(&self, entry: Entry) -> Result<(), StepError> {
        self.journal.borrow_mut().note(entry).map_err(StepError::Journal)
    }
}

/// What is worth saying of a step that is done.
fn note(step: &Step, facts: &Value) -> Option<String> {
    match step {
        Step::Smoke { .. } => facts["why"].as_str().map(|why| format!("NOT RUN: {why}")),
        Step::Judge { .. } => facts["why"].as_str().map(|why| format!("NOT JUDGED: {why}")),
        Step::Stage { .. } => {
            let bytes = facts["bytes"].as_u64()?;
            Some(format!("{} sent", occ_image::Size(bytes)))
        }
        _ => None,
    }
}

/// Returns an error with its causes.
pub(crate) fn chain(error: &StepError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}
