//! The front door: arguments, settings, terminal, exit codes, wiring.
//!
//! The only crate that talks to people, reads the environment and the clock.

mod addressing;
mod cli;
mod commands;
mod config;
mod context;
mod env;
mod exit;
mod facts;
mod failure;
mod given;
mod host;
mod identity;
mod image_source;
mod notify;
mod own_image;
mod policy;
mod provenance;
mod redact;
mod registries;
mod remote;
mod secrets;
mod service;
mod terminal;
mod time;
mod trust;
mod wiring;
mod worksite;
mod worktree;

use std::path::PathBuf;
use std::process::ExitCode;

pub use cli::command;
pub use config::schema;
pub use occ_policy::{cases_schema, facts_schema, policy_schema};

use crate::context::Context;
use crate::exit::Exit;

/// Runs the program with the process's own arguments and returns its exit code.
pub fn main() -> ExitCode {
    let cli = match cli::parse(env::arguments()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(early) => {
            let (terminal, failure) = *early;
            return terminal.failure(failure).into();
        }
    };
    let exit = match commands::run(cli.command, &context) {
        Ok(exit) => exit,
        Err(failure) => context.terminal.failure(failure),
    };
    exit.into()
}

/// Returns every file of the repository that `occ release` makes, with its path from the top folder.
pub fn release_files() -> Vec<(PathBuf, String)> {
    let mut files = commands::release::workflow_files();
    files.push(commands::release::built_in_description());
    files
}

/// Returns every exit code with its meaning, for generated documents.
pub fn exit_codes() -> Vec<(u8, &'static str)> {
    Exit::TABLE.iter().map(|(exit, meaning)| (exit.code(), *meaning)).collect()
}

/// Returns every setting's name, variable, default and meaning, for generated documents.
pub fn settings() -> Vec<[String; 4]> {
    config::KEYS
        .iter()
        .map(|key| {
            [key.name.to_owned(), key.env(), (key.default)().to_string(), key.doc.to_owned()]
        })
        .collect()
}

/// Returns every check's group, name and sentence, for generated documents.
pub fn checks() -> Vec<[&'static str; 3]> {
    let check = |check: &occ_smoke::Check| [check.group().name(), check.name(), check.sentence()];
    occ_smoke::Check::ALL.iter().map(check).collect()
}

/// Returns every fact's name, kind of value and meaning, for generated documents.
pub fn facts() -> Vec<[&'static str; 3]> {
    occ_policy::CATALOGUE.iter().map(|fact| [fact.name, fact.kind.name(), fact.meaning]).collect()
}
