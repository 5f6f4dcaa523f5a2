//! `occ update`: a newer image, with the old sandbox kept until the new one has proved itself.

use std::sync::Arc;

use clap::Args;
use occ_engine::{Docker, Engine as _, ImageId};
use occ_image::Size;
use occ_sandbox::pull::{PullError, Wanted, find, lacking, platform_of};
use occ_sandbox::{
    Acquire, ApplyError, Cause, Change, Event, ImageBuilder, ImageSource, Lock, Outcome, Plan,
    Question, SandboxSpec, acquire, apply, drift, plan_change,
};
use serde_json::json;

use super::agreement::Agreement;
use super::start::{self, Permit, StartSettings};
use super::{existing_container, start::ask};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::Workshop;
use crate::worksite::Worksite;

/// Arguments of `occ update`.
#[derive(Debug, Args)]
#[command(
    after_help = "The old sandbox works on while the new image is brought and tried on copies of the data. \
Whatever fails, the old one is back as it was; afterwards, occ rollback goes back to it."
)]
pub(crate) struct UpdateArgs {
    /// Say whether there is a newer image, and do nothing
    #[arg(long)]
    check: bool,
    /// Update only to an image that the policy approves for this environment (see `occ policy`)
    #[arg(long, value_name = "NAME", conflicts_with = "check")]
    environment: Option<String>,
    /// Keep no copy of the data: neither a trial nor a rollback of data is possible then
    #[arg(long)]
    no_snapshot: bool,
    #[command(flatten)]
    agreement: Agreement,
}

/// Runs `occ update`.
pub(crate) fn run(args: &UpdateArgs, context: &Context) -> Result<Exit, Failure> {
    let settings = StartSettings::again(context)?.agreeing(args.agreement.yes);
    context.block_on(async {
        if args.check {
            check(&settings, context).await
        } else {
            update(args, settings, context).await
        }
    })
}

/// Says whether an update would change the image.
async fn check(settings: &StartSettings, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let container = existing_container(&engine, context).await?;
    let (spec, config) = settings.wish(context)?;
    let newest = match &spec.image {
        ImageSource::Build => built(&engine, &context.workshop(&config)?).await?,
        ImageSource::Prebuilt(names) => published(names, &engine, context).await?,
    };
    let newer = newest.image.as_ref() != Some(&container.image);
    let data = json!({
        "update": newer,
        "current": container.image,
        "newest": newest.image,
        "reference": newest.name,
        "bytes": newest.bytes,
        "source": source(&spec),
    });
    let fetched = newest.bytes.map(|bytes| format!("  {} to fetch", Size(bytes)));
    let text = if newer {
        format!("an update is there: {}{}\n", newest.name, fetched.unwrap_or_default())
    } else {
        "up to date\n".to_owned()
    };
    context.terminal.result("occ/update-check", &data, &text)?;
    Ok(Exit::Done)
}

/// The image that an update would bring.
struct Newest {
    /// Its id in the engine; nothing where it has still to be built.
    image: Option<ImageId>,
    name: String,
    /// What would be fetched, where it comes from a registry.
    bytes: Option<u64>,
}

async fn built(engine: &Docker, workshop: &Workshop) -> Result<Newest, Failure> {
    let name = workshop.name().to_owned();
    let image = engine.image(&name).await?.map(|image| image.id);
    Ok(Newest { image, name, bytes: None })
}

/// Asks the registries; nothing is fetched.
async fn published(
    names: &[String],
    engine: &Docker,
    context: &Context,
) -> Result<Newest, Failure> {
    let wanted = Wanted::parse(names).map_err(PullError::from)?;
    let progress = context.terminal.progress();
    // Nothing is pulled; who was asked in vain is worth a line.
    let tell = |event: Event| {
        if matches!(event, Event::PullFailed { .. }) {
            progress.show(&event);
        }
    };
    let found = find(&wanted, platform_of(engine).await?, &context.intake(), &tell).await;
    progress.clear();
    let found = found?;
    let lacking = lacking(&found, engine).await?;
    let name = found.pinned[0].to_string();
    Ok(Newest { image: Some(lacking.image), name, bytes: Some(lacking.bytes) })
}

fn source(spec: &SandboxSpec) -> &'static str {
    match &spec.image {
        ImageSource::Prebuilt(_) => "prebuilt",
        ImageSource::Build => "build",
    }
}

