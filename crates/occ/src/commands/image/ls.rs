//! `occ image ls`: images of ours in the engine, or the tags of a repository.

use clap::Args;
use occ_engine::{ContainerState, Engine as _, ImageFacts};
use occ_image::{Size, guest};
use serde::Serialize;
use serde_json::json;

use super::named::{or_interrupted, repository};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::columns;

/// Arguments of `occ image ls`.
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Repository in a registry whose tags are listed, HOST/PATH; without it the images in the engine
    #[arg(value_name = "REPOSITORY")]
    repository: Option<String>,
}

/// One image of the engine; its JSON form is a promise.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    pub(super) version: Option<String>,
    pub(super) opencode_version: Option<String>,
    pub(super) variant: Option<String>,
    pub(super) architecture: String,
    pub(super) size: u64,
    pub(super) created: Option<String>,
    /// Containers that were made of it.
    pub(super) used_by: Vec<String>,
}

impl Row {
    /// Describes an image, as it stands beside all containers.
    pub(super) fn of(image: &ImageFacts, containers: &[ContainerState]) -> Self {
        let label = |name: &str| image.labels.get(name).cloned();
        let users = containers.iter().filter(|container| container.image == image.id);
        Self {
            id: image.id.to_string(),
            names: image.tags.clone(),
            version: label(guest::LABEL_VERSION),
            opencode_version: label(guest::LABEL_OPENCODE),
            variant: label(guest::LABEL_VARIANT),
            architecture: image.architecture.clone(),
            size: image.size,
            created: image.created.clone(),
            used_by: users.map(|container| container.name.clone()).collect(),
        }
    }

    /// Returns the name for people.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or(self.id.as_str(), String::as_str)
    }
}

/// Runs `occ image ls`.
pub(crate) fn run(args: &LsArgs, context: &Context) -> Result<Exit, Failure> {
    match &args.repository {
        Some(name) => context.block_on(or_interrupted(tags(name, context), context)),
        None => context.block_on(or_interrupted(images(context), context)),
    }
}

async fn tags(name: &str, context: &Context) -> Result<Exit, Failure> {
    let repository = repository(name)?;
    let tags = context.registries()?.client(&repository)?.tags().await?;
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    // Those that only list what refers to a digest are nobody's names.
    let (lists, tags): (Vec<_>, Vec<_>) = tags.into_iter().partition(|tag| is_list(tag));
    let data =
        json!({ "repository": repository.to_string(), "tags": tags, "referrers_tags": lists });
    let lines = tags.iter().map(|tag| format!("{tag}\n"));
    context.terminal.result("occ/image-tags", &data, &lines.collect::<String>())?;
    Ok(Exit::Done)
}

/// SPEC: distribution spec, "Referrers Tag Schema".
fn is_list(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").or_else(|| tag.strip_prefix("sha512-"));
    hex.is_some_and(|hex| hex.len() >= 64 && hex.bytes().take(64).all(|b| b.is_ascii_hexdigit()))
}

async fn images(context: &Context) -> Result<Exit, Failure> {
    let rows = rows(context).await?;
    let text = if context.terminal.quiet() {
        rows.iter().map(|row| format!("{}\n", row.name())).collect()
    } else {
        table(&rows)
    };
    context.terminal.result("occ/image-ls", &json!({ "images": rows }), &text)?;
    if rows.is_empty() {
        context.terminal.say("There is no image yet; get one: occ image pull");
    }
    Ok(Exit::Done)
}

/// Returns the images of ours in the engine.
pub(super) async fn rows(context: &Context) -> Result<Vec<Row>, Failure> {
    let engine = context.engine()?;
    let (images, containers) = tokio::try_join!(
        engine.images(guest::LABEL_CONTRACT),
        engine.containers(guest::LABEL_CONTRACT),
    )?;
    Ok(images.iter().map(|image| Row::of(image, &containers)).collect())
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let or = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let head = ["NAME", "VERSION", "OPENCODE", "VARIANT", "SIZE", "USED BY"];
    let lines = rows.iter().map(|row| {
        let used = if row.used_by.is_empty() { "-".to_owned() } else { row.used_by.join(", ") };
        vec![
            row.name().to_owned(),
            or(row.version.as_ref()),
            or(row.opencode_version.as_ref()),
            or(row.variant.as_ref()),
            Size(row.size).to_string(),
            used,
        ]
    });
    columns(&std::iter::once(head.map(str::to_owned).into()).chain(lines).collect::<Vec<_>>())
}
