//! `occ setup`: from a few questions to a config file and a password. Nothing is written before the summary
//! was agreed to.

mod answers;
mod password;
mod source;
mod steps;

use clap::Args;
use occ_engine::{Docker, Engine as _, Phase};
use occ_sandbox::{Consent, Lock, load_password, store_password};
use serde_json::{Value, json};

use self::answers::Answers;
pub(super) use self::password::typed as typed_password;
pub(crate) use self::source::first_source;
use super::{own_container, start, stop};
use crate::config::{ConfigFile, Layers, find};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ setup`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags are")]
pub(crate) struct SetupArgs {
    /// Where images come from: prebuilt or build
    #[arg(long, value_parser = image_source, value_name = "HOW")]
    image_source: Option<Value>,
    #[command(flatten)]
    password: password::PasswordArgs,
    /// Port on this host
    #[arg(long, value_parser = port, value_name = "PORT")]
    port: Option<Value>,
    /// Address of this host that accepts connections
    #[arg(long, value_parser = address, value_name = "ADDRESS")]
    bind_address: Option<Value>,
    /// Leave everything that no flag names as it is: at first the defaults, and a generated password
    #[arg(long)]
    defaults: bool,
    /// Ask nothing: yes to what is saved, and to the start
    #[arg(long, short)]
    yes: bool,
    /// Start the sandbox then
    #[arg(long, conflicts_with = "no_start")]
    start: bool,
    /// Do not start the sandbox then
    #[arg(long)]
    no_start: bool,
    /// Show what would be saved and do nothing
    #[arg(long)]
    dry_run: bool,
}

fn image_source(text: &str) -> Result<Value, String> {
    find("image_source").expect("in the table").parse(text)
}

fn port(text: &str) -> Result<Value, String> {
    find("port").expect("in the table").parse(text)
}

fn address(text: &str) -> Result<Value, String> {
    find("bind_address").expect("in the table").parse(text)
}

/// What the wizard sees before it asks anything.
struct Before {
    file: ConfigFile,
    layers: Layers,
    /// Whether there is a password.
    password: bool,
    /// Whether there is something to change.
    exists: bool,
    /// The engine, when it answers.
    engine: Option<Docker>,
    /// Whether the sandbox runs.
    running: bool,
}

/// Runs `occ setup`.
pub(crate) fn run(args: &SetupArgs, context: &Context) -> Result<Exit, Failure> {
    let asks = !args.yes && !args.dry_run;
    if asks && !context.terminal.can_ask() {
        return Err(nobody_to_ask());
    }
    let given = args.password.change(context)?;
    context.block_on(async {
        let before = look(context).await?;
        let agreed = agree(args, given, &before, asks, context).await;
        // Until here nothing was written.
        let agreed = agreed.map_err(|failure| match failure.exit {
            Exit::Interrupted => Failure { message: DISCARDED.to_owned(), ..failure },
            _ => failure,
        })?;
        match agreed {
            None => {
                context.terminal.say("Nothing was changed");
                Ok(Exit::Done)
            }
            Some(answers) if args.dry_run => result(&answers, false, context),
            Some(answers) => finish(args, answers, before, asks, context).await,
        }
    })
}

const DISCARDED: &str = "Discarded; nothing was saved";

/// Gathers the answers and has the summary confirmed; none when what there is shall stay.
async fn agree(
    args: &SetupArgs,
    given: Option<password::Change>,
    before: &Before,
    asks: bool,
    context: &Context,
) -> Result<Option<Answers>, Failure> {
    let says_something = given.is_some() || args.says_something();
    if asks && before.exists && !says_something && !again(before, context).await? {
        return Ok(None);
    }
    let answers = answers(args, given, before, asks, context).await?;
    context.terminal.say(&answers.summary(&before.layers, context));
    let save = "Save this configuration?";
    if asks && !context.terminal.confirm(save, true, &context.cancel).await? {
        return Err(Failure::new(Exit::Failed, DISCARDED));
    }
    Ok(Some(answers))
}

impl SetupArgs {
    /// Returns whether a flag answers a question, so that a change is what is meant.
    fn says_something(&self) -> bool {
        self.defaults
            || self.image_source.is_some()
            || self.port.is_some()
            || self.bind_address.is_some()
    }
}

fn nobody_to_ask() -> Failure {
    Failure::usage("No TTY detected. Use occ config set or provide config file.")
        .hint("take the defaults and generate a password: occ setup --defaults --yes")
        .hint("or answer with flags: --image-source HOW, --port PORT, --bind-address ADDRESS, and --generate-password, --password-stdin or --password-file FILE; then --yes")
}

async fn look(context: &Context) -> Result<Before, Failure> {
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    let layers = context.layers()?;
    let password = load_password(&context.home())?.is_some();
    let exists = password || path.exists();
    let engine = match reachable(context).await {
        Ok(engine) => Some(engine),
        Err(failure) => {
            context.terminal.warn(&failure.message);
            for hint in &failure.hints {
                context.terminal.say(&format!("hint: {hint}"));
            }
            None
        }
    };
    let running = match &engine {
        // One that is not ours is the start's to refuse.
        Some(engine) => own_container(engine, context)
            .await
            .is_ok_and(|state| state.is_some_and(|state| state.phase == Phase::Running)),
        None => false,
    };
    Ok(Before { file, layers, password, exists, engine, running })
}

async fn reachable(context: &Context) -> Result<Docker, Failure> {
    let engine = context.engine()?;
    engine.facts().await?;
    Ok(engine)
}

/// Shows what is set already and asks whether it should be changed.
async fn again(before: &Before, context: &Context) -> Result<bool, Failure> {
    context.terminal.say("The configuration is:");
    let known = if before.password { "********" } else { "none yet" };
    for name in ["image_source", "port", "bind_address"] {
        let value = &before.layers.get(name).0;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        context.terminal.say(&format!("  {name:<13} {value}"));
    }
    context.terminal.say(&format!("  {:<13} {known}", "password"));
    context.terminal.confirm("Reconfigure?", false, &context.cancel).await
}

/// Gathers the answers: from flags, then from the person, then from what there is.
async fn answers(
    args: &SetupArgs,
    given: Option<password::Change>,
    before: &Before,
    asks: bool,
    context: &Context,
) -> Result<Answers, Failure> {
    let mut answers = Answers {
        image_source: args.image_source.clone(),
        password: given,
        port: args.port.clone(),
        bind_address: args.bind_address.clone(),
    };
    if asks && !args.defaults {
        let offer = "Use defaults for everything except credentials?";
        let quick = context.terminal.confirm(offer, false, &context.cancel).await?;
        steps::ask(&mut answers, quick, before, context).await?;
    }
    if answers.password.is_none() {
        answers.password = Some(match (before.password, args.defaults) {
            (true, _) => password::Change::Keep,
            (false, true) => password::Change::Generate,
            (false, false) => return Err(no_password()),
        });
    }
    Ok(answers)
}

fn no_password() -> Failure {
    Failure::usage("there is no password yet, and none was named")
        .hint("generate one: occ setup --yes --generate-password")
        .hint("or hand one over: --password-stdin, --password-file FILE")
}

/// Saves, and starts when that is wished.
async fn finish(
    args: &SetupArgs,
    answers: Answers,
    before: Before,
    asks: bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let lock = context.lock().await?;
    let data = answers.data();
    let renewed = save(answers, &before.file, &lock, context)?;
    context.terminal.say(&format!("Saved: {}", context.env.config_file().display()));
    let restart = renewed && before.running;
    if restart && let Some(engine) = &before.engine {
        // The server learns a password at its start only.
        context.terminal.say("The sandbox is restarted with its new password");
        stop::halt(engine, super::restart::GRACE, context).await?;
    }
    drop(lock);
    let start = if args.no_start {
        false
    } else if args.start || restart {
        true
    } else if before.engine.is_none() {
        context.terminal.say("Start it later with: occ start");
        false
    } else if asks {
        let question = "Start opencode-cloud now?";
        context.terminal.confirm(question, true, &context.cancel).await?
    } else {
        true
    };
    if !start {
        context.terminal.result("occ/setup", &data, "")?;
        return Ok(Exit::Done);
    }
    let consent = if args.yes { Consent::yes() } else { Consent::none() };
    start::start(start::StartSettings::after_setup(consent, context)?, context).await
}

/// Writes password and file; returns whether the password is a new one.
fn save(
    answers: Answers,
    file: &ConfigFile,
    _lock: &Lock,
    context: &Context,
) -> Result<bool, Failure> {
    let text = file.with_all(&answers.changes());
    let password = answers.password.map(password::Change::password).transpose()?.flatten();
    if let Some(password) = &password {
        store_password(&context.home(), password)?;
        context.terminal.say("The password is shown by: occ password");
    }
    super::config::write(&text, context)?;
    Ok(password.is_some())
}

fn result(answers: &Answers, saved: bool, context: &Context) -> Result<Exit, Failure> {
    let mut data = answers.data();
    data["saved"] = json!(saved);
    context.terminal.result("occ/setup", &data, "")?;
    Ok(Exit::Done)
}