/// Brings the image first, while the old sandbox works on; then changes over.
async fn update(
    args: &UpdateArgs,
    mut settings: StartSettings,
    context: &Context,
) -> Result<Exit, Failure> {
    let permit = args.environment.as_deref().map(|name| Permit::of(name, context)).transpose()?;
    let engine = context.engine()?;
    let lock = context.lock().await?;
    let before = existing_container(&engine, context).await?;
    let (mut spec, config) = settings.wish(context)?;
    let workshop = Arc::new(context.workshop(&config)?);
    inform(&spec, context);
    let image = bring(&spec, &mut settings, context, &engine, &workshop, &lock).await?;
    if let Some(permit) = permit {
        permit.ask(&image, &engine, context).await?;
    }
    spec.acquire = Acquire::This(image.clone());
    if drift(&spec, &before).is_empty() {
        return up_to_date(&image, context);
    }
    let change =
        Change { snapshot: !args.no_snapshot, stops_again: true, ..Change::of(Cause::Update) };
    let plan = agree_on(&change, &spec, &mut settings, workshop.name(), context, &engine).await?;
    if args.agreement.dry_run {
        return start::show_plan(&plan, context);
    }
    let outcome = change_over(&plan, &spec, context, &engine, &lock).await?;
    report(&before.image, &outcome, context)
}

/// Says what an update does and why.
fn inform(spec: &SandboxSpec, context: &Context) {
    for line in said(&spec.image) {
        context.terminal.say(line);
    }
}

fn said(source: &ImageSource) -> [&'static str; 3] {
    match source {
        ImageSource::Prebuilt(_) => [
            "Pulling latest prebuilt image...",
            "Info: Pulling prebuilt image (per config.image_source=prebuilt)",
            "To change: occ config set image_source build",
        ],
        ImageSource::Build => [
            "Rebuilding image from source...",
            "Info: Rebuilding image from source (per config.image_source=build)",
            "To change: occ config set image_source prebuilt",
        ],
    }
}

/// Returns the image to update to, brought into the engine.
async fn bring(
    spec: &SandboxSpec,
    settings: &mut StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Arc<Workshop>,
    lock: &Lock,
) -> Result<ImageId, Failure> {
    let builder: Arc<dyn ImageBuilder> = workshop.clone();
    let site = Worksite::new(context, engine, Some(builder), lock);
    let brought = acquire(&site.world(), &spec.image).await;
    site.clear();
    match brought {
        Err(ApplyError::Pull { attempts }) => {
            let because = attempts.iter().map(ToString::to_string).collect();
            ask(&Question::BuildInstead { because }, &mut settings.consent, context).await?;
            let brought = acquire(&site.world(), &ImageSource::Build).await;
            site.clear();
            Ok(brought?)
        }
        brought => Ok(brought?),
    }
}

/// Plans a change of what runs, asking what only a person may decide.
pub(super) async fn agree_on(
    change: &Change,
    spec: &SandboxSpec,
    settings: &mut StartSettings,
    built: &str,
    context: &Context,
    engine: &Docker,
) -> Result<Plan, Failure> {
    let seen = start::look(spec, context, engine, built, true).await?;
    start::decide(&mut settings.consent, context, |consent| {
        plan_change(spec, &seen, built, consent, change)
    })
    .await
}

/// Applies a plan of a change.
pub(super) async fn change_over(
    plan: &Plan,
    spec: &SandboxSpec,
    context: &Context,
    engine: &Docker,
    lock: &Lock,
) -> Result<Outcome, Failure> {
    if !spec.bind.is_loopback() {
        start::exposed(spec.bind, context);
    }
    let site = Worksite::new(context, engine, None, lock);
    let applied = apply(plan, spec, &site.world()).await;
    site.clear();
    Ok(applied?)
}

fn up_to_date(image: &ImageId, context: &Context) -> Result<Exit, Failure> {
    let data = json!({ "changed": false, "image": image });
    context.terminal.result("occ/update", &data, "up to date\n")?;
    Ok(Exit::Done)
}

fn report(from: &ImageId, outcome: &Outcome, context: &Context) -> Result<Exit, Failure> {
    let record = &outcome.record;
    let data = json!({
        "changed": true,
        "from": from,
        "image": record.image,
        "opencode_version": record.opencode_version,
        "rollback": record.previous.is_some(),
    });
    let text = format!("opencode {} is ready\n", record.opencode_version);
    context.terminal.result("occ/update", &data, &text)?;
    context.terminal.say("To go back: occ rollback");
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lif_021_lif_022_pw_015_an_update_pulls_or_rebuilds_as_the_settings_say_and_says_so() {
        let [doing, why, _] = said(&ImageSource::Prebuilt(vec![]));
        assert_eq!(doing, "Pulling latest prebuilt image...");
        assert_eq!(why, "Info: Pulling prebuilt image (per config.image_source=prebuilt)");
        let [doing, why, _] = said(&ImageSource::Build);
        assert_eq!(doing, "Rebuilding image from source...");
        assert_eq!(why, "Info: Rebuilding image from source (per config.image_source=build)");
    }
}
