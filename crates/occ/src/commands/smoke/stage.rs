//! An image in a sandbox of its own, which is gone afterwards.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use occ_engine::{Docker, ImageFacts};
use occ_image::guest;
use occ_opencode::Client;
use occ_sandbox::{Given, Said, SandboxSpec, Stage, Workspace, client, generate_password};
use occ_smoke::{Fault, InContainer, Inside, Life, Ran, Stopped, Subject, Trouble, Wish};

use super::{Examined, ended, expected, keep, watched};
use crate::commands::start::StartSettings;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Makes a sandbox of the image, examines it and removes it, whatever was found.
pub(super) async fn on_stage(
    engine: &Docker,
    context: &Context,
    image: &ImageFacts,
    wish: Wish,
) -> Result<Examined, Failure> {
    if !image.labels.contains_key(guest::LABEL_CONTRACT) {
        return Err(Failure::new(
            Exit::Refused,
            "the image does not say that it keeps the guest contract",
        )
        .hint("build one that does: occ image build"));
    }
    let spec = plain(context)?;
    let tag = format!("{:08x}", RandomState::new().hash_one(&image.id.0) as u32);
    let stage = Stage::new(engine, spec, image.id.clone(), &tag, generate_password()?);
    let examined = examined(&stage, engine, context, image, wish).await;
    let cleared = stage.clear().await;
    let examined = examined?;
    cleared?;
    Ok(examined)
}

/// The wish of the settings, without anything of this host or of a sandbox that is there.
fn plain(context: &Context) -> Result<SandboxSpec, Failure> {
    let (spec, _) = StartSettings::again(context)?.wish_as(&Default::default(), context)?;
    Ok(SandboxSpec { workspace: Workspace::Volume, given: Given::default(), ..spec })
}

async fn examined(
    stage: &Stage<'_, Docker>,
    engine: &Docker,
    context: &Context,
    image: &ImageFacts,
    wish: Wish,
) -> Result<Examined, Failure> {
    stage.make().await?;
    let address = stage.start().await?;
    let reached = context.reach(address)?;
    let spec = plain(context)?;
    let subject = Subject {
        client: client(reached.address, stage.password()),
        inside: &InContainer { engine, container: stage.name() },
        aside: &Aside(stage),
        expected: expected(
            image.labels.get(guest::LABEL_OPENCODE),
            spec.owner(),
            spec.start_timeout,
        ),
        ended: ended(engine, stage.name()),
        sharers: Vec::new(),
        life: Some(&StageLife { stage, context, reached: Default::default() }),
    };
    let report = watched(subject, wish, context).await?;
    let log = keep::log(engine, stage.name()).await;
    Ok(Examined { log, report })
}

/// The inside of another container of the same image.
struct Aside<'a>(&'a Stage<'a, Docker>);

impl Inside for Aside<'_> {
    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Ran, Trouble>> {
        Box::pin(async move {
            // Programs and options of ours: there is nothing in them for a shell.
            let ran = self.0.aside(&command.join(" ")).await;
            let Said { code, out, err } = ran
                .map_err(|source| Trouble { program: command.join(" "), source: source.into() })?;
            Ok(Ran { code, out, err })
        })
    }
}

/// The end and the next beginning of a stage.
struct StageLife<'a> {
    stage: &'a Stage<'a, Docker>,
    context: &'a Context,
    /// The way to its second run, which must last as long as it.
    reached: std::sync::Mutex<Option<crate::remote::Reached>>,
}

impl Life for StageLife<'_> {
    fn stop(&self) -> BoxFuture<'_, Result<Stopped, Fault>> {
        Box::pin(async {
            let begun = Instant::now();
            let ended = self.stage.stop(GRACE).await.map_err(failed)?;
            Ok(Stopped { code: ended.code, took: begun.elapsed() })
        })
    }

    fn start(&self) -> BoxFuture<'_, Result<Client, Fault>> {
        Box::pin(async {
            let address = self.stage.start().await.map_err(failed)?;
            let reached = self
                .context
                .reach(address)
                .map_err(|failure| Fault::Wrong(failure.render().trim_end().to_owned()))?;
            let client = client(reached.address, self.stage.password());
            *self.reached.lock().expect("nobody panics with it") = Some(reached);
            Ok(client)
        })
    }
}

fn failed(error: occ_sandbox::ApplyError) -> Fault {
    Fault::Wrong(Failure::from(error).render().trim_end().to_owned())
}
