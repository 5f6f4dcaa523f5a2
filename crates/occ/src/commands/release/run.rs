//! `occ release plan`, `run` and `resume`.

use std::error::Error as _;
use std::time::Duration;

use clap::Args;
use occ_image::BuildPlan;
use occ_release::{
    Channel, Event, Journal, JournalError, Press, Receipt, Record, ReleasePlan, Source, StepError,
    Stopped, Turn, TurnError, Wish, build_plans, changelog, fetch_receipt, notes, steps,
};
use serde_json::json;

use super::super::image::RecipeArgs;
use super::super::signing::SigningArgs;
use super::super::start::Permit;
use super::hands::{Hands, Skipped};
use super::show::{Moving, data, text};
use super::wish::{Grounds, Planned, WishArgs, folder, folder_of};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::image_source::ImageSource;
use crate::terminal::Progress;

/// How long a release that has its turn waits before it looks whether somebody else replaced a list that it wrote. What
/// it attaches something to has no name yet, so that hardly anybody else writes there; and all of it is read back.
const SETTLE_IN_TURN: Duration = Duration::from_millis(100);

/// Arguments of `occ release plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    wish: WishArgs,
}

/// Arguments of `occ release run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    hands: HandsArgs,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Arguments of `occ release resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The release; without it the only one that was begun and is not done
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    hands: HandsArgs,
}

/// Arguments that say with what a release is made.
#[derive(Debug, Args)]
struct HandsArgs {
    /// Run no image: the receipt says so
    #[arg(long)]
    no_smoke: bool,
    /// Ask no scanner for weaknesses: the receipt says so
    #[arg(long)]
    no_scan: bool,
    /// For what the policy must approve every image (see `occ policy`)
    #[arg(long, value_name = "NAME", default_value = "public-distribution")]
    environment: String,
    /// Ask no policy: the receipt says so
    #[arg(long)]
    no_policy: bool,
    #[command(flatten)]
    signing: SigningArgs,
}

impl HandsArgs {
    fn permit(&self, context: &Context) -> Result<Option<Permit>, Failure> {
        if self.no_policy {
            return Ok(None);
        }
        Permit::of(&self.environment, context).map(Some)
    }
}

/// Runs `occ release plan`.
pub(super) fn plan(args: &PlanArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.wish.recipe.read(context)?;
    context.block_on(async {
        let grounds = args.wish.places.grounds(context)?;
        let planned = args.wish.plan(&source, &grounds).await?;
        shown(&planned, context)
    })
}

fn shown(planned: &Planned, context: &Context) -> Result<Exit, Failure> {
    let moving = Moving::of(planned, context)?;
    context.terminal.result(
        "occ/release-plan",
        &data(planned, &moving),
        &text(&planned.plan, &moving),
    )?;
    if planned.is_there {
        context
            .terminal
            .say(&format!("{} is released already: nothing is to do", planned.plan.channel));
        return Ok(Exit::Done);
    }
    if planned.objections.is_empty() { Ok(Exit::Done) } else { Err(refused(planned)) }
}

fn refused(planned: &Planned) -> Failure {
    let says = format!("{} is not released like this", planned.plan.channel);
    let mut failure = Failure::new(Exit::Refused, says);
    failure.causes = planned.objections.iter().map(ToString::to_string).collect();
    failure.hint("what is new needs a version of its own: occ release plan says the next one")
}

/// Runs `occ release run`.
pub(super) fn run(args: &RunArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.wish.recipe.read(context)?;
    context.block_on(async {
        let grounds = args.wish.places.grounds(context)?;
        let planned = args.wish.plan(&source, &grounds).await?;
        if args.dry_run {
            return shown(&planned, context);
        }
        if planned.is_there {
            return nothing(&planned.plan, context);
        }
        if !planned.objections.is_empty() {
            return Err(refused(&planned));
        }
        context.terminal.say(&text(&planned.plan, &Moving::of(&planned, context)?));
        let folder = folder_of(&planned.plan, context);
        let mut journal = Journal::begin(&folder, &planned.plan).map_err(|error| {
            let failure = failed(&error);
            match error {
                JournalError::Begun(_) => failure
                    .hint(format!("go on with it: occ release resume {}", planned.plan.channel)),
                _ => failure,
            }
        })?;
        let press = Pressing { source: &source, grounds: &grounds, builds: &planned.builds };
        press.go(&mut journal, &args.hands, context).await
    })
}

/// Runs `occ release resume`.
pub(super) fn resume(args: &ResumeArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.recipe.read(context)?;
    context.block_on(async {
        let record = begun(args.version.as_deref(), context)?;
        let mut journal = Journal::open(&record.folder).map_err(|error| failed(&error))?;
        let plan = journal.plan().clone();
        let grounds = Grounds::of(&plan.places, context)?;
        let builds = builds_of(&plan, &source)?;
        let press = Pressing { source: &source, grounds: &grounds, builds: &builds };
        press.go(&mut journal, &args.hands, context).await
    })
}

