//! `occ backup restore`: a sandbox from a file, healthy, or everything as it was.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use occ_engine::Docker;
use occ_image::Size;
use occ_sandbox::{
    Event, FileError, Filling, Lock, Record, RemovalWish, Sandbox, Verified, Work, any_image,
    apply_removal, fill_volumes, make_volumes, plan_removal, replace, restored_record,
    verify_backup,
};
use serde_json::json;

use super::over::restore_over;
use super::{folder, from_here};
use crate::commands::rm::this_one;
use crate::commands::{own_container, start};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ backup restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// File to take, or its name in the folder that `occ backup list` shows
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Answer yes to every question that can lose no work
    #[arg(long, short)]
    yes: bool,
    /// Look at the whole file, say what is in it and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ backup restore`.
pub(crate) fn run(args: &RestoreArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(restore(args, context))
}

async fn restore(args: &RestoreArgs, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    own_container(&engine, context).await?;
    let backup = look_at(path(&args.file, context), context).await?;
    if args.dry_run {
        return report(&backup, false, context);
    }
    let lock = context.lock().await?;
    let sandbox = this_one(&engine, context).await?;
    if sandbox.container.is_some() {
        restore_over(args.yes, &engine, &backup, &lock, context).await?;
        return report(&backup, true, context);
    }
    if sandbox.exists() {
        return Err(volumes_alone(context));
    }
    let settings = bring_settings(&backup, context)?;
    let restored = make(args, &engine, &backup, lock, context).await;
    if let Err(failure) = restored {
        if let Some(settings) = settings {
            // Nobody has changed it: it was made by this very call.
            drop(fs::remove_file(settings));
        }
        return Err(failure);
    }
    report(&backup, true, context)
}

/// What has no container has no way back to what it holds.
fn volumes_alone(context: &Context) -> Failure {
    let what = format!("there are volumes of a sandbox, but no container: {}", context.instance);
    Failure::new(Exit::Failed, what)
        .hint("make it a sandbox again, and restore then: occ start")
        .hint("or restore beside it: occ --instance NAME backup restore FILE")
}

/// Returns where the file is: as it was typed, or in the folder for backups.
fn path(file: &Path, context: &Context) -> PathBuf {
    let here = from_here(file, context);
    let kept = folder(context).join(file);
    if !here.exists() && kept.exists() { kept } else { here }
}

/// Reads the whole file and compares everything.
async fn look_at(path: PathBuf, context: &Context) -> Result<Verified, Failure> {
    let progress = std::sync::Arc::new(context.terminal.progress());
    let (shown, cancel) = (std::sync::Arc::clone(&progress), context.cancel.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let done = std::cell::Cell::new(0);
        verify_backup(&path, cancel.flag(), &|bytes| {
            done.set(done.get() + bytes);
            let what = "Looking at the backup".to_owned();
            shown.show(&Event::Copied { what, done: done.get(), total: 0 });
        })
    });
    let looked = looked.await.expect("reading does not panic");
    progress.clear();
    Ok(looked?)
}

/// Puts the settings back where there are none; returns the file it made.
fn bring_settings(backup: &Verified, context: &Context) -> Result<Option<PathBuf>, Failure> {
    let path = context.env.config_file();
    let Some(settings) = backup.settings.as_ref().filter(|_| !path.exists()) else {
        return Ok(None);
    };
    occ_sandbox::private_dir(&context.env.config_dir)?;
    replace(&path, settings, 0o600)?;
    context.terminal.say(&format!("The settings are those of the backup: {}", path.display()));
    Ok(Some(path))
}

/// Makes the sandbox; whatever fails, nothing of it is left.
async fn make(
    args: &RestoreArgs,
    engine: &Docker,
    backup: &Verified,
    lock: Lock,
    context: &Context,
) -> Result<(), Failure> {
    let filling = backup.filling(&context.instance);
    let made = make_all(args, engine, backup, &filling, lock, context).await;
    if made.is_err() {
        context.terminal.say("Taking back what was made");
        let lock = context.wait_for_lock().await?;
        take_back(engine, &lock, context).await?;
    }
    made
}

