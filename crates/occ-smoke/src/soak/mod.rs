//! How long an engine holds: the same work again and again, by several at once, while it is measured and, where
//! that is wished, disturbed.

mod course;
mod entry;
mod fault;
mod listen;
mod measure;
mod page;
mod sample;
mod verdict;
mod work;

use std::time::Duration;

use self::course::Course;
pub use self::entry::{Entry, Timed};
pub use self::fault::Disturbance;
pub use self::page::page;
pub use self::sample::Sample;
pub use self::verdict::{SoakReport, StepTimes};
use crate::group::await_ready;
use crate::model::beside_kept_model;
use crate::subject::Subject;
use futures_util::future::join_all;

/// What is wished of a soak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoakWish {
    /// How long it goes on at most.
    pub duration: Duration,
    /// After how many rounds it ends before that.
    pub runs: Option<u64>,
    /// How many work at once.
    pub concurrency: usize,
    /// What it is disturbed with, each once; nothing for not at all. Those that would stop one that must not be
    /// stopped are left out.
    pub faults: Vec<Disturbance>,
}

/// How many listen to events.
const LISTENERS: usize = 2;

/// Waits until an engine is ready and works on it, until its time is over or the engine has ended, and returns what was seen.
///
/// `observer` hears of everything as it happens. What was made inside is removed.
pub async fn soak(
    subject: &Subject<'_>,
    wish: SoakWish,
    observer: &(dyn Fn(&Timed) + Send + Sync),
) -> SoakReport {
    beside_kept_model(subject.inside, async |model| {
        let course = Course::new(subject, model, wish, observer);
        let prepared = async {
            await_ready(&subject.client, &subject.expected).await?;
            course.prepare().await
        };
        if let Err(fault) = prepared.await {
            course.trouble("the soak could not begin", &fault);
        } else {
            run(&course).await;
            sample::sample_once(&course).await;
            course.clean_up().await;
        }
        course.into_report()
    })
    .await
}

/// Lets everybody do what is theirs, until those who work are done.
async fn run(course: &Course<'_>) {
    let workers = async {
        join_all((0..course.wish.concurrency).map(|n| work::work(course, n))).await;
        course.finish();
    };
    let listeners = join_all((0..LISTENERS).map(|_| listen::listen(course)));
    tokio::join!(workers, listeners, sample::sample(course), fault::disturb(course));
}
