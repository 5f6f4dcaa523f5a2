//! `occ config`: read and change settings.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::config::{ConfigFile, Key, find, nearest, schema};
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
        /// Its new value; `null` or `none` where a setting may have no value
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Take one setting out of the file
    Unset {
        /// Its name
        key: String,
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
        ConfigCommand::Get { key } => get(known(&key)?, context),
        ConfigCommand::Set { key, value } => set(known(&key)?, &value, context),
        ConfigCommand::Unset { key } => unset(known(&key)?, context),
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
    find(name).ok_or_else(|| {
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

fn set(key: &'static Key, text: &str, context: &Context) -> Result<Exit, Failure> {
    let value = key.parse(text).map_err(|what| {
        Failure::usage(format!("{}: {what}", key.name)).hint(format!("{}: {}", key.name, key.doc))
    })?;
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    write(&file.with(key.name, &value), context)?;
    let data = json!({ "key": key.name, "value": value, "path": path });
    changed("occ/config.set", &data, context)
}

fn unset(key: &'static Key, context: &Context) -> Result<Exit, Failure> {
    let path = context.env.config_file();
    let file = ConfigFile::read(&path)?;
    if file.values.contains_key(key.name) {
        write(&file.without(key.name), context)?;
    }
    changed("occ/config.unset", &json!({ "key": key.name, "path": path }), context)
}

fn write(text: &str, context: &Context) -> Result<(), Failure> {
    occ_sandbox::private_dir(&context.env.config_dir)?;
    Ok(occ_sandbox::replace(&context.env.config_file(), text.as_bytes(), 0o600)?)
}

fn changed(schema: &str, data: &Value, context: &Context) -> Result<Exit, Failure> {
    context.terminal.result(schema, data, "")?;
    context.terminal.say("A running sandbox takes it up with: occ start");
    Ok(Exit::Done)
}
