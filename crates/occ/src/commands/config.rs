//! `occ config`: read and change settings.

use clap::Subcommand;
use occ_sandbox::load_password;
use serde_json::{Map, Value, json};

use crate::config::{ConfigFile, Fate, Key, fate, lookup, nearest, schema};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The commands of `occ config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting, its value and who gave it
    Show,
    /// Show one setting's value
    Get {
        /// Its name
        key: String,
    },
    /// Change one setting in the file; comments stay
    Set {
        /// Its name
        key: String,
        /// Its new value; `null` or `none` where a setting may have no value; never a password
        #[arg(allow_hyphen_values = true)]
        value: Option<String>,
    },
    /// Take one setting out of the file
    Unset {
        /// Its name
        key: String,
    },
    /// Take every setting out of the file, so that the defaults hold again
    Reset {
        /// Do not ask
        #[arg(long)]
        force: bool,
    },
    /// Print the file's path
    Path,
    /// Print the file's JSON schema
    Schema,
}

/// Runs `occ config`.
pub(crate) fn run(command: ConfigCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show => show(context),
        ConfigCommand::Get { key } if key == PASSWORD => masked(context),
        ConfigCommand::Get { key } => get(known(&key)?, context),
        ConfigCommand::Set { key, value } if key == PASSWORD => {
            set_password(value.as_deref(), context)
        }
        ConfigCommand::Set { key, value } => set(known(&key)?, value.as_deref(), context),
        ConfigCommand::Unset { key } => unset(&key, context),
        ConfigCommand::Reset { force } => reset(force, context),
        ConfigCommand::Path => {
            let path = context.env.config_file();
            let text = format!("{}\n", path.display());
            context.terminal.result("occ/config.path", &json!({ "path": path }), &text)?;
            Ok(Exit::Done)
        }
        ConfigCommand::Schema => {
            context.terminal.print(&format!("{:#}\n", schema()))?;
            Ok(Exit::Done)
        }
    }
}

fn known(name: &str) -> Result<&'static Key, Failure> {
    lookup(name).ok_or_else(|| {
        let failure = Failure::usage(format!("there is no setting {name:?}"));
        match nearest(name) {
            Some(near) => failure.hint(format!("did you mean: {near}")),
            None => failure.hint("see all of them: occ config show"),
        }
    })
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let layers = context.layers()?;
    let mut data = Map::new();
    let mut text = String::new();
    for (name, value, origin) in layers.iter() {
        data.insert(name.to_owned(), json!({ "value": value, "origin": origin }));
        let origin = format!("{origin:?}").to_lowercase();
        text.push_str(&format!("{name:<16} {:<28} {origin}\n", value.to_string()));
    }
    if load_password(&context.home())?.is_some() {
        let how = context.terminal.typed("shown by: occ password");
        text.push_str(&format!("{PASSWORD:<16} {MASK:<28} {how}\n"));
    }
    context.terminal.result("occ/config", &Value::Object(data), &text)?;
    Ok(Exit::Done)
}

fn get(key: &'static Key, context: &Context) -> Result<Exit, Failure> {
    let layers = context.layers()?;
    let (value, origin) = layers.get(key.name);
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let data = json!({ "key": key.name, "value": value, "origin": origin });
    context.terminal.result("occ/config.value", &data, &format!("{text}\n"))?;
    Ok(Exit::Done)
}

/// The one thing that is set here and kept elsewhere.
const PASSWORD: &str = "password";

/// Stands for a password wherever one would be shown.
const MASK: &str = "********";

fn masked(context: &Context) -> Result<Exit, Failure> {
    let known = load_password(&context.home())?.is_some();
    let value = known.then_some(MASK);
    let data = json!({ "key": PASSWORD, "value": value, "origin": "file" });
    let text = format!("{}\n", value.unwrap_or("none"));
    context.terminal.result("occ/config.value", &data, &text)?;
    if known {
        context.terminal.say("It is shown by: occ password");
    }
    Ok(Exit::Done)
}

/// Lets a person type a new password; one in an argument could be read by anybody on the machine.
fn set_password(value: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    if value.is_some() {
        return Err(Failure::usage(
            "a password is never taken as an argument: others can see those",
        )
        .hint("type it: occ config set password")
        .hint("or hand it over: occ setup --yes --password-stdin"));
    }
    if !context.terminal.can_ask() {
        return Err(Failure::usage("No TTY detected: nobody can type a password")
            .hint("hand it over: occ setup --yes --password-stdin"));
    }
    let password = context.block_on(super::setup::typed_password(context))?;
    super::password::change(&password, context)?;
    let data = json!({ "key": PASSWORD, "value": MASK });
    context.terminal.result("occ/config.set", &data, "")?;
    Ok(Exit::Done)
}

fn set(key: &'static Key, text: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let explained = |failure: Failure| failure.hint(format!("{}: {}", key.name, key.doc));
    let text = text
        .ok_or_else(|| explained(Failure::usage(format!("a value is missing for {}", key.name))))?;
    let value = key
        .parse(text)
        .map_err(|what| explained(Failure::usage(format!("{}: {what}", key.name))))?;
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    write(&file.with(key.name, &value), context)?;
    let data = json!({ "key": key.name, "value": value, "path": path });
    changed("occ/config.set", &data, context)
}

/// Takes a setting out, also one that an earlier version had.
fn unset(name: &str, context: &Context) -> Result<Exit, Failure> {
    let name = match fate(name) {
        Some(Fate::Restart | Fate::Gone(_)) => name,
        _ => known(name)?.name,
    };
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    let text = file.without(name);
    if text != file.text() {
        write(&text, context)?;
    }
    changed("occ/config.unset", &json!({ "key": name, "path": path }), context)
}

fn reset(force: bool, context: &Context) -> Result<Exit, Failure> {
    let path = context.env.config_file();
    let old = match std::fs::read(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            context.terminal.result("occ/config.reset", &json!({ "path": path }), "")?;
            context.terminal.say("There is no config file; the defaults hold");
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    if !force {
        let question = "Reset all settings to their defaults?";
        if !context.terminal.can_ask() {
            return Err(Failure::usage("whether to reset all settings was not said")
                .hint("to do it: occ config reset --force"));
        }
        let answer = context.terminal.confirm(question, false, &context.cancel);
        if !context.block_on(answer)? {
            return Err(Failure::new(Exit::Failed, "Aborted; nothing was changed"));
        }
    }
    let kept = path.with_extension("json.old");
    occ_sandbox::replace(&kept, &old, 0o600)?;
    write("{}\n", context)?;
    context.terminal.say(&format!("What was there is kept in: {}", kept.display()));
    changed("occ/config.reset", &json!({ "path": path, "kept": kept }), context)
}

pub(super) fn write(text: &str, context: &Context) -> Result<(), Failure> {
    occ_sandbox::private_dir(&context.env.config_dir)?;
    Ok(occ_sandbox::replace(&context.env.config_file(), text.as_bytes(), 0o600)?)
}

fn changed(schema: &str, data: &Value, context: &Context) -> Result<Exit, Failure> {
    context.terminal.result(schema, data, "")?;
    context.terminal.say("Restart required for changes to take effect: occ start");
    Ok(Exit::Done)
}
