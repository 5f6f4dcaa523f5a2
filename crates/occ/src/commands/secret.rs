//! `occ secret`: where the values of secret variables are to be had.

use clap::Subcommand;
use serde_json::json;

use super::entries;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// The commands of `occ secret`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Say where a secret variable's value is to be had at every start; the value itself is kept nowhere
    Set {
        /// NAME=file:PATH, NAME=env:VARIABLE or NAME=cmd:COMMAND
        #[arg(required = true, value_name = "NAME=WHERE")]
        secrets: Vec<String>,
    },
    /// Take secrets away
    #[command(alias = "remove")]
    Unset {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Show which secrets sandboxes have, and where their values come from
    List,
}

/// Runs `occ secret`.
pub(crate) fn run(command: &SecretCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        SecretCommand::Set { secrets } => entries::set("secrets", secrets, context),
        SecretCommand::Unset { names } => {
            let is = |entry: &str| {
                names.iter().any(|name| entry.split('=').next() == Some(name.as_str()))
            };
            entries::remove("secrets", &names.join(" "), is, context)
        }
        SecretCommand::List => list(context),
    }
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let mut data = Vec::new();
    let mut text = String::new();
    for (entry, from) in entries::all("secrets", context)? {
        let (name, reference) = entry.split_once('=').unwrap_or((entry.as_str(), ""));
        text.push_str(&format!("{name} = {reference} ({})\n", from.word()));
        data.push(json!({ "name": name, "where": reference, "from": from }));
    }
    context.terminal.result("occ/secrets", &json!(data), &text)?;
    Ok(Exit::Done)
}
