//! `occ smoke`: whether an engine does what it must be seen to do.

mod keep;
mod sharers;
mod stage;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::future::BoxFuture;
use occ_engine::{ContainerState, Docker, Engine as _, Phase};
use occ_image::guest;
use occ_sandbox::{Event, Owner, client, load_password, reachable};
use occ_smoke::{
    Check, Expected, InContainer, Outcome, Report, Subject, Verdict, Wish, examine, junit,
};

use self::keep::keep;
use self::stage::on_stage;
use super::target::Target;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ smoke`.
#[derive(Debug, Args)]
#[command(
    after_help = "An image is tried in a sandbox of its own, which is gone afterwards. In a sandbox that runs, \
nothing is changed: what is made there is removed again, and it is not stopped."
)]
pub(crate) struct SmokeArgs {
    /// An image of the engine, or a sandbox by its name; this sandbox without it
    #[arg(value_name = "IMAGE|INSTANCE")]
    target: Option<String>,
    /// Ask no model; otherwise one that comes with occ is asked, which needs no network
    #[arg(long)]
    no_model: bool,
    /// Write the report to a file too, in the form that CI systems read
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Folder for what is kept when something does not hold
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
}

/// How long a sandbox may take to answer, which runs already.
const START: Duration = Duration::from_secs(60);

/// What was found, with what explains it.
struct Examined {
    /// The end of the container's log.
    log: String,
    report: Report,
}

/// Runs `occ smoke`.
pub(crate) fn run(args: &SmokeArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let engine = context.engine()?;
        let target = Target::find(args.target.as_deref(), &engine, context).await?;
        let wish = Wish { model: !args.no_model };
        let begun = Instant::now();
        let examined = with_subject(&target, &engine, context, async |subject, container| {
            let report = watched(subject, wish, context).await?;
            Ok(Examined { log: keep::log(&engine, container).await, report })
        });
        let examined = examined.await?;
        let report = &examined.report;
        if let Some(path) = &args.junit {
            std::fs::write(path, junit(report, &target.name())).map_err(|error| {
                Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
            })?;
        }
        let kept = match report.verdict() {
            Verdict::Passed => None,
            Verdict::Failed => Some(keep(&examined, &target, args.artifacts.as_deref(), context)?),
        };
        let data = text::data(report, &target, begun.elapsed(), kept.as_deref());
        let text = text::text(report, &target, begun.elapsed(), kept.as_deref(), &context.terminal);
        context.terminal.result("occ/smoke", &data, &text)?;
        Ok(match report.verdict() {
            Verdict::Passed => Exit::Done,
            Verdict::Failed => Exit::Unhealthy,
        })
    })
}

/// Does some work with the way to a sandbox, or to one of the image that is made for it; the work is given the
/// container's name too.
pub(super) async fn with_subject<T>(
    target: &Target,
    engine: &Docker,
    context: &Context,
    work: impl AsyncFnOnce(Subject<'_>, &str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match target {
        Target::Sandbox(context, state) => in_sandbox(engine, context, state, work).await,
        Target::Image(_, image) => on_stage(engine, context, image, work).await,
    }
}

/// Does the work in a sandbox that runs, which is not to be stopped.
async fn in_sandbox<T>(
    engine: &Docker,
    context: &Context,
    state: &ContainerState,
    work: impl AsyncFnOnce(Subject<'_>, &str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if state.phase != Phase::Running {
        return Err(Failure::new(Exit::Failed, format!("{} does not run", state.name))
            .hint("start it: occ start"));
    }
    let password = load_password(&context.home())?;
    let (Some(password), Some(publish)) = (password, state.publish.first()) else {
        return Err(Failure::new(Exit::Failed, "its port or its password is not known")
            .hint("start it anew: occ restart"));
    };
    let address = (reachable(publish.address), publish.host_port).into();
    let reached = context.reach(address)?;
    let inside = InContainer { engine, container: &state.name };
    let subject = Subject {
        client: client(reached.address, &password),
        inside: &inside,
        aside: &inside,
        expected: expected(&state.labels, sharers::owner(state), START),
        ended: ended(engine, &state.name),
        sharers: sharers::sharers(engine, state).await?,
        life: None,
    };
    work(subject, &state.name).await
}

/// What the labels of an image promise. Whoever built another on it has its labels too.
fn expected(labels: &BTreeMap<String, String>, owner: Owner, start: Duration) -> Expected {
    Expected {
        version: labels.get(guest::LABEL_OPENCODE).cloned(),
        program: labels.get(guest::LABEL_OPENCODE_BINARY).cloned(),
        uid: owner.uid,
        workspace: guest::WORKSPACE.into(),
        start,
    }
}

/// Comes with how a container ended by itself; never, where the engine cannot tell.
fn ended<'a>(engine: &'a Docker, container: &'a str) -> BoxFuture<'a, String> {
    Box::pin(async move {
        match engine.wait_container(container).await {
            Ok(status) => format!("its container ended with {}", status.code),
            Err(_) => std::future::pending().await,
        }
    })
}

/// Examines, shows how far it is, and stops when that is wished.
async fn watched(subject: Subject<'_>, wish: Wish, context: &Context) -> Result<Report, Failure> {
    let progress = context.terminal.progress();
    let (begun, done) = (Instant::now(), AtomicUsize::new(0));
    let observer = |check: Check, _: &Outcome| {
        let number = done.fetch_add(1, Ordering::Relaxed) + 1;
        let for_what = format!("the checks: {number} of {}, {}", Check::ALL.len(), check.name());
        progress.show(&Event::Waiting { elapsed: begun.elapsed(), for_what });
    };
    let report = tokio::select! {
        report = examine(subject, wish, &observer) => Ok(report),
        () = context.cancel.cancelled() => Err(Failure::interrupted()),
    };
    progress.clear();
    report
}