async fn make_all(
    args: &RestoreArgs,
    engine: &Docker,
    backup: &Verified,
    filling: &Filling,
    lock: Lock,
    context: &Context,
) -> Result<(), Failure> {
    let home = context.home();
    if let Some(record) = restored_record(backup) {
        home.save_record(&fitting(record, backup, context), &lock)?;
    }
    let settings = || Ok::<_, Failure>(start::StartSettings::again(context)?.agreeing(args.yes));
    let none = Sandbox::none(context.instance.clone());
    let mut lock = lock;
    if any_image(engine, &none).await?.is_none() {
        // A start brings an image, in all the ways there are; what else it makes goes again.
        drop(lock);
        start::start(settings()?, context).await?;
        lock = context.lock().await?;
        let started = this_one(engine, context).await?;
        remove(engine, &started, &lock, context).await?;
        if let Some(record) = restored_record(backup) {
            home.save_record(&fitting(record, backup, context), &lock)?;
        }
    }
    let image = any_image(engine, &none).await?;
    let image =
        image.ok_or_else(|| Failure::new(Exit::Failed, "there is no image to restore with"))?;
    replace(&home.filling_path(), b"", 0o600)?;
    let progress = context.terminal.progress();
    let observer = |event: Event| progress.show(&event);
    make_volumes(engine, context.claim(), filling).await?;
    let filled =
        fill_volumes(engine, context.claim(), image, filling, &context.cancel, &observer).await;
    progress.clear();
    filled?;
    unmark(context)?;
    drop(lock);
    start::start(settings()?, context).await.map(drop)
}

/// Returns the record as it fits here: another instance gets a port of its own, and what a way back to an
/// earlier sandbox would need is not in a backup; those names may be another sandbox's.
fn fitting(mut record: Record, backup: &Verified, context: &Context) -> Record {
    record.previous = None;
    if backup.head.instance != context.instance.name() {
        record.said.remove("port");
    }
    record
}

/// Removes everything that a restore was cut off at.
pub(crate) async fn forget_part(lock: &Lock, context: &Context) -> Result<(), Failure> {
    context.terminal.say("An earlier restore was cut off; taking it back first");
    take_back(&context.engine()?, lock, context).await
}

/// Before a restore there was nothing; so there is again.
async fn take_back(engine: &Docker, lock: &Lock, context: &Context) -> Result<(), Failure> {
    let part = this_one(engine, context).await?;
    remove(engine, &part, lock, context).await?;
    unmark(context)
}

fn unmark(context: &Context) -> Result<(), Failure> {
    let mark = context.home().filling_path();
    match fs::remove_file(&mark) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::wrap("remove", &mark)(error).into()),
    }
}

async fn remove(
    engine: &Docker,
    sandbox: &Sandbox,
    lock: &Lock,
    context: &Context,
) -> Result<(), Failure> {
    let wish = RemovalWish { volumes: true, discard_work: true };
    let (sizes, kept) = Default::default();
    let planned = plan_removal(sandbox, &context.home(), &sizes, &kept, Work::default(), wish);
    let occ_sandbox::Farewell::Ready(removal) = planned else { return Ok(()) };
    Ok(apply_removal(engine, &removal, lock).await?)
}

fn report(backup: &Verified, changed: bool, context: &Context) -> Result<Exit, Failure> {
    let size: u64 = backup.manifest.parts.iter().map(|part| part.size).sum();
    let data = json!({
        "changed": changed,
        "instance": context.instance.name(),
        "backup": backup.head,
        "parts": backup.manifest.parts,
    });
    let text = if changed {
        "restored, and it is healthy\n".to_owned()
    } else {
        let volumes = backup.head.volumes.join(", ");
        format!("sound: {volumes}, {}, made {}\n", Size(size), backup.head.created_at)
    };
    let text = if context.terminal.quiet() { String::new() } else { text };
    context.terminal.result("occ/backup-restore", &data, &text)?;
    if let Some(folder) = backup.head.folder.as_ref().filter(|_| changed) {
        context
            .terminal
            .warn(&format!("the workspace was a folder and is not in the backup: {folder}"));
    }
    Ok(Exit::Done)
}
