//! `occ image pull`: an image from registries into the engine.

use clap::Args;
use occ_engine::Docker;
use occ_image::Size;
use occ_sandbox::pull::{Found, PullError, Wanted, bring, find, lacking, platform_of, verify};
use occ_sandbox::{Event, Trust};
use serde_json::json;

use crate::commands::start::names;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Names of the image, all for the same one in different registries; without them the prebuilt image of this
    /// version in the registries of the settings
    #[arg(value_name = "REFERENCE")]
    names: Vec<String>,
    /// Show what would be fetched and fetch nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image pull`.
pub(crate) fn run(args: &PullArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        tokio::select! {
            done = pull(args, context) => done,
            () = context.cancel.cancelled() => Err(Failure::interrupted()
                .hint("what was fetched is kept; go on: occ image pull")),
        }
    })
}

async fn pull(args: &PullArgs, context: &Context) -> Result<Exit, Failure> {
    let names = match args.names.as_slice() {
        [] => names(&context.layers()?.config()),
        names => names.to_vec(),
    };
    let engine = context.engine()?;
    let wanted = Wanted::parse(&names).map_err(PullError::from)?;
    let platform = platform_of(&engine).await?;
    let progress = context.terminal.progress();
    let tell = |event: Event| progress.show(&event);
    let intake = context.intake();
    let found = find(&wanted, platform, &intake, &tell).await.inspect_err(|_| progress.clear())?;
    if args.dry_run {
        progress.clear();
        return show(&found, &engine, context).await;
    }
    let brought = async {
        let cleared = verify(found, &intake, crate::time::moment(), &tell).await?;
        let brought = bring(&cleared, &engine, &intake, &tell).await?;
        Ok::<_, PullError>((cleared, brought))
    };
    let brought = brought.await;
    progress.clear();
    let (cleared, brought) = brought?;
    let found = cleared.found();
    let mut data = described(found);
    data["trust"] = json!(Trust::from(cleared.image().ground().clone()));
    data["changed"] = json!(true);
    data["name"] = json!(brought.name);
    data["image"] = json!(brought.image.id);
    data["bytes"] = json!(brought.fetched);
    context.terminal.say(&format!(
        "pulled: {} ({} fetched)",
        found.pinned[0],
        Size(brought.fetched)
    ));
    context.terminal.result("occ/image-pull", &data, &format!("{}\n", brought.name))?;
    Ok(Exit::Done)
}

/// Says what would be fetched.
async fn show(found: &Found, engine: &Docker, context: &Context) -> Result<Exit, Failure> {
    let lacking = lacking(found, engine).await?;
    let mut data = described(found);
    data["changed"] = json!(false);
    data["layers"] = json!(lacking.layers);
    data["bytes"] = json!(lacking.bytes);
    let text = format!("{}  {} to fetch\n", found.pinned[0], Size(lacking.bytes));
    context.terminal.result("occ/image-pull", &data, &text)?;
    Ok(Exit::Done)
}

fn described(found: &Found) -> serde_json::Value {
    json!({
        "reference": found.name,
        "digest": found.root.digest(),
        "manifest": found.manifest.digest(),
        "platform": found.platform,
        "registries": found.pinned.iter().map(|name| name.repository.host().to_string()).collect::<Vec<_>>(),
    })
}
