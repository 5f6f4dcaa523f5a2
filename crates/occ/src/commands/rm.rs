//! `occ rm`: take a sandbox away, and its work only when that was said.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use occ_engine::{Docker, Engine as _, Phase};
use occ_image::Size;
use occ_sandbox::{
    Farewell, Lock, Removal, RemovalWish, Sandbox, Sized, Work, apply_removal, client,
    halt_for_removal, load_password, named_by, observe_work, plan_removal, reachable,
};
use serde_json::json;

use super::agreement::agree_to_remove;
use super::ls::fleet;
use super::own_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, would_lose};
use crate::terminal::columns;

/// Arguments of `occ rm`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct RmArgs {
    /// Remove the volumes too, and with them sessions, settings, workspace, record and password
    #[arg(long)]
    volumes: bool,
    /// Remove it even when uncommitted or unpushed work or a session at work is lost
    #[arg(long)]
    discard_work: bool,
    /// Answer yes to every question that can lose no work
    #[arg(long, short)]
    yes: bool,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// How long the server may take to say what it is doing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `occ rm`.
pub(crate) fn run(args: &RmArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(remove(args, context))
}

async fn remove(args: &RmArgs, context: &Context) -> Result<Exit, Failure> {
    let engine = context.engine()?;
    // Something else under our name is said to be that, before anything is asked or locked.
    own_container(&engine, context).await?;
    let lock = if args.dry_run { None } else { Some(context.lock().await?) };
    let wish = RemovalWish { volumes: args.volumes, discard_work: args.discard_work };
    let removal = match look(&engine, wish, context).await? {
        Farewell::Ready(removal) => removal,
        Farewell::WouldLose { removal, work } => {
            context.terminal.say(&listed(&removal));
            return Err(would_lose(&work, typed(wish)));
        }
    };
    let Some(lock) = lock.filter(|_| !removal.is_empty()) else {
        return finish(&removal, false, context);
    };
    if !args.yes {
        context.terminal.say(listed(&removal).trim_end());
        let question = if args.volumes {
            "Remove all of this? It cannot be brought back."
        } else {
            "Remove this? Volumes stay."
        };
        agree_to_remove(question, "occ rm --yes", context).await?;
    }
    finish_off(&engine, &removal, wish, &lock, context).await?;
    finish(&removal, true, context)
}

/// Looks at the sandbox and plans; nothing is touched.
async fn look(engine: &Docker, wish: RemovalWish, context: &Context) -> Result<Farewell, Failure> {
    let sandbox = this_one(engine, context).await?;
    let sizes = if wish.volumes { engine.volume_sizes().await? } else { BTreeMap::new() };
    let mut work = Work::default();
    if !wish.discard_work {
        if wish.volumes {
            work = observe_work(engine, context.claim(), &sandbox, &context.cancel).await?;
        }
        ask_server(&sandbox, &mut work, context).await;
    }
    let kept = named_by(&context.home());
    Ok(plan_removal(&sandbox, &context.home(), &sizes, &kept, work, wish))
}

/// Returns this instance's sandbox as it is seen.
pub(super) async fn this_one(engine: &Docker, context: &Context) -> Result<Sandbox, Failure> {
    let fleet = fleet(engine, context).await?;
    let own = fleet.into_iter().find(|sandbox| sandbox.instance == context.instance);
    Ok(own.unwrap_or_else(|| Sandbox::none(context.instance.clone())))
}

/// Asks a running server which sessions are at work.
async fn ask_server(sandbox: &Sandbox, work: &mut Work, context: &Context) {
    let running = sandbox.container.as_ref().filter(|state| state.phase == Phase::Running);
    let Some(state) = running else { return };
    let password = load_password(&context.home()).ok().flatten();
    let (Some(publish), Some(password)) = (state.publish.first(), password) else { return };
    let address = SocketAddr::new(reachable(publish.address), publish.host_port);
    match client(address, &password).within(PATIENCE).busy_sessions().await {
        Ok(busy) => work.busy_sessions = busy.iter().map(ToString::to_string).collect(),
        Err(error) => {
            let why = format!(
                "whether a session is at work could not be found out: {error}; a stopped sandbox has none"
            );
            work.unknown.get_or_insert(why);
        }
    }
}

/// Returns the command as it was typed.
fn typed(wish: RemovalWish) -> &'static str {
    if wish.volumes { "occ rm --volumes" } else { "occ rm" }
}

/// Stops what runs, looks once more, and removes: while a person thought, the agent may have worked.
async fn finish_off(
    engine: &Docker,
    removal: &Removal,
    wish: RemovalWish,
    lock: &Lock,
    context: &Context,
) -> Result<(), Failure> {
    halt_for_removal(engine, removal).await?;
    if let Farewell::WouldLose { work, .. } = look(engine, wish, context).await? {
        return Err(would_lose(&work, typed(wish)));
    }
    if context.cancel.is_cancelled() {
        return Err(Failure::interrupted());
    }
    Ok(apply_removal(engine, removal, lock).await?)
}

fn finish(removal: &Removal, changed: bool, context: &Context) -> Result<Exit, Failure> {
    let data = json!({
        "instance": context.instance.name(),
        "changed": changed,
        "containers": removal.containers,
        "volumes": removal.volumes,
        "files": removal.files,
    });
    let text = match (context.terminal.quiet(), removal.is_empty(), changed) {
        (true, _, _) => String::new(),
        (_, true, _) => "nothing to remove\n".to_owned(),
        (_, _, true) => format!("{}removed\n", listed(removal)),
        (_, _, false) => listed(removal),
    };
    context.terminal.result("occ/rm", &data, &text)?;
    Ok(Exit::Done)
}

fn listed(removal: &Removal) -> String {
    let row = |what: &str, name: &str, size: &str| {
        [what, name, size].map(|field| if field.is_empty() { "-" } else { field }.to_owned()).into()
    };
    let containers = removal.containers.iter().map(|name| row("container", name, ""));
    let volumes = removal.volumes.iter().map(|volume| row("volume", &volume.name, &said(volume)));
    let files = removal.files.iter().map(|file| row("file", &file.display().to_string(), ""));
    columns(&containers.chain(volumes).chain(files).collect::<Vec<Vec<String>>>())
}

/// Returns a volume's size for a person.
pub(super) fn said(volume: &Sized) -> String {
    volume.size.map_or_else(|| "size unknown".to_owned(), |size| Size(size).to_string())
}
