//! `occ start`: look, plan, ask, do.

mod address;
mod ask;
mod settings;

use std::net::IpAddr;
use std::sync::Arc;

use occ_engine::Docker;
use occ_image::{BuildError, LockRequest, guest};
use occ_sandbox::{
    ApplyError, Decision, Event, ImageBuilder as _, ImageSource, Known, Lock, Opencode, Outcome,
    Plan, Question, SandboxSpec, World, apply, observe, plan_start,
};
use serde_json::json;

pub(super) use self::address::url;
use self::ask::ask;
pub(crate) use self::settings::{StartArgs, StartSettings};
use crate::commands::image::lock_anew;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host;
use crate::terminal::Progress;
use crate::wiring::{VERSION, Workshop};

/// Runs `occ start`.
pub(crate) fn run(args: &StartArgs, context: &Context) -> Result<Exit, Failure> {
    let settings = StartSettings::resolve(args, context)?;
    context.block_on(start(settings, context))
}

/// Looks, plans, asks and does, holding the sandbox's lock.
pub(crate) async fn start(mut settings: StartSettings, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let lock = if settings.dry_run { None } else { Some(context.lock().await?) };
    let (mut spec, config) = settings.wish(context)?;
    let mut workshop = Arc::new(context.workshop(&config)?);
    let mut locked_anew = false;
    loop {
        let plan = settle(&spec, &mut settings, context, &engine, &workshop).await?;
        let Some(lock) = lock.as_ref() else { return show_plan(&plan, context) };
        if plan.changes_something() && !spec.bind.is_loopback() {
            exposed(spec.bind, context);
        }
        let progress = context.terminal.progress();
        let applied = do_it(&plan, &spec, context, &engine, &workshop, lock, &progress).await;
        progress.clear();
        match applied {
            Ok(outcome) => return finish(&plan, &outcome, &spec, &settings, context),
            Err(ApplyError::Pull { attempts }) => {
                let because = attempts.iter().map(ToString::to_string).collect();
                ask(&Question::BuildInstead { because }, &mut settings.consent, context)?;
                spec.image = ImageSource::Build;
            }
            Err(ApplyError::Build(error @ BuildError::NotAvailable { .. })) if !locked_anew => {
                locked_anew = true;
                let missing = error.to_string();
                ask(&Question::LockAnew { missing }, &mut settings.consent, context)?;
                lock_anew(&workshop.source, &LockRequest::default(), context).await?;
                workshop = Arc::new(context.workshop(&config)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks and plans until no question is open; nothing is touched.
pub(super) async fn settle(
    spec: &SandboxSpec,
    settings: &mut StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Workshop,
) -> Result<Plan, Failure> {
    loop {
        match look_and_plan(spec, settings, context, engine, workshop).await? {
            Decision::Ready(plan) => return Ok(plan),
            Decision::Refuse(refusal) => return Err(refusal.into()),
            Decision::Ask(question) => ask(&question, &mut settings.consent, context)?,
        }
    }
}

async fn look_and_plan(
    spec: &SandboxSpec,
    settings: &StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Workshop,
) -> Result<Decision, Failure> {
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
    let name = workshop.name();
    let known = Known { built: name, record, image };
    let seen = observe(engine, spec, known, &host::port).await?;
    Ok(plan_start(spec, &seen, name, &settings.consent))
}

fn exposed(bind: IpAddr, context: &Context) {
    context.terminal.warn(&format!(
        "[NETWORK EXPOSED] the sandbox will accept connections from other machines on {bind}; its only door is the password, sent unencrypted"
    ));
}

fn show_plan(plan: &Plan, context: &Context) -> Result<Exit, Failure> {
    let steps = plan.steps.iter().enumerate();
    let text: String = steps.map(|(index, step)| format!("{:>2}. {step}\n", index + 1)).collect();
    context.terminal.result("occ/plan", &json!(plan), &text)?;
    Ok(Exit::Done)
}

async fn do_it(
    plan: &Plan,
    spec: &SandboxSpec,
    context: &Context,
    engine: &Docker,
    workshop: &Arc<Workshop>,
    lock: &Lock,
    progress: &Progress,
) -> Result<Outcome, ApplyError> {
    let home = context.home();
    let observer = |event: Event| progress.show(&event);
    let builder = Arc::clone(workshop);
    let world = World {
        engine,
        server: &Opencode,
        builder,
        home: &home,
        lock,
        observer: &observer,
        cancel: &context.cancel,
        now: &crate::time::now,
        version: VERSION,
        host_addresses: &host::addresses,
    };
    apply(plan, spec, &world).await
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
    if settings.open {
        address::open(&url, context);
    }
    Ok(Exit::Done)
}
