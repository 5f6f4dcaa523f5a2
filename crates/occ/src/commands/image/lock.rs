//! `occ image lock`: from a recipe to exact files.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use occ_image::{Change, Lock, LockRequest, Upgrade, lock_changes};
use occ_sandbox::{private_dir, replace};
use serde_json::json;

use super::selection::RecipeArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::image_source::ImageSource;

/// Arguments of `occ image lock`.
#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Move one tool or Debian package to its newest version, or all of them
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    upgrade: Option<String>,
    /// Lock the tools of a feature too that no variant has; may be given several times
    #[arg(long, value_name = "FEATURE")]
    with: Vec<String>,
    /// Seconds to wait for a file that a registry names and does not have yet
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// Show what would change and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image lock`.
pub(crate) fn run(args: &LockArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.recipe.read(context)?;
    let request = LockRequest {
        upgrade: match args.upgrade.as_deref() {
            None => Upgrade::Needed,
            Some("") => Upgrade::All,
            Some(name) => Upgrade::One(name.to_owned()),
        },
        with: args.with.clone(),
        patience: Duration::from_secs(args.wait),
    };
    let lock = context.block_on(resolve(&source, &request, context))?;
    let changes = lock_changes(source.lock.as_ref(), &lock);
    if !args.dry_run {
        write(&source, &lock)?;
    }
    report(&source, &lock, &changes, args.dry_run, context)?;
    Ok(Exit::Done)
}

/// Locks what the archives have now and keeps it as this user's own lock.
pub(crate) async fn lock_anew(
    source: &ImageSource,
    request: &LockRequest,
    context: &Context,
) -> Result<(), Failure> {
    let lock = resolve(source, request, context).await?;
    let changes = lock_changes(source.lock.as_ref(), &lock);
    write(source, &lock)?;
    for change in &changes {
        context.terminal.say(&format!("  {change}"));
    }
    Ok(())
}

pub(super) async fn resolve(
    source: &ImageSource,
    request: &LockRequest,
    context: &Context,
) -> Result<Lock, Failure> {
    let (places, request) = (context.places(), request.clone());
    let (recipe, kept) = (source.recipe.clone(), source.lock.clone());
    context
        .work(move |observer, cancel| {
            occ_image::resolve(&recipe, kept.as_ref(), &request, &places, observer, cancel)
        })
        .await
}

fn write(source: &ImageSource, lock: &Lock) -> Result<(), Failure> {
    // The folder of a recipe is there; that of the own lock may not be.
    if source.own {
        private_dir(source.lock_path.parent().unwrap_or(Path::new("/")))?;
    }
    Ok(replace(&source.lock_path, lock.render().as_bytes(), 0o644)?)
}

fn report(
    source: &ImageSource,
    lock: &Lock,
    changes: &[Change],
    dry_run: bool,
    context: &Context,
) -> Result<(), Failure> {
    let data = json!({
        "lock": source.lock_path,
        "written": !dry_run,
        "files": lock.file_count(),
        "bytes": lock.total_size(),
        "changes": changes,
    });
    let mut text: String = changes.iter().map(|change| format!("{change}\n")).collect();
    if changes.is_empty() {
        text.push_str("nothing changed\n");
    }
    let verb = if dry_run { "would be written to" } else { "written to" };
    context.terminal.say(&format!(
        "{} files, {} MiB, {verb} {}",
        lock.file_count(),
        lock.total_size() >> 20,
        source.lock_path.display()
    ));
    context.terminal.result("occ/image-lock", &data, &text)
}
