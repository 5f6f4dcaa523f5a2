//! `occ start`: look, plan, ask, do.

use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use occ_engine::Docker;
use occ_image::guest;
use occ_sandbox::{
    ApplyError, Consent, Decision, Event, Home, ImageBuilder as _, ImageSource, Known, Lock,
    Opencode, Outcome, Owner, Plan, PortState, Question, SandboxSpec, Topic, TryLock, Workspace,
    World, apply, observe, plan_start,
};
use serde_json::{Value, json};

use crate::config::{Config, Layers, Origin, find};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, unanswered};
use crate::host;
use crate::terminal::Progress;
use crate::wiring::{VERSION, Workshop};

/// Arguments of `occ start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Port on this host
    #[arg(long, value_parser = port, value_name = "PORT")]
    port: Option<Value>,
    /// Folder of this host where the agent works, instead of a volume
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Open the browser when the sandbox is ready
    #[arg(long)]
    open: bool,
    /// Answer yes to every question that can lose no work
    #[arg(long, short)]
    yes: bool,
    /// Show what would be done and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Seconds opencode may take to become ready
    #[arg(long, value_parser = timeout, value_name = "SECONDS")]
    timeout: Option<Value>,
}

fn port(text: &str) -> Result<Value, String> {
    find("port").expect("in the table").parse(text)
}

fn timeout(text: &str) -> Result<Value, String> {
    find("start_timeout").expect("in the table").parse(text)
}

/// Everything `occ start` has decided before it looks at the world.
pub(crate) struct StartSettings {
    spec: SandboxSpec,
    consent: Consent,
    dry_run: bool,
    open: bool,
    /// Whether another command's own answer follows, so that this start prints none.
    silent: bool,
}

impl StartSettings {
    /// The settings of a start that a command does on its way.
    pub(super) fn again(context: &Context) -> Result<Self, Failure> {
        let spec = wish(&context.layers()?, context)?;
        Ok(Self { spec, consent: Consent::yes(), dry_run: false, open: false, silent: true })
    }

    /// Returns whether nothing is to be done.
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    pub(super) fn resolve(args: &StartArgs, context: &Context) -> Result<Self, Failure> {
        let mut layers = context.layers()?;
        layers.flag("port", args.port.clone());
        layers.flag("start_timeout", args.timeout.clone());
        layers.flag("open_browser", args.open.then_some(Value::Bool(true)));
        if let Some(dir) = &args.workspace {
            let dir =
                context.env.working_dir.as_ref().map_or_else(|| dir.clone(), |here| here.join(dir));
            layers.flag("workspace", Some(json!(dir)));
        }
        let consent = if args.yes { Consent::yes() } else { Consent::none() };
        let open = layers.config().open_browser;
        Ok(Self {
            spec: wish(&layers, context)?,
            consent,
            dry_run: args.dry_run,
            open,
            silent: false,
        })
    }
}

/// Returns the wish that the settings mean.
fn wish(layers: &Layers, context: &Context) -> Result<SandboxSpec, Failure> {
    let config = layers.config();
    let names = config
        .registries
        .iter()
        .map(|host| format!("{host}/{}:{VERSION}", guest::IMAGE_REPOSITORY))
        .collect();
    Ok(SandboxSpec {
        instance: context.instance.clone(),
        bind: config.bind,
        port: port_of(layers, &config, context),
        workspace: config.workspace.as_deref().map_or(Ok(Workspace::Volume), folder)?,
        isolation: config.isolation,
        limits: config.limits,
        restart: config.restart,
        logs: config.logs,
        image: if config.prebuilt { ImageSource::Prebuilt(names) } else { ImageSource::Build },
        start_timeout: config.start_timeout,
    })
}

/// Returns the port that is meant. While nobody names one, a sandbox keeps the port it has, and an
/// instance beside the first takes the next free one.
fn port_of(layers: &Layers, config: &Config, context: &Context) -> u16 {
    if layers.get("port").1 != Origin::Default {
        return config.port;
    }
    if let Some(record) = context.home().record().0 {
        return record.port;
    }
    match host::port(SocketAddr::new(config.bind, config.port)) {
        PortState::Taken { next_free: Some(free), .. } if !context.instance.is_first() => free,
        _ => config.port,
    }
}

fn folder(dir: &Path) -> Result<Workspace, Failure> {
    let unusable = |why: String| {
        let mut failure = Failure::new(
            Exit::Failed,
            format!("the folder cannot be the workspace: {}", dir.display()),
        );
        failure.causes.push(why);
        failure.hint("name another folder: occ start --workspace DIR")
    };
    let path = dir.canonicalize().map_err(|error| unusable(error.to_string()))?;
    let meta = path.metadata().map_err(|error| unusable(error.to_string()))?;
    if !meta.is_dir() {
        return Err(unusable("it is not a folder".to_owned()));
    }
    Ok(Workspace::Folder { path, owner: Owner { uid: meta.uid(), gid: meta.gid() } })
}

