//! `occ start`: look, plan, ask, do.

mod address;
mod ask;
mod foreground;
mod given;
mod image;
mod permit;
mod settings;
mod version;

use std::net::IpAddr;
use std::sync::Arc;

use occ_engine::{Docker, Engine as _, ImageId};
use occ_image::{BuildError, LockRequest, guest};
use occ_sandbox::{
    ARRIVING, Acquire, ApplyError, Consent, Decision, ImageBuilder, ImageSource, Known, Lock,
    Observation, Outcome, Plan, Question, Reuse, SandboxSpec, Step, apply, bring,
    drifts_once_stopped, observe, plan_restart, plan_start,
};
use serde_json::json;

pub(super) use self::address::url;
pub(super) use self::ask::ask;
pub(super) use self::given::{LISTS, texts};
pub(crate) use self::image::names;
pub(super) use self::permit::Permit;
use self::settings::Chosen;
pub(super) use self::settings::Running;
pub(crate) use self::settings::{StartArgs, StartCommand, StartSettings};
use self::version::Look;
use crate::commands::image::lock_anew;
use crate::commands::setup::first_source;
use crate::config::{Config, Origin};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::{VERSION, Workshop};
use crate::worksite::Worksite;

/// Runs `occ start`.
pub(crate) fn run(args: &StartCommand, context: &Context) -> Result<Exit, Failure> {
    let settings = args.resolve(context)?;
    context.block_on(async {
        if args.foreground {
            foreground::run(settings, context).await
        } else {
            start(settings, context).await
        }
    })
}

