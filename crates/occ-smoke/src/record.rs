//! Where checks put their outcomes, whichever of them runs beside which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::check::{Check, Group};
use crate::fault::Fault;
use crate::report::Outcome;

/// What one check may take, which is two requests that take longest; those that wait longer by nature say so.
const PATIENCE: Duration = Duration::from_secs(120);

/// The outcomes so far.
pub(crate) struct Record<'a> {
    outcomes: Mutex<BTreeMap<Check, Outcome>>,
    /// Groups in which something never answered: who asks on would wait as long each time.
    silent: Mutex<BTreeSet<Group>>,
    observer: &'a (dyn Fn(Check, &Outcome) + Send + Sync),
}

impl<'a> Record<'a> {
    pub(crate) fn new(observer: &'a (dyn Fn(Check, &Outcome) + Send + Sync)) -> Self {
        Self { outcomes: Mutex::default(), silent: Mutex::default(), observer }
    }

    /// Runs a check and returns what it found, or nothing when it failed.
    pub(crate) async fn check<T>(
        &self,
        check: Check,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Option<T> {
        self.check_within(check, PATIENCE, work).await
    }

    /// The same with another time.
    pub(crate) async fn check_within<T>(
        &self,
        check: Check,
        patience: Duration,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Option<T> {
        if held(&self.silent).contains(&check.group()) {
            return None;
        }
        let begun = Instant::now();
        let done = tokio::time::timeout(patience, work).await;
        let done = done.unwrap_or(Err(Fault::TooLong { after: patience }));
        let took = begun.elapsed();
        let (outcome, found) = match done {
            Ok(found) => (Outcome::Passed { took }, Some(found)),
            Err(fault) => {
                if fault.is_silence() {
                    held(&self.silent).insert(check.group());
                }
                (Outcome::Failed { why: fault.whole(), took }, None)
            }
        };
        (self.observer)(check, &outcome);
        held(&self.outcomes).insert(check, outcome);
        found
    }

    /// Notes that a group was not wished for.
    pub(crate) fn skip(&self, group: Group, why: &'static str) {
        let checks = Check::ALL.iter().filter(|check| check.group() == group);
        held(&self.outcomes).extend(checks.map(|check| (*check, Outcome::Skipped { why })));
    }

    /// Notes that one check was not wished for.
    pub(crate) fn skip_one(&self, check: Check, why: &'static str) {
        held(&self.outcomes).insert(check, Outcome::Skipped { why });
    }

    /// Returns every check with its outcome.
    pub(crate) fn into_outcomes(self) -> Vec<(Check, Outcome)> {
        let mut outcomes = self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = |check| outcomes.remove(&check).unwrap_or(Outcome::NotReached);
        Check::ALL.iter().map(|check| (*check, outcome(*check))).collect()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(_: Check, _: &Outcome) {}

    async fn silence() -> Result<(), Fault> {
        std::future::pending().await
    }

    fn outcome(record: Record<'_>, check: Check) -> Outcome {
        let outcomes = record.into_outcomes();
        outcomes.into_iter().find(|(one, _)| *one == check).map(|(_, outcome)| outcome).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_answers_the_rest_of_the_group_is_not_asked() {
        let record = Record::new(&ignore);
        assert!(record.check(Check::Announced, silence()).await.is_none());
        assert!(record.check(Check::Command, async { Ok(()) }).await.is_none());
        assert!(record.check(Check::Answers, async { Ok(()) }).await.is_some());
        assert_eq!(outcome(record, Check::Command), Outcome::NotReached);
    }

    #[tokio::test]
    async fn a_wrong_answer_is_no_silence() {
        let record = Record::new(&ignore);
        record.check(Check::ExitCode, async { Err::<(), _>(Fault::wrong("a is b")) }).await;
        assert!(record.check(Check::Variables, async { Ok(()) }).await.is_some());
        let outcome = outcome(record, Check::ExitCode);
        assert!(matches!(&outcome, Outcome::Failed { why, .. } if why == "a is b"), "{outcome:?}");
    }

    #[tokio::test]
    async fn what_was_not_wished_for_fails_nothing_and_what_was_not_reached_does() {
        let record = Record::new(&ignore);
        record.skip(Group::Model, "not wished for");
        let outcomes = record.into_outcomes();
        let report = |outcomes| crate::Report { outcomes, exchanges: vec![], took: PATIENCE };
        let model = |(check, _): &(Check, Outcome)| check.group() == Group::Model;
        let (skipped, missing): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(model);
        assert_eq!(report(skipped).verdict(), crate::Verdict::Passed);
        assert_eq!(report(missing).verdict(), crate::Verdict::Failed);
    }
}