/// Returns the release that is meant: by its name, or the only one that is not done.
pub(super) fn begun(name: Option<&str>, context: &Context) -> Result<Record, Failure> {
    let all = records(context)?;
    let Some(name) = name else {
        let open: Vec<Record> = all.into_iter().filter(is_open).collect();
        return match <[Record; 1]>::try_from(open) {
            Ok([one]) => Ok(one),
            Err(open) if open.is_empty() => {
                Err(Failure::new(Exit::Failed, "no release is under way here")
                    .hint("begin one: occ release run"))
            }
            Err(open) => {
                let names: Vec<_> = open.iter().map(|it| it.plan.channel.to_string()).collect();
                Err(Failure::usage(format!("several releases are under way: {}", names.join(", ")))
                    .hint("name the one that is meant"))
            }
        };
    };
    let channel: Channel = name.parse().map_err(|error| Failure::of(Exit::Usage, &error))?;
    let found = all.into_iter().rev().find(|record| record.plan.channel == channel);
    found.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("{channel} was not begun here"))
            .hint("see what was: occ release status")
    })
}

/// Returns every release of this machine, oldest first.
pub(super) fn records(context: &Context) -> Result<Vec<Record>, Failure> {
    let folder = folder(context);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut records = Vec::new();
    for entry in entries {
        match Record::read(&entry?.path()) {
            Ok(record) => records.push(record),
            Err(error) => context.terminal.warn(&failed(&error).message),
        }
    }
    records.sort_by_key(|record| record.plan.created);
    Ok(records)
}

/// Whether there is something left to do.
pub(super) fn is_open(record: &Record) -> bool {
    let done = steps(&record.plan).iter().all(|planned| record.done(&planned.step).is_some());
    !done && !record.is_abandoned()
}

/// Makes the build plans of a release plan again; recipe and lock must still be those that it was made of.
pub(super) fn builds_of(
    plan: &ReleasePlan,
    source: &ImageSource,
) -> Result<Vec<BuildPlan>, Failure> {
    let mut variants: Vec<String> = Vec::new();
    let mut platforms = Vec::new();
    for image in &plan.images {
        if !variants.contains(&image.variant) {
            variants.push(image.variant.clone());
        }
        if !platforms.contains(&image.platform) {
            platforms.push(image.platform);
        }
    }
    let wish = Wish {
        channel: plan.channel,
        product: plan.product.clone(),
        created: plan.created,
        seq: plan.seq,
        revision: plan.revision.clone(),
        branch: plan.branch.clone(),
        run_url: plan.run_url.clone(),
        places: plan.places.clone(),
        variants,
        platforms,
        compression: plan.compression,
        promote: true,
    };
    let from = Source { recipe: &source.recipe, lock: source.lock()? };
    let builds = build_plans(&wish, &from)?;
    if plan.is_made_of(&builds) {
        return Ok(builds);
    }
    Err(Failure::new(
        Exit::Refused,
        format!("recipe or lock are not those that {} was begun with", plan.channel),
    )
    .hint("bring them back, or give the release up: occ release abandon"))
}

fn nothing(plan: &ReleasePlan, context: &Context) -> Result<Exit, Failure> {
    let says = format!("{} is released already, from the same recipe and lock", plan.channel);
    context.terminal.say(&says);
    let data = json!({ "changed": false, "release": plan.channel });
    context.terminal.result("occ/release-run", &data, &format!("{}\n", plan.channel))?;
    Ok(Exit::Done)
}

struct Pressing<'a> {
    source: &'a ImageSource,
    grounds: &'a Grounds,
    builds: &'a [BuildPlan],
}