/// Looks, plans, asks and does, holding the sandbox's lock.
pub(crate) async fn start(mut settings: StartSettings, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let lock = if settings.dry_run { None } else { Some(context.lock().await?) };
    let (mut spec, mut config) = settings.wish(context)?;
    let mut workshop = Arc::new(context.workshop(&config)?);
    if let Some(lock) = &lock {
        let chosen = choose(&spec, &config, &settings, context, (&engine, &workshop, lock)).await?;
        settings.take_up(chosen, &mut spec, &mut config);
    }
    let mut locked_anew = false;
    loop {
        let plan = settle(&spec, &mut settings, context, &engine, &workshop).await?;
        if settings.permit.is_some() && brings(&plan) && spec.acquire == Acquire::WhenMissing {
            // It can be judged once it is there: it is brought by itself first.
            spec.acquire = Acquire::Anew(Reuse::Kept);
            continue;
        }
        permit(&plan, &spec, &settings, context, &engine).await?;
        let Some(lock) = lock.as_ref() else {
            let plan = with_start(plan, spec, &mut settings, context, &engine, &workshop).await?;
            return show_plan(&plan, context);
        };
        settings.image.inform(&plan, &settings.layers, context);
        if plan.changes_something() && !spec.bind.is_loopback() {
            exposed(spec.bind, context);
        }
        let look = settings.image.look && plan.changes_something();
        let look = look.then(|| Look::due(&config, context)).flatten();
        let builder: Arc<dyn ImageBuilder> = workshop.clone();
        let site = Worksite::new(context, &engine, Some(builder), lock);
        let work = do_it(&plan, &spec, &site);
        let (done, newest) = Look::beside(look.as_ref(), work).await;
        site.clear();
        match done {
            Ok(Done::Brought(image)) => spec.acquire = Acquire::This(image),
            Ok(Done::Started(outcome)) => {
                if let (Some(look), Some(newest)) = (look, newest) {
                    look.tell(&newest, lock, context)?;
                }
                return finish(&plan, &outcome, &spec, &settings, context);
            }
            Err(ApplyError::Pull { attempts }) => {
                let because = attempts.iter().map(ToString::to_string).collect();
                ask(&Question::BuildInstead { because }, &mut settings.consent, context).await?;
                spec.image = ImageSource::Build;
            }
            Err(ApplyError::Build(error @ BuildError::NotAvailable { .. })) if !locked_anew => {
                locked_anew = true;
                let missing = error.to_string();
                ask(&Question::LockAnew { missing }, &mut settings.consent, context).await?;
                lock_anew(&workshop.source, &LockRequest::default(), context).await?;
                workshop = Arc::new(context.workshop(&config)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a plan begins with an image that is brought.
fn brings(plan: &Plan) -> bool {
    matches!(plan.steps.first(), Some(Step::Pull { .. } | Step::Build { .. }))
}

/// Refuses to go on with an image that is not good for what the start is for. One that is still to be brought
/// is asked about when it is there.
async fn permit(
    plan: &Plan,
    spec: &SandboxSpec,
    settings: &StartSettings,
    context: &Context,
    engine: &Docker,
) -> Result<(), Failure> {
    let Some(permit) = settings.permit.as_ref().filter(|_| !brings(plan)) else { return Ok(()) };
    let image = match &plan.image {
        Some(image) => Some(image.clone()),
        None => engine.container(&spec.instance.container()).await?.map(|state| state.image),
    };
    match image {
        Some(image) => permit.ask(&image, engine, context).await,
        None => Ok(()),
    }
}

/// Lets a person choose what nobody said: where a first image comes from, and what to do about one of
/// another version.
async fn choose(
    spec: &SandboxSpec,
    config: &Config,
    settings: &StartSettings,
    context: &Context,
    (engine, workshop, lock): (&Docker, &Workshop, &Lock),
) -> Result<Chosen, Failure> {
    let seen = look(spec, context, engine, workshop.name(), false).await?;
    let may_ask = settings.may_ask(context);
    let unsaid = settings.layers.get("image_source").1 == Origin::Default;
    if seen.lacks_image() && settings.image.flag.is_none() && unsaid && may_ask {
        return Ok(Chosen::Source(first_source(config, context).await?));
    }
    match seen.mismatch(VERSION).filter(|_| settings.image.compare) {
        Some(found) => {
            let flag = version::differs(found, may_ask, lock, context).await?;
            Ok(flag.map_or(Chosen::Nothing, Chosen::Flag))
        }
        None => Ok(Chosen::Nothing),
    }
}

/// Adds the start that follows where the plan only brings an image.
async fn with_start(
    plan: Plan,
    spec: SandboxSpec,
    settings: &mut StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Workshop,
) -> Result<Plan, Failure> {
    if !matches!(spec.acquire, Acquire::Anew(_)) {
        return Ok(plan);
    }
    let arriving = Acquire::This(ImageId(ARRIVING.to_owned()));
    let spec = SandboxSpec { acquire: arriving, ..spec };
    let then = settle(&spec, settings, context, engine, workshop).await?;
    Ok(Plan { steps: [plan.steps, then.steps].concat(), image: None })
}

/// Looks and plans until no question is open; nothing is touched.
pub(super) async fn settle(
    spec: &SandboxSpec,
    settings: &mut StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Workshop,
) -> Result<Plan, Failure> {
    let name = workshop.name();
    let mut seen = look(spec, context, engine, name, false).await?;
    if settings.running == Running::IsStopped && drifts_once_stopped(spec, &seen) {
        seen = look(spec, context, engine, name, true).await?;
    }
    let plan_it = match settings.running {
        Running::GoesOn => plan_start,
        Running::IsStopped => plan_restart,
    };
    let plan = |consent: &Consent| plan_it(spec, &seen, name, consent);
    decide(&mut settings.consent, context, plan).await
}

/// Asks until no question is open.
pub(super) async fn decide(
    consent: &mut Consent,
    context: &Context,
    plan: impl Fn(&Consent) -> Decision,
) -> Result<Plan, Failure> {
    loop {
        match plan(consent) {
            Decision::Ready(plan) => return Ok(plan),
            Decision::Refuse(refusal) => return Err(refusal.into()),
            Decision::Ask(question) => ask(&question, consent, context).await?,
        }
    }
}

/// Looks at everything that a plan is made from.
pub(super) async fn look(
    spec: &SandboxSpec,
    context: &Context,
    engine: &Docker,
    built: &str,
    closely: bool,
) -> Result<Observation, Failure> {
    let home = context.home();
    let (record, unreadable) = home.record();
    let (state, unreadable_state) = home.image_state();
    for file in unreadable.into_iter().chain(unreadable_state) {
        context.terminal.warn(&format!(
            "{} cannot be understood ({}); going on without it",
            file.path.display(),
            file.why
        ));
    }
    let image = state.and_then(|state| state.image_id);
    let known = Known { built, record, image, closely };
    Ok(observe(engine, spec, known, &|wished| context.port(wished)).await?)
}

pub(super) fn exposed(bind: IpAddr, context: &Context) {
    context.terminal.warn(&format!(
        "[NETWORK EXPOSED] the sandbox will accept connections from other machines on {bind}; its only door is the password, sent unencrypted"
    ));
}

pub(super) fn show_plan(plan: &Plan, context: &Context) -> Result<Exit, Failure> {
    let steps = plan.steps.iter().enumerate();
    let text: String = steps.map(|(index, step)| format!("{:>2}. {step}\n", index + 1)).collect();
    context.terminal.result("occ/plan", &json!(plan), &text)?;
    Ok(Exit::Done)
}

/// What a plan came to.
enum Done {
    /// An image is there; the start follows.
    Brought(ImageId),
    /// The sandbox runs.
    Started(Box<Outcome>),
}

async fn do_it(plan: &Plan, spec: &SandboxSpec, site: &Worksite<'_>) -> Result<Done, ApplyError> {
    if matches!(spec.acquire, Acquire::Anew(_)) {
        return bring(plan, &site.world()).await.map(Done::Brought);
    }
    apply(plan, spec, &site.world()).await.map(|outcome| Done::Started(Box::new(outcome)))
}

fn finish(
    plan: &Plan,
    outcome: &Outcome,
    spec: &SandboxSpec,
    settings: &StartSettings,
    context: &Context,
) -> Result<Exit, Failure> {
    let home = context.home();
    let password = occ_sandbox::load_password(&home)?;
    let url = url(spec.bind, spec.port);
    let record = &outcome.record;
    let data = json!({
        "changed": plan.changes_something(),
        "instance": spec.instance.name(),
        "url": url,
        "user": guest::USER,
        "password_file": home.password_path(),
        "container": { "name": spec.instance.container(), "id": record.container },
        "image": { "id": record.image, "opencode_version": record.opencode_version },
    });
    let password = password.as_ref().map_or("", |password| password.expose());
    let text = if context.terminal.quiet() {
        format!("{url}\n")
    } else {
        format!("URL:       {url}\nUser:      {}\nPassword:  {password}\n", guest::USER)
    };
    if plan.changes_something() {
        let version = &record.opencode_version;
        context.terminal.say(&format!("opencode {version} is ready, and its door is locked"));
    }
    if !settings.silent {
        context.terminal.result("occ/start", &data, &text)?;
    }
    if let Some(host) = &context.host {
        context
            .terminal
            .say(&format!("It listens on that machine; bring it here: occ host connect {host}"));
    } else if settings.open {
        address::open(&url, context);
    }
    Ok(Exit::Done)
}