/// Runs `occ start`.
pub(crate) fn run(args: &StartArgs, context: &Context) -> Result<Exit, Failure> {
    let settings = StartSettings::resolve(args, context)?;
    let workshop = Arc::new(context.workshop()?);
    context.block_on(start(settings, context, workshop))
}

/// Looks, plans, asks and does, holding the sandbox's lock.
pub(crate) async fn start(
    mut settings: StartSettings,
    context: &Context,
    workshop: Arc<Workshop>,
) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    let home = context.home();
    let lock = if settings.dry_run { None } else { Some(lock(&home, context).await?) };
    loop {
        let plan = settle(&mut settings, context, &engine, &workshop).await?;
        let Some(lock) = lock.as_ref() else { return show_plan(&plan, context) };
        if plan.changes_something() && !settings.spec.bind.is_loopback() {
            exposed(settings.spec.bind, context);
        }
        let progress = context.terminal.progress();
        let applied =
            do_it(&plan, &settings.spec, context, &engine, &workshop, lock, &progress).await;
        progress.clear();
        match applied {
            Ok(outcome) => return finish(&plan, &outcome, &settings, context),
            Err(ApplyError::Pull { attempts }) => {
                let because = attempts.iter().map(ToString::to_string).collect();
                ask(&Question::BuildInstead { because }, &mut settings.consent, context)?;
                settings.spec.image = ImageSource::Build;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Looks and plans until no question is open; nothing is touched.
pub(super) async fn settle(
    settings: &mut StartSettings,
    context: &Context,
    engine: &Docker,
    workshop: &Workshop,
) -> Result<Plan, Failure> {
    loop {
        match look_and_plan(settings, context, engine, workshop).await? {
            Decision::Ready(plan) => return Ok(plan),
            Decision::Refuse(refusal) => return Err(refusal.into()),
            Decision::Ask(question) => ask(&question, &mut settings.consent, context)?,
        }
    }
}

/// Waits for the sandbox's lock, saying who has it.
pub(crate) async fn lock(home: &Home, context: &Context) -> Result<Lock, Failure> {
    home.create()?;
    let mut told = false;
    loop {
        let by = match home.try_lock()? {
            TryLock::Held(lock) => return Ok(lock),
            TryLock::Busy { by } => by,
        };
        if !told {
            let by = by.map_or_else(String::new, |pid| format!(" (process {pid})"));
            context
                .terminal
                .say(&format!("Waiting for another occ that works on this sandbox{by}"));
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
            () = context.cancel.cancelled() => {
                return Err(Failure::new(Exit::Interrupted, "interrupted"));
            }
        }
    }
}

async fn look_and_plan(
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
    let seen = observe(engine, &settings.spec, known, &host::port).await?;
    Ok(plan_start(&settings.spec, &seen, name, &settings.consent))
}

fn ask(question: &Question, consent: &mut Consent, context: &Context) -> Result<(), Failure> {
    if consent.has(question.kind()) {
        return Ok(());
    }
    if !context.terminal.can_ask() {
        return Err(unanswered(question));
    }
    let yes = match question {
        Question::Replace { drift } => {
            context.terminal.say("The running sandbox differs from what is wished:");
            for drift in drift {
                context.terminal.say(&format!("  {drift}"));
            }
            context.terminal.confirm("Stop and replace it? Volumes stay.", false)?
        }
        Question::BuildInstead { because } => {
            for why in because {
                context.terminal.say(&format!("Failed to pull prebuilt image: {why}"));
            }
            context.terminal.confirm("Build from source instead?", true)?
        }
    };
    if yes {
        consent.add(question.kind());
        return Ok(());
    }
    Err(match question.kind() {
        Topic::Replace => {
            Failure::new(Exit::Failed, "Aborted. Stop container first with: occ stop")
        }
        Topic::BuildInstead => Failure::new(Exit::Network, "there is no image to start")
            .hint("build one: occ start --yes"),
    })
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
    settings: &StartSettings,
    context: &Context,
) -> Result<Exit, Failure> {
    let home = context.home();
    let password = occ_sandbox::load_password(&home)?;
    let spec = &settings.spec;
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
        open(&url, context);
    }
    Ok(Exit::Done)
}

/// Returns the address to type into a browser.
pub(crate) fn url(bind: IpAddr, port: u16) -> String {
    match bind {
        bind if bind.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V4(v4) => format!("http://{v4}:{port}"),
        IpAddr::V6(v6) => format!("http://[{v6}]:{port}"),
    }
}

fn open(url: &str, context: &Context) {
    let opener = ["xdg-open", "open"].into_iter().find_map(|name| context.env.program(name));
    let child = opener.map(|program| {
        let null = Stdio::null;
        Command::new(program).arg(url).stdin(null()).stdout(null()).stderr(null()).spawn()
    });
    if !matches!(child, Some(Ok(_))) {
        context.terminal.warn(&format!("no browser could be opened; the address is {url}"));
    }
}
