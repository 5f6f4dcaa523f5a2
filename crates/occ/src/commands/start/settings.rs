//! What `occ start` has decided before it looks at the world.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use occ_sandbox::{
    Consent, Given, Owner, PortState, SandboxSpec, Workspace, assign_port, suggest_port,
};
use serde_json::{Value, json};

use super::given::GivenArgs;
use super::image::{ImageArgs, ImageFlag, ImageWish};
use super::permit::Permit;
use crate::config::{Config, Layers, Origin, find};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ start`.
#[derive(Debug, Args)]
pub(crate) struct StartCommand {
    #[command(flatten)]
    start: StartArgs,
    /// Stay with the sandbox and end with it, as a service does; Ctrl-C stops it
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) foreground: bool,
    #[command(flatten)]
    image: ImageArgs,
}

impl StartCommand {
    /// Returns the settings.
    pub(super) fn resolve(&self, context: &Context) -> Result<StartSettings, Failure> {
        let image = self.image.wish()?;
        let settings = StartSettings::resolve(&self.start, context)?;
        Ok(StartSettings { image, ..settings })
    }
}

/// Arguments of every command that starts the sandbox.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Port on this host
    #[arg(long, value_parser = port, value_name = "PORT")]
    port: Option<Value>,
    /// Folder of this host where the agent works; `volume` for a volume of its own
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// Variant of the image: base, omos, with-pi, omos-with-pi
    #[arg(long, value_parser = variant, value_name = "NAME")]
    variant: Option<Value>,
    /// Start it only if the policy approves its image for this environment (see `occ policy`)
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    #[command(flatten)]
    given: GivenArgs,
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

fn variant(text: &str) -> Result<Value, String> {
    find("image_variant").expect("in the table").parse(text)
}

fn timeout(text: &str) -> Result<Value, String> {
    find("start_timeout").expect("in the table").parse(text)
}

/// Everything `occ start` has decided before it looks at the world.
#[derive(Debug, Clone)]
pub(crate) struct StartSettings {
    pub(super) layers: Layers,
    given: GivenArgs,
    /// Whether what a person should know was said: a new password makes its wish twice.
    told: Arc<AtomicBool>,
    pub(in crate::commands) consent: Consent,
    pub(super) image: ImageWish,
    /// What the image must be good for, where that was said.
    pub(super) permit: Option<Permit>,
    pub(super) dry_run: bool,
    pub(super) open: bool,
    /// What becomes of a sandbox that runs.
    pub(in crate::commands) running: Running,
    /// Whether another command's own answer follows, so that this start prints none.
    pub(super) silent: bool,
}

/// What becomes of a sandbox that runs and is what is wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Running {
    /// It goes on.
    GoesOn,
    /// It is stopped and started.
    IsStopped,
}

/// What a person chose before anything was planned.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chosen {
    Nothing,
    /// Where images come from; it was written to the file.
    Source(&'static str),
    /// A way to an image, for this start.
    Flag(ImageFlag),
}

impl StartSettings {
    /// Takes up what was chosen, as if it had been said.
    pub(super) fn take_up(&mut self, chosen: Chosen, spec: &mut SandboxSpec, config: &mut Config) {
        match chosen {
            Chosen::Nothing => return,
            Chosen::Source(word) => {
                self.layers.written("image_source", json!(word));
                config.prebuilt = word == "prebuilt";
            }
            Chosen::Flag(flag) => self.image.flag = Some(flag),
        }
        spec.image = self.image.source(config);
        spec.acquire = self.image.acquire();
    }

    /// The settings of a start that a command does on its way.
    pub(in crate::commands) fn again(context: &Context) -> Result<Self, Failure> {
        let layers = context.layers()?;
        Ok(Self {
            layers,
            given: GivenArgs::default(),
            told: Arc::new(AtomicBool::new(false)),
            consent: Consent::none(),
            image: ImageWish::default(),
            permit: None,
            dry_run: false,
            open: false,
            running: Running::GoesOn,
            silent: true,
        })
    }

    /// The settings of the start at the end of a setup.
    pub(in crate::commands) fn after_setup(
        consent: Consent,
        context: &Context,
    ) -> Result<Self, Failure> {
        let settings = Self::again(context)?;
        let open = settings.layers.config().open_browser;
        Ok(Self { consent, open, silent: false, ..settings })
    }

    /// The settings of a sandbox that is looked at and not touched.
    pub(in crate::commands) fn standing(context: &Context) -> Result<Self, Failure> {
        let told = Arc::new(AtomicBool::new(true));
        Ok(Self { dry_run: true, told, ..Self::again(context)? })
    }

    /// Returns whether questions that need no answer are asked: not where every answer is yes.
    pub(super) fn may_ask(&self, context: &Context) -> bool {
        !self.dry_run && self.consent == Consent::none() && context.terminal.can_ask()
    }

    /// The same, with every question that can lose no work answered by yes.
    pub(in crate::commands) fn agreeing(mut self, yes: bool) -> Self {
        if yes {
            self.consent = Consent::yes();
        }
        self
    }

    /// Returns the same start, as it is done once more without being asked for.
    pub(super) fn again_in_silence(&self) -> Self {
        let (image, running) = (ImageWish::default(), Running::GoesOn);
        Self { image, running, open: false, silent: true, ..self.clone() }
    }

    /// Returns the typed settings, without what is remembered.
    pub(super) fn config(&self) -> Config {
        self.layers.config()
    }

    pub(in crate::commands) fn resolve(
        args: &StartArgs,
        context: &Context,
    ) -> Result<Self, Failure> {
        args.given.check()?;
        let permit = args.environment.as_deref().map(|name| Permit::of(name, context));
        let permit = permit.transpose()?;
        let mut layers = context.layers()?;
        args.given.lay(&mut layers);
        layers.flag("port", args.port.clone());
        layers.flag("workspace", args.workspace.as_deref().map(|dir| place(dir, context)));
        layers.flag("image_variant", args.variant.clone());
        layers.flag("start_timeout", args.timeout.clone());
        layers.flag("open_browser", args.open.then_some(Value::Bool(true)));
        let consent = if args.yes { Consent::yes() } else { Consent::none() };
        let open = layers.config().open_browser;
        Ok(Self {
            layers,
            given: args.given.clone(),
            told: Arc::new(AtomicBool::new(false)),
            consent,
            image: ImageWish::default(),
            permit,
            dry_run: args.dry_run,
            open,
            running: Running::GoesOn,
            silent: false,
        })
    }

    /// Returns the wish that the settings mean, and the settings. The sandbox's lock must be held: what
    /// earlier flags said is read here.
    pub(in crate::commands) fn wish(
        &self,
        context: &Context,
    ) -> Result<(SandboxSpec, Config), Failure> {
        let said = context.home().record().0.map(|record| record.said).unwrap_or_default();
        self.wish_as(&said, context)
    }

    /// The same, as if earlier flags had said this.
    pub(in crate::commands) fn wish_as(
        &self,
        said: &BTreeMap<String, Value>,
        context: &Context,
    ) -> Result<(SandboxSpec, Config), Failure> {
        let mut layers = self.layers.clone();
        let before = said;
        let mut said = remember(&mut layers, before, self.dry_run, context)?;
        said.extend(self.given.remember(&mut layers, before));
        let config = layers.config();
        let (given, mut notes) = crate::given::given(&config, context)?;
        notes.extend(self.given.warnings());
        if !self.told.swap(true, Ordering::Relaxed) {
            for note in &notes {
                context.terminal.warn(note);
            }
        }
        Ok((wish(config.clone(), given, self.image, said, context)?, config))
    }
}

fn wish(
    config: Config,
    given: Given,
    image: ImageWish,
    said: BTreeMap<String, Value>,
    context: &Context,
) -> Result<SandboxSpec, Failure> {
    let source = image.source(&config);
    Ok(SandboxSpec {
        instance: context.instance.clone(),
        user: context.claim().user,
        bind: config.bind,
        port: config.port,
        workspace: config.workspace.as_deref().map_or(Ok(Workspace::Volume), folder)?,
        given,
        isolation: config.isolation,
        limits: config.limits,
        restart: config.restart,
        logs: config.logs,
        hosted_models: config.hosted_models,
        image: source,
        acquire: image.acquire(),
        start_timeout: config.start_timeout,
        said,
    })
}

/// Lays under the file what earlier flags said: while nobody names another port or workspace, a sandbox
/// keeps the one it was given. An instance beside the first that was given no port gets one of its own.
fn remember(
    layers: &mut Layers,
    said: &BTreeMap<String, Value>,
    dry_run: bool,
    context: &Context,
) -> Result<BTreeMap<String, Value>, Failure> {
    for name in REMEMBERED {
        if layers.get(name).1 == Origin::Default {
            layers.flag(name, said.get(name).cloned());
        }
    }
    if layers.get("port").1 == Origin::Default && !context.instance.is_first() {
        layers.flag("port", own_port(&layers.config(), dry_run, context)?.map(|port| json!(port)));
    }
    let flags = layers.iter().filter(|(_, _, origin)| *origin == Origin::Flag);
    Ok(flags
        .filter(|(name, _, _)| REMEMBERED.contains(name))
        .map(|(name, value, _)| (name.to_owned(), value.clone()))
        .collect())
}

/// Settings whose flag holds until another is named.
const REMEMBERED: [&str; 5] = ["git_identity", "image_variant", "port", "ssh_agent", "workspace"];

fn own_port(config: &Config, dry_run: bool, context: &Context) -> Result<Option<u16>, Failure> {
    let is_free =
        |port| !matches!(context.port(SocketAddr::new(config.bind, port)), PortState::Taken { .. });
    let (state, instance) = (context.state_dir(), &context.instance);
    if dry_run {
        return Ok(suggest_port(&state, instance, config.port, is_free));
    }
    Ok(assign_port(&state, instance, config.port, is_free)?)
}

/// Reads `--workspace`: a folder, or the word that means the volume.
fn place(dir: &Path, context: &Context) -> Value {
    if dir == Path::new("volume") {
        return Value::Null;
    }
    let here = context.env.working_dir.as_ref();
    json!(here.map_or_else(|| dir.to_owned(), |here| here.join(dir)))
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
