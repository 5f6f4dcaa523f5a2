//! `occ env`: variables that sandboxes have.

use clap::Subcommand;
use occ_sandbox::looks_secret;
use serde_json::json;

use super::entries;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The commands of `occ env`.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Give sandboxes a variable; anybody who may ask the container engine sees it
    Set {
        /// The variables
        #[arg(required = true, value_name = "NAME=VALUE")]
        variables: Vec<String>,
    },
    /// Take variables away
    #[command(alias = "remove")]
    Unset {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Show which variables they have
    List,
}

/// Runs `occ env`.
pub(crate) fn run(command: &EnvCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        EnvCommand::Set { variables } => {
            let done = entries::set("container_env", variables, context)?;
            for (name, value) in variables.iter().filter_map(|entry| entry.split_once('=')) {
                if looks_secret(name, value) {
                    context.terminal.warn(&better_secret(name));
                }
            }
            Ok(done)
        }
        EnvCommand::Unset { names } => {
            let is = |entry: &str| {
                names.iter().any(|name| entry.split('=').next() == Some(name.as_str()))
            };
            entries::remove("container_env", &names.join(" "), is, context)
        }
        EnvCommand::List => list(context),
    }
}

/// What to say about a variable that everybody would see.
pub(in crate::commands) fn better_secret(name: &str) -> String {
    format!(
        "{name} looks like a credential, and anybody who may ask the container engine sees a variable; keep it \
         in a file and name that: occ secret set {name}=file:PATH"
    )
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let mut data = Vec::new();
    let mut text = String::new();
    for (entry, from) in entries::all("container_env", context)? {
        let (name, value) = entry.split_once('=').unwrap_or((entry.as_str(), ""));
        text.push_str(&format!("{name}={value} ({})\n", from.word()));
        data.push(json!({ "name": name, "value": value, "from": from }));
    }
    context.terminal.result("occ/env", &json!(data), &text)?;
    Ok(Exit::Done)
}
