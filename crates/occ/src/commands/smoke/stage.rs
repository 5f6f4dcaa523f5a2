//! An image in a sandbox of its own, which is gone afterwards.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use occ_engine::{Docker, ImageFacts};
use occ_image::guest;
use occ_opencode::Client;
use occ_sandbox::{
    ApplyError, Given, Said, SandboxSpec, Stage, StageMark, Stages, Workspace, client, forsaken,
    generate_password,
};
use occ_smoke::{Fault, InContainer, Inside, Life, Other, Ran, Stopped, Subject, Trouble};

use super::{ended, expected};
use crate::commands::ls::fleet;
use crate::commands::start::StartSettings;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::Reached;

/// How long it may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Makes a sandbox of the image for some work, given with the container's name, and removes it afterwards.
pub(super) async fn on_stage<T>(
    engine: &Docker,
    context: &Context,
    image: &ImageFacts,
    work: impl AsyncFnOnce(Subject<'_>, &str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if !image.labels.contains_key(guest::LABEL_CONTRACT) {
        let says = "the image does not say that it keeps the guest contract";
        return Err(Failure::new(Exit::Refused, says).hint("build one that does: occ image build"));
    }
    let stages = Stages::new(&context.state_dir());
    clear_forsaken(&stages, engine, context).await?;
    let spec = plain(context)?;
    let stage = stage(engine, &spec, image)?;
    let mark = stages.mark(stage.tag())?;
    let done = async {
        stage.make().await?;
        let reached = context.reach(stage.start().await?)?;
        let life = StageLife {
            stage: &stage,
            spec: &spec,
            engine,
            context,
            image,
            reached: Mutex::default(),
        };
        let subject = Subject {
            client: client(reached.address, stage.password()),
            inside: &InContainer { engine, container: stage.name() },
            aside: &Aside(&stage),
            expected: expected(&image.labels, spec.owner(), spec.start_timeout),
            ended: ended(engine, stage.name()),
            sharers: Vec::new(),
            life: Some(&life),
        };
        work(subject, stage.name()).await
    };
    let done = done.await;
    let cleared = clear(&stage, mark).await;
    let done = done?;
    cleared?;
    Ok(done)
}

/// Removes all of a stage, its mark last.
async fn clear(stage: &Stage<'_, Docker>, mark: StageMark) -> Result<(), ApplyError> {
    stage.clear().await?;
    Ok(mark.remove()?)
}

/// Removes stages whose command was killed.
async fn clear_forsaken(
    stages: &Stages,
    engine: &Docker,
    context: &Context,
) -> Result<(), Failure> {
    let marked = stages.look()?;
    if marked.forsaken.is_empty() {
        return Ok(());
    }
    for left in forsaken(&fleet(engine, context).await?, &marked, &BTreeMap::new()) {
        let names = left.containers.iter().chain(left.volumes.iter().map(|volume| &volume.name));
        let names: Vec<&str> = names.map(String::as_str).collect();
        let names = names.join(", ");
        context.terminal.say(&format!("removing what a command that was killed left: {names}"));
        stages.remove(engine, &left).await?;
    }
    Ok(())
}

/// The wish of the settings, without anything of this host or of a sandbox that is there.
fn plain(context: &Context) -> Result<SandboxSpec, Failure> {
    let nothing = BTreeMap::new();
    let (spec, _) = StartSettings::again(context)?.wish_as(&nothing, context)?;
    Ok(SandboxSpec { workspace: Workspace::Volume, given: Given::default(), ..spec })
}

fn stage<'a>(
    engine: &'a Docker,
    spec: &SandboxSpec,
    image: &ImageFacts,
) -> Result<Stage<'a, Docker>, Failure> {
    let tag = format!("{:016x}", RandomState::new().hash_one(&image.id.0));
    Ok(Stage::new(engine, spec.clone(), image.id.clone(), &tag[..8], generate_password()?))
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
    /// What it was made for.
    spec: &'a SandboxSpec,
    engine: &'a Docker,
    context: &'a Context,
    image: &'a ImageFacts,
    /// The way to its last run, which must last as long as that.
    reached: Mutex<Option<Reached>>,
}

impl Life for StageLife<'_> {
    fn stop(&self) -> BoxFuture<'_, Result<Stopped, Fault>> {
        Box::pin(async {
            let begun = Instant::now();
            let ended = self.stage.stop(GRACE).await.map_err(failed)?;
            let took = begun.elapsed();
            // What the engine takes for that is not its own.
            self.stage.kill().await.map_err(failed)?;
            Ok(Stopped { code: ended.code, took })
        })
    }

    fn kill(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async { self.stage.kill().await.map_err(failed) })
    }

    fn start(&self) -> BoxFuture<'_, Result<Client, Fault>> {
        Box::pin(async {
            let address = self.stage.start().await.map_err(failed)?;
            let reached = self.context.reach(address).map_err(|failure| unreached(&failure))?;
            let client = client(reached.address, self.stage.password());
            *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(reached);
            Ok(client)
        })
    }

    fn on_small_disk(&self, size: u64) -> BoxFuture<'_, Result<Box<dyn Other + '_>, Fault>> {
        Box::pin(async move {
            let stage = stage(self.engine, self.spec, self.image);
            let stage = stage.map_err(|failure| unreached(&failure))?.on_small_disk(size);
            let mark = Stages::new(&self.context.state_dir()).mark(stage.tag());
            let mark = mark.map_err(|error| failed(error.into()))?;
            match started(&stage, self.context).await {
                Ok(reached) => {
                    let name = stage.name().to_owned();
                    let inside = OwnInside { engine: self.engine, name };
                    let mark = Mutex::new(Some(mark));
                    Ok(Box::new(Beside { stage, mark, reached, inside }) as Box<dyn Other>)
                }
                Err(fault) => {
                    // Whatever went wrong, nothing is to stay.
                    drop(clear(&stage, mark).await);
                    Err(fault)
                }
            }
        })
    }
}

async fn started(stage: &Stage<'_, Docker>, context: &Context) -> Result<Reached, Fault> {
    stage.make().await.map_err(failed)?;
    context.reach(stage.start().await.map_err(failed)?).map_err(|failure| unreached(&failure))
}

/// Another stage, beside the one that is examined.
struct Beside<'a> {
    stage: Stage<'a, Docker>,
    /// Until it is removed.
    mark: Mutex<Option<StageMark>>,
    reached: Reached,
    inside: OwnInside<'a>,
}

impl Other for Beside<'_> {
    fn client(&self) -> Client {
        client(self.reached.address, self.stage.password())
    }

    fn inside(&self) -> &dyn Inside {
        &self.inside
    }

    fn end(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async {
            let mark = self.mark.lock().unwrap_or_else(PoisonError::into_inner).take();
            match mark {
                Some(mark) => clear(&self.stage, mark).await.map_err(failed),
                None => Ok(()),
            }
        })
    }
}

/// The inside of a container, by a name of one's own.
struct OwnInside<'a> {
    engine: &'a Docker,
    name: String,
}

impl Inside for OwnInside<'_> {
    fn run<'a>(&'a self, command: &'a [&'a str]) -> BoxFuture<'a, Result<Ran, Trouble>> {
        Box::pin(async move {
            InContainer { engine: self.engine, container: &self.name }.run(command).await
        })
    }
}

fn failed(error: ApplyError) -> Fault {
    unreached(&Failure::from(error))
}

fn unreached(failure: &Failure) -> Fault {
    Fault::Wrong(failure.render().trim_end().to_owned())
}
