//! Asking until somebody answers, without betting on one request.
//!
//! WORKAROUND: opencode listens about a third of a second before it handles requests, and a
//! request of that time is never answered. Waiting for its timeout would cost the whole timeout,
//! so the next request starts while the swallowed one is still out. May go when upstream attaches
//! its handler before it listens.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::Error;

/// Pause after a refused or broken connection: nobody is there yet, and asking costs nothing.
const AFTER_NOBODY: Duration = Duration::from_millis(25);
/// Pause after an answer that is not the wanted one: somebody had work with it.
const AFTER_ANSWER: Duration = Duration::from_millis(100);
/// How often the wait is reported.
const REPORT: Duration = Duration::from_millis(250);

/// How impatiently is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// What the first requests may take.
    pub(crate) first_timeout: Duration,
    /// What any request may take; timeouts double up to it.
    pub(crate) longest_timeout: Duration,
    /// How many requests may be out at once; they start this fraction of a timeout apart.
    pub(crate) overlap: u32,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Missed {
    /// The deadline came first; the last failure, if any request had ended by then.
    Deadline(Option<Arc<Error>>),
    /// An answer after which asking again is of no use.
    Final(Error),
}

/// Asks with `probe` (given its timeout) until one answers; `report` hears the last failure.
///
/// Cancelling ends all requests.
pub(crate) async fn first_answer<T, F: Future<Output = Result<T, Error>>>(
    pace: Pace,
    deadline: Instant,
    probe: impl Fn(Duration) -> F,
    report: impl Fn(Option<&Arc<Error>>),
) -> Result<T, Missed> {
    let mut out = FuturesUnordered::new();
    let mut timeout = pace.first_timeout;
    let mut start = Instant::now();
    let mut last = None;
    let mut reports = interval(REPORT);
    reports.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let has_room = out.len() < pace.overlap as usize;
        tokio::select! {
            biased;
            Some((allowed, outcome)) = out.next() => match outcome {
                Ok(answer) => return Ok(answer),
                Err(error @ Error::Unauthorized { .. }) => return Err(Missed::Final(error)),
                Err(error) => {
                    if let Some(pause) = pause_after(&error) {
                        start = Instant::now() + pause;
                    } else {
                        let longer: Duration = allowed * 2;
                        timeout = timeout.max(longer.min(pace.longest_timeout));
                    }
                    last = Some(Arc::new(error));
                }
            },
            () = sleep_until(deadline) => return Err(Missed::Deadline(last)),
            _ = reports.tick() => report(last.as_ref()),
            () = sleep_until(start), if has_room => {
                let request = probe(timeout);
                out.push(async move { (timeout, request.await) });
                start = Instant::now() + timeout / pace.overlap;
            }
        }
    }
}

/// How long to leave the server alone after a failure; nothing where the time is already spent.
const fn pause_after(error: &Error) -> Option<Duration> {
    match error {
        Error::Timeout { .. } => None,
        Error::Connect { .. } | Error::Broken { .. } => Some(AFTER_NOBODY),
        _ => Some(AFTER_ANSWER),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::sleep;

    use super::*;

    const PACE: Pace = Pace {
        first_timeout: Duration::from_millis(250),
        longest_timeout: Duration::from_secs(2),
        overlap: 8,
    };

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn refused() -> Error {
        let address = ([127, 0, 0, 1], 1).into();
        Error::Connect { address, source: std::io::ErrorKind::ConnectionRefused.into() }
    }

    /// A server that swallows every request begun before `from`, then answers in 5 ms.
    async fn swallowing(begun: Instant, from: Instant, allowed: Duration) -> Result<(), Error> {
        let answers = begun >= from;
        sleep(if answers { ms(5).min(allowed) } else { allowed }).await;
        if answers { Ok(()) } else { Err(Error::Timeout { path: "/".into(), after: allowed }) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_swallowed_request_costs_a_fraction_of_its_timeout() {
        let zero = Instant::now();
        let from = zero + ms(350);
        let probe = |allowed| swallowing(Instant::now(), from, allowed);
        let answer = first_answer(PACE, zero + ms(5000), probe, |_| {}).await;
        assert!(answer.is_ok());
        assert!(zero.elapsed() <= ms(425), "{:?}, and could be 355 ms", zero.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_connection_is_tried_again_soon() {
        let zero = Instant::now();
        let probe =
            |_| async move { if zero.elapsed() < ms(2000) { Err(refused()) } else { Ok(()) } };
        let answer = first_answer(PACE, zero + ms(5000), probe, |_| {}).await;
        assert!(answer.is_ok());
        assert!(zero.elapsed() <= ms(2026), "{:?}", zero.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_ends_the_wait_with_the_last_failure() {
        let zero = Instant::now();
        let missed =
            first_answer::<(), _>(PACE, zero + ms(900), |_| async { Err(refused()) }, |_| {})
                .await
                .expect_err("nobody answers");
        assert_eq!(zero.elapsed(), ms(900));
        assert!(
            matches!(&missed, Missed::Deadline(Some(e)) if matches!(**e, Error::Connect { .. })),
            "{missed:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_are_out_than_the_pace_allows_and_their_time_grows() {
        let (now, most) = (Cell::new(0_u32), Cell::new(0_u32));
        let times = RefCell::new(Vec::new());
        let probe = |allowed: Duration| {
            let (now, most) = (&now, &most);
            times.borrow_mut().push(allowed);
            async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                sleep(allowed).await;
                now.set(now.get() - 1);
                Err::<(), _>(Error::Timeout { path: "/".into(), after: allowed })
            }
        };
        let zero = Instant::now();
        let missed = first_answer(PACE, zero + ms(20_000), probe, |_| {}).await;
        assert!(matches!(missed, Err(Missed::Deadline(Some(_)))));
        assert!((2..=8).contains(&most.get()), "{} at once", most.get());
        let times = times.into_inner();
        assert!(times.is_sorted(), "{times:?}");
        assert_eq!((times[0], times[times.len() - 1]), (ms(250), ms(2000)));
        assert!(times.len() < 120, "{} requests in 20 s", times.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_password_ends_the_wait_at_once() {
        let zero = Instant::now();
        let probe = |_| async { Err::<(), _>(Error::Unauthorized { path: "/".into() }) };
        let missed = first_answer(PACE, zero + ms(5000), probe, |_| {}).await;
        assert!(matches!(missed, Err(Missed::Final(Error::Unauthorized { .. }))));
        assert_eq!(zero.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_reported_from_its_beginning_and_steadily() {
        let zero = Instant::now();
        let heard = RefCell::new(Vec::new());
        let report = |last: Option<&Arc<Error>>| {
            heard.borrow_mut().push((zero.elapsed(), last.is_some()));
        };
        let missed =
            first_answer::<(), _>(PACE, zero + ms(600), |_| async { Err(refused()) }, report).await;
        assert!(missed.is_err());
        assert_eq!(heard.into_inner(), [(ms(0), false), (ms(250), true), (ms(500), true)]);
    }
}