impl Pressing<'_> {
    async fn go(
        &self,
        journal: &mut Journal,
        args: &HandsArgs,
        context: &Context,
    ) -> Result<Exit, Failure> {
        let plan = journal.plan().clone();
        let place = &self.grounds.places[0];
        let permit = args.permit(context)?;
        let holder = format!("{} ({})", plan.channel, plan.seq);
        let turn = Turn::take(place, &holder, crate::time::moment()).await.map_err(turn)?;
        let pressed = self.press(journal, args, permit, context).await;
        // Whoever stops here goes on later, or gives up: others need not wait for that.
        let ended = turn.end().await;
        pressed?;
        ended.map_err(self::turn)?;
        self.tell(&plan, journal, context).await
    }

    async fn press(
        &self,
        journal: &mut Journal,
        args: &HandsArgs,
        permit: Option<Permit>,
        context: &Context,
    ) -> Result<(), Failure> {
        let skipped = Skipped { smoke: args.no_smoke, scan: args.no_scan };
        let hands = Hands::new(context, &self.grounds.way, &args.signing, skipped).judging(permit);
        let channel = journal.plan().channel;
        let progress = context.terminal.progress();
        let observer = |event: Event| told(&event, &progress, context);
        let places: Vec<_> =
            self.grounds.places.iter().map(|place| place.settling(SETTLE_IN_TURN)).collect();
        let press = Press {
            source: Source { recipe: &self.source.recipe, lock: self.source.lock()? },
            builds: self.builds,
            places: &places,
            policy: &self.grounds.notary.policy,
            root: &self.grounds.notary.root,
            ports: &hands,
            at_once: hands.at_once().await,
            observer: &observer,
            cancel: context.cancel.flag(),
        };
        let pressed = press.run(journal).await;
        hands.clear().await;
        pressed.map_err(|error| stopped(&error, channel))
    }

    /// Writes what people are told, and ends.
    async fn tell(
        &self,
        plan: &ReleasePlan,
        journal: &Journal,
        context: &Context,
    ) -> Result<Exit, Failure> {
        let found = fetch_receipt(&self.grounds.places[0], &plan.channel).await?;
        let (manifest, receipt) = found.ok_or_else(|| {
            Failure::new(Exit::Network, format!("{} has no receipt", plan.channel))
        })?;
        let before = self.before(&receipt).await?;
        let folder = journal.folder().to_owned();
        let keep = |name: &str, text: String| {
            journal.keep(name, text.as_bytes()).map_err(|error| failed(&error))
        };
        keep("notes.md", notes(&receipt, before.as_ref()))?;
        keep("changelog.md", changelog(&receipt, before.as_ref()))?;
        context.terminal.say(&format!("released: {}", plan.channel));
        context.terminal.say(&format!("notes: {}", folder.join("notes.md").display()));
        let data = json!({
            "changed": true,
            "release": plan.channel,
            "receipt": manifest.digest(),
            "folder": folder,
            "variants": receipt.variants.iter().map(|it| json!({ "name": it.name, "digest": it.digest })).collect::<Vec<_>>(),
        });
        context.terminal.result("occ/release-run", &data, &format!("{}\n", plan.channel))?;
        Ok(Exit::Done)
    }

    /// Returns the receipt of the release that this one is compared with: the newest before.
    async fn before(&self, receipt: &Receipt) -> Result<Option<Receipt>, Failure> {
        let known = super::wish::known(self.grounds).await?;
        let older = known.into_iter().find(|version| Some(*version) < receipt.channel.version());
        let Some(version) = older else { return Ok(None) };
        let found = fetch_receipt(&self.grounds.places[0], &Channel::Release(version)).await?;
        Ok(found.map(|(_, receipt)| receipt))
    }
}

fn told(event: &Event, progress: &Progress, context: &Context) {
    if let Event::Sending { place, done, total } = event {
        let what = format!("Sending to {}", place.host());
        return progress.show(&occ_sandbox::Event::Copied { what, done: *done, total: *total });
    }
    progress.clear();
    match event {
        Event::Done { step, took, note } => {
            let note = note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            context.terminal.say(&format!("{step}: done in {:.1} s{note}", took.as_secs_f64()));
        }
        Event::Again { step, why } => {
            context.terminal.warn(&format!("{step} did not succeed and is tried again: {why}"));
        }
        Event::Failed { step, why } => context.terminal.warn(&format!("{step}: {why}")),
        Event::Begin(_) | Event::Sending { .. } => {}
    }
}

/// Returns what it means that a release stopped.
fn stopped(error: &Stopped, channel: Channel) -> Failure {
    let exit = match &error.source {
        StepError::Interrupted => Exit::Interrupted,
        StepError::Registry(_) | StepError::Base(_) => Exit::Network,
        StepError::Smoke { .. } => Exit::Unhealthy,
        StepError::Weak { .. }
        | StepError::Prohibited { .. }
        | StepError::Changed(_)
        | StepError::MovedMeanwhile { .. }
        | StepError::Tags(_)
        | StepError::ReadBack(_) => Exit::Refused,
        _ => Exit::Failed,
    };
    let mut failure = Failure::of(exit, error);
    if failure.causes.is_empty() {
        failure.causes.extend(error.source().map(ToString::to_string));
    }
    failure
        .hint("nothing has a name that it should not have, and what is done is kept")
        .hint(format!("go on: occ release resume {channel}"))
        .hint(format!("give it up: occ release abandon {channel}"))
}

pub(super) fn failed(error: &JournalError) -> Failure {
    match error {
        JournalError::Busy(_) => Failure::of(Exit::Failed, error).hint("wait for it to end"),
        JournalError::Plan { .. } => Failure::of(Exit::Config, error),
        _ => Failure::of(Exit::Failed, error),
    }
}

fn turn(error: TurnError) -> Failure {
    match error {
        TurnError::Registry(error) => error.into(),
        TurnError::Taken { .. } => Failure::of(Exit::Failed, &error)
            .hint("one release at a time: wait for it, or for the time to be over"),
        TurnError::Manifest(_) => Failure::of(Exit::Failed, &error),
    }
}
