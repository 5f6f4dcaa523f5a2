//! `occ ls`: every sandbox of this user.

use std::time::Duration;

use futures_util::future::join_all;
use occ_engine::{Engine, Mount};
use occ_image::guest;
use occ_sandbox::{Home, Sandbox, gather, load_password, remembered};
use serde::Serialize;
use serde_json::{Value, json};

use super::start::url;
use super::status::{health, phase};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::columns;

/// How long each server may take; they are asked side by side.
const PATIENCE: Duration = Duration::from_secs(1);

/// One line of the list; its JSON form is a promise.
#[derive(Debug, Serialize)]
struct Row {
    instance: String,
    /// `running`, `paused`, `restarting`, `stopped` or `absent`.
    state: &'static str,
    /// `healthy`, `starting`, `unhealthy` or `none`.
    health: &'static str,
    health_detail: Option<String>,
    url: Option<String>,
    image_version: Option<String>,
    opencode_version: Option<String>,
    /// A folder of the host, or the name of a volume.
    workspace: Option<String>,
    container: Option<String>,
}

/// Runs `occ ls`.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let rows = context.block_on(async {
        let engine = context.engine()?;
        let fleet = fleet(&engine, context).await?;
        let there = fleet.iter().filter(|sandbox| sandbox.exists());
        Ok(join_all(there.map(|sandbox| row(sandbox, context))).await)
    })?;
    let text = if context.terminal.quiet() {
        rows.iter().map(|row| format!("{}\n", row.instance)).collect()
    } else {
        table(&rows)
    };
    context.terminal.result("occ/ls", &json!({ "sandboxes": rows }), &text)?;
    if rows.is_empty() {
        context.terminal.say("There is no sandbox yet; make one: occ start");
    }
    Ok(Exit::Done)
}

/// Looks at everything of this user's, whichever instance it belongs to.
pub(super) async fn fleet<E: Engine>(
    engine: &E,
    context: &Context,
) -> Result<Vec<Sandbox>, Failure> {
    let (containers, volumes) = tokio::try_join!(
        engine.containers(guest::LABEL_INSTANCE),
        engine.volumes(guest::LABEL_INSTANCE)
    )?;
    Ok(gather(containers, volumes, remembered(&context.state_dir()), context.claim().user))
}

async fn row(sandbox: &Sandbox, context: &Context) -> Row {
    let home = Home::new(&context.state_dir(), &sandbox.instance);
    let state = sandbox.container.as_ref();
    // A password that cannot be read shows as a sandbox that cannot be asked.
    let password = load_password(&home).ok().flatten();
    let health = health(state, password.as_ref(), PATIENCE, context).await;
    let published = state.and_then(|state| state.publish.first());
    let label = |name: &str| state.and_then(|state| state.labels.get(name).cloned());
    Row {
        instance: sandbox.instance.name().to_owned(),
        state: phase(state),
        health: health.state,
        health_detail: health.detail,
        url: published.map(|publish| url(publish.address, publish.host_port)),
        image_version: label(guest::LABEL_VERSION),
        opencode_version: label(guest::LABEL_OPENCODE)
            .or_else(|| sandbox.record.as_ref().map(|record| record.opencode_version.clone())),
        workspace: workspace(sandbox),
        container: state.map(|state| state.name.clone()),
    }
}

fn workspace(sandbox: &Sandbox) -> Option<String> {
    if let Some(container) = &sandbox.container {
        let mounted = container.mounts.iter().find(|mount| mount.target() == guest::WORKSPACE)?;
        return match mounted {
            Mount::Volume { name, .. } => Some(name.clone()),
            Mount::Bind { source, .. } => Some(source.display().to_string()),
            Mount::Tmpfs { .. } => None,
        };
    }
    let said = sandbox.record.as_ref().and_then(|record| record.said.get("workspace"));
    let own = sandbox.instance.volume("workspace");
    said.and_then(Value::as_str)
        .map(str::to_owned)
        .or_else(|| sandbox.volumes.iter().any(|volume| volume.name == own).then_some(own))
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let or = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
    let head = ["NAME", "STATE", "HEALTH", "URL", "IMAGE", "OPENCODE", "WORKSPACE"];
    let lines = rows.iter().map(|row| {
        let image = row.image_version.as_ref().map(|version| format!("v{version}"));
        vec![
            row.instance.clone(),
            row.state.to_owned(),
            row.health.to_owned(),
            or(row.url.as_ref()),
            or(image.as_ref()),
            or(row.opencode_version.as_ref()),
            or(row.workspace.as_ref()),
        ]
    });
    columns(&std::iter::once(head.map(str::to_owned).into()).chain(lines).collect::<Vec<_>>())
}
