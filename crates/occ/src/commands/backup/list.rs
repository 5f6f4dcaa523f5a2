//! `occ backup list`.

use std::path::{Path, PathBuf};

use clap::Args;
use occ_image::Size;
use occ_sandbox::{BackupHead, read_head};
use serde_json::{Value, json};

use super::{ENDING, folder, from_here};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::columns;

/// Arguments of `occ backup list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Folder to look in, instead of the one for backups that were given no place
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// One file.
struct Found {
    path: PathBuf,
    size: u64,
    /// What it says it is, or why it cannot be read.
    head: Result<BackupHead, String>,
}

/// Runs `occ backup list`.
pub(crate) fn run(args: &ListArgs, context: &Context) -> Result<Exit, Failure> {
    let dir = args.dir.as_ref().map_or_else(|| folder(context), |dir| from_here(dir, context));
    let found = look(&dir).or_else(|error| {
        let missing = args.dir.is_none() && error.kind() == std::io::ErrorKind::NotFound;
        if missing { Ok(Vec::new()) } else { Err(error) }
    });
    let found = found.map_err(|error| {
        let mut failure = Failure::of(Exit::Failed, &error);
        failure.message = format!("cannot look into the folder: {}", dir.display());
        failure.causes.insert(0, error.to_string());
        failure
    })?;
    let data: Vec<Value> = found.iter().map(view).collect();
    let lines: Vec<_> = found.iter().map(line).collect();
    context.terminal.result("occ/backup-list", &json!({ "backups": data }), &columns(&lines))?;
    if found.is_empty() {
        context.terminal.say("There is no backup here; make one: occ backup create");
    }
    Ok(Exit::Done)
}

fn look(dir: &Path) -> std::io::Result<Vec<Found>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == ENDING))
        .collect();
    paths.sort();
    let found = paths.into_iter().map(|path| {
        let size = path.metadata().map_or(0, |meta| meta.len());
        let head = read_head(&path).map_err(|error| error.to_string());
        Found { path, size, head }
    });
    Ok(found.collect())
}

fn view(found: &Found) -> Value {
    json!({
        "path": found.path,
        "size": found.size,
        "backup": found.head.as_ref().ok(),
        "problem": found.head.as_ref().err(),
    })
}

fn line(found: &Found) -> Vec<String> {
    let (instance, created) = match &found.head {
        Ok(head) => (head.instance.clone(), head.created_at.clone()),
        Err(why) => ("-".to_owned(), why.clone()),
    };
    vec![instance, Size(found.size).to_string(), created, found.path.display().to_string()]
}
