//! `occ image rm`: images of ours that nobody uses.

use clap::Args;
use occ_engine::Engine as _;
use occ_image::Size;
use occ_sandbox::{homes, named_by};
use serde_json::json;

use super::ls::{Row, rows};
use super::tag::absent;
use crate::commands::agreement::{Agreement, agree_to_remove};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::columns;

/// Arguments of `occ image rm`.
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Names or ids of images in the engine
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    #[command(flatten)]
    agreement: Agreement,
}

/// Runs `occ image rm`.
pub(crate) fn run(args: &RmArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(remove(args, context))
}

async fn remove(args: &RmArgs, context: &Context) -> Result<Exit, Failure> {
    let chosen = choose(args, context).await?;
    let listed = listed(&chosen);
    if !args.agreement.dry_run {
        if !args.agreement.yes {
            context.terminal.say(listed.trim_end());
            agree_to_remove("Remove all of this?", "occ image rm --yes IMAGE", context).await?;
        }
        let engine = context.engine()?;
        for row in &chosen {
            let names = row.names.iter().map(String::as_str);
            for name in names.chain(row.names.is_empty().then_some(row.id.as_str())) {
                engine.remove_image(name).await?;
            }
        }
    }
    let changed = !args.agreement.dry_run;
    let text = match (context.terminal.quiet(), changed) {
        (true, _) => String::new(),
        (false, true) => format!("{listed}removed\n"),
        (false, false) => listed,
    };
    let data = json!({ "changed": changed, "images": chosen });
    context.terminal.result("occ/image-rm", &data, &text)?;
    Ok(Exit::Done)
}

/// Returns the images that are meant, each once, if all of them may go.
async fn choose(args: &RmArgs, context: &Context) -> Result<Vec<Row>, Failure> {
    let engine = context.engine()?;
    let mut ours = rows(context).await?;
    // A change that was cut off, or a rollback, may want an image that no container is of.
    let homes = homes(&context.state_dir());
    let mut needed: Vec<String> = homes.iter().flat_map(|(_, home)| named_by(home)).collect();
    for (_, home) in &homes {
        needed.extend(home.record().0.map(|record| record.image.0));
    }
    let mut chosen: Vec<Row> = Vec::new();
    for name in &args.images {
        let Some(image) = engine.image(name).await? else { return Err(absent(name)) };
        let place = ours.iter().position(|row| row.id == image.id.0);
        let Some(place) = place else {
            if chosen.iter().any(|row| row.id == image.id.0) {
                continue;
            }
            let message = format!("the image was not made by opencode-cloud: {name}");
            return Err(Failure::new(Exit::Refused, message)
                .hint(format!("the engine's own client removes it: docker image rm {name}")));
        };
        let row = ours.swap_remove(place);
        if let Some(user) = row.used_by.first() {
            let message = format!("the image is in use by the container {user}: {name}");
            return Err(
                Failure::new(Exit::Failed, message).hint("take the sandbox away first: occ rm")
            );
        }
        if needed.contains(&row.id) {
            let message = format!("a sandbox still needs the image: {name}");
            return Err(Failure::new(Exit::Failed, message).hint("see which: occ ls"));
        }
        chosen.push(row);
    }
    Ok(chosen)
}

fn listed(rows: &[Row]) -> String {
    let line =
        |row: &Row| vec!["image".to_owned(), row.name().to_owned(), Size(row.size).to_string()];
    columns(&rows.iter().map(line).collect::<Vec<_>>())
}
