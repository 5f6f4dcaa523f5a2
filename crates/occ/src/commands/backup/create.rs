//! `occ backup create`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use occ_engine::Engine as _;
use occ_image::Size;
use occ_sandbox::{BackupWish, Created, Event, Sandbox, create_backup, private_dir};
use serde_json::json;

use super::{ENDING, folder, from_here};
use crate::commands::ls::fleet;
use crate::commands::own_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::time;
use crate::wiring::VERSION;

/// Arguments of `occ backup create`.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// File to make; without it one in the folder that `occ backup list` shows
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Keep caches and installed programs too, which can be had again
    #[arg(long)]
    all: bool,
}

/// Runs `occ backup create`.
pub(crate) fn run(args: &CreateArgs, context: &Context) -> Result<Exit, Failure> {
    let now = time::now();
    let path = if let Some(file) = &args.file {
        from_here(file, context)
    } else {
        private_dir(&folder(context))?;
        let moment: String = now.chars().filter(|c| !"-:".contains(*c)).collect();
        folder(context).join(format!("{}-{moment}.{ENDING}", context.instance))
    };
    let created = context.block_on(create(args, &path, &now, context))?;
    report(&path, &created, context)
}

async fn create(
    args: &CreateArgs,
    path: &Path,
    now: &str,
    context: &Context,
) -> Result<Created, Failure> {
    let engine = context.engine()?;
    own_container(&engine, context).await?;
    let _lock = context.lock().await?;
    let (fleet, sizes) =
        tokio::try_join!(fleet(&engine, context), async { Ok(engine.volume_sizes().await?) })?;
    let sandbox = fleet.into_iter().find(|sandbox| sandbox.instance == context.instance);
    let sandbox = sandbox.unwrap_or_else(|| Sandbox::none(context.instance.clone()));
    let record = std::fs::read(context.home().record_path()).ok();
    let settings = std::fs::read(context.env.config_file()).ok();
    let wish = BackupWish {
        path,
        all: args.all,
        record: record.as_deref(),
        settings: settings.as_deref(),
        now,
        version: VERSION,
    };
    let progress = context.terminal.progress();
    let observer = |event: Event| progress.show(&event);
    let created =
        create_backup(&engine, context.claim(), &sandbox, &sizes, wish, &context.cancel, &observer)
            .await;
    progress.clear();
    Ok(created?)
}

fn report(path: &Path, created: &Created, context: &Context) -> Result<Exit, Failure> {
    let data = json!({
        "path": path,
        "size": created.size,
        "frozen_seconds": created.frozen.as_ref().map(Duration::as_secs_f64),
        "backup": created.head,
    });
    if let Some(frozen) = created.frozen {
        context.terminal.say(&format!("The sandbox was frozen for {:.1} s", frozen.as_secs_f64()));
    }
    if let Some(folder) = &created.head.folder {
        context
            .terminal
            .warn(&format!("the workspace is a folder of this machine and not in it: {folder}"));
    }
    let text = if context.terminal.quiet() {
        format!("{}\n", path.display())
    } else {
        format!("{}, {}\n", path.display(), Size(created.size))
    };
    context.terminal.result("occ/backup-create", &data, &text)?;
    Ok(Exit::Done)
}
