//! `occ status`: what runs, and whether it is healthy.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use occ_engine::{ContainerState, Docker, Isolation, Mount, Phase};
use occ_image::guest;
use occ_sandbox::{
    Home, ImageState, MountWish, Source, client, load_password, mismatch, reachable,
};
use serde::Serialize;
use serde_json::json;

use super::own_container;
use super::start::{texts, url};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Board;
use crate::time;
use crate::wiring::VERSION;

/// Arguments of `occ status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Show the password too
    #[arg(long)]
    show_password: bool,
    /// Go on: drawn again in its place on a terminal, elsewhere told again at every change
    #[arg(long, short)]
    watch: bool,
}

/// How often a watched status is looked at.
const BEAT: Duration = Duration::from_secs(1);

/// How long a question to the server may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The answer; its JSON form is a promise.
#[derive(Debug, Clone, Serialize)]
struct Report {
    instance: String,
    /// `running`, `paused`, `restarting`, `stopped` or `absent`.
    state: &'static str,
    health: Health,
    url: Option<String>,
    /// Whether other machines can connect.
    exposed: bool,
    user: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    container: Option<Container>,
    image: Option<Image>,
    cli_version: &'static str,
    started_at: Option<String>,
    uptime_seconds: Option<u64>,
    exit: Option<occ_engine::ExitStatus>,
    mounts: Vec<Seen>,
}

/// A mount and, for a folder, who gave it.
#[derive(Debug, Clone, Serialize)]
struct Seen {
    #[serde(flatten)]
    mount: Mount,
    /// `config`, `cli`, `workspace` or `ssh_agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
}

/// What the server says of itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Health {
    /// `healthy`, `starting`, `unhealthy` or `none`.
    pub(super) state: &'static str,
    opencode_version: Option<String>,
    /// What is wrong, when something is.
    pub(super) detail: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Container {
    name: String,
    id: String,
    restarts: u64,
    isolation: Option<Isolation>,
}

#[derive(Debug, Clone, Serialize)]
struct Image {
    id: String,
    version: Option<String>,
    opencode_version: Option<String>,
    /// Whether the image was made for another version of this program.
    differs_from_cli: bool,
    acquired: Option<ImageState>,
}

/// Runs `occ status`.
pub(crate) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, Failure> {
    if args.watch {
        return context.block_on(watch(context, args.show_password));
    }
    let report = context.block_on(look(context, args.show_password))?;
    let text = if context.terminal.quiet() { String::new() } else { text(&report, context) };
    context.terminal.result("occ/status", &json!(report), &text)?;
    Ok(match (report.state, report.health.state) {
        ("running", "healthy") => Exit::Done,
        ("running" | "restarting", _) => Exit::Unhealthy,
        _ => Exit::Failed,
    })
}

/// Looks again and again, until Ctrl-C or until nobody reads any more.
async fn watch(context: &Context, show_password: bool) -> Result<Exit, Failure> {
    let mut board = Board::new(&context.terminal);
    loop {
        let report = look(context, show_password).await?;
        // How long it runs changes all the time and is no change.
        let steady = json!(Report { uptime_seconds: None, ..report.clone() });
        if !board.show("occ/status", &steady, &json!(report), &text(&report, context))? {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            () = context.cancel.cancelled() => return Ok(Exit::Interrupted),
        }
    }
}

async fn look(context: &Context, show_password: bool) -> Result<Report, Failure> {
    let engine: Docker = context.engine()?;
    let home = context.home();
    let password = load_password(&home)?;
    let state = own_container(&engine, context).await?;
    let health = health(state.as_ref(), password.as_ref(), PATIENCE, context).await;
    let acquired = home.image_state().0;
    let published = state.as_ref().and_then(|state| state.publish.first());
    let started_at = state.as_ref().and_then(|state| state.started_at.clone());
    let running = state.as_ref().is_some_and(|state| state.phase == Phase::Running);
    let uptime = started_at.as_deref().filter(|_| running).and_then(time::since);
    Ok(Report {
        instance: context.instance.name().to_owned(),
        state: phase(state.as_ref()),
        health,
        url: published.map(|publish| url(publish.address, publish.host_port)),
        exposed: published.is_some_and(|publish| !publish.address.is_loopback()),
        user: guest::USER,
        password: password.filter(|_| show_password).map(|password| password.expose().clone()),
        image: state.as_ref().map(|state| image(state, acquired)),
        cli_version: VERSION,
        started_at,
        uptime_seconds: uptime.map(|uptime| uptime.as_secs()),
        exit: state.as_ref().filter(|_| !running).and_then(|state| state.exit.clone()),
        mounts: state.as_ref().map(|state| mounts(state, &home)).unwrap_or_default(),
        container: state.map(container),
    })
}

/// Tells who gave each folder by its place inside: the same folder can be at two.
fn mounts(state: &ContainerState, home: &Home) -> Vec<Seen> {
    let record = home.record().0;
    let own = texts(record.as_ref().and_then(|record| record.said.get("mounts")));
    let own: Vec<MountWish> = own.iter().filter_map(|entry| entry.parse().ok()).collect();
    let from = |mount: &Mount| match mount {
        Mount::Bind { target, .. } if target == guest::WORKSPACE => Some("workspace"),
        Mount::Bind { target, .. } if target == guest::SSH_AGENT => Some("ssh_agent"),
        Mount::Bind { target, .. } if own.iter().any(|wish| wish.target == *target) => Some("cli"),
        Mount::Bind { .. } => Some("config"),
        Mount::Volume { .. } | Mount::Tmpfs { .. } => None,
    };
    let seen = |mount: &Mount| Seen { mount: mount.clone(), from: from(mount) };
    state.mounts.iter().map(seen).collect()
}

/// Returns the word for what a container does.
pub(super) fn phase(state: Option<&ContainerState>) -> &'static str {
    match state.map(|state| &state.phase) {
        None => "absent",
        Some(Phase::Running) => "running",
        Some(Phase::Paused) => "paused",
        Some(Phase::Restarting) => "restarting",
        Some(_) => "stopped",
    }
}

/// Asks the server itself: liveness and a working instance, side by side.
pub(super) async fn health(
    state: Option<&ContainerState>,
    password: Option<&occ_sandbox::Password>,
    patience: Duration,
    context: &Context,
) -> Health {
    let none = Health { state: "none", opencode_version: None, detail: None };
    let Some(state) = state.filter(|state| state.phase == Phase::Running) else { return none };
    let (Some(publish), Some(password)) = (state.publish.first(), password) else {
        let detail = Some("its port or its password is not known".to_owned());
        return Health { state: "unhealthy", detail, ..none };
    };
    let address = SocketAddr::new(reachable(publish.address), publish.host_port);
    let reached = match context.reach(address) {
        Ok(reached) => reached,
        Err(failure) => {
            return Health { state: "unhealthy", detail: Some(failure.message), ..none };
        }
    };
    let client = client(reached.address, password).within(patience);
    match tokio::join!(client.health(), client.path()) {
        (Ok(health), Ok(_)) => {
            let version = Some(health.version);
            Health { state: "healthy", opencode_version: version, detail: None }
        }
        (Err(error), _) | (_, Err(error)) => {
            let young = state.started_at.as_deref().and_then(time::since);
            let starting = young.is_some_and(|age| age < Duration::from_secs(15));
            let state = if starting { "starting" } else { "unhealthy" };
            Health { state, detail: Some(error.to_string()), ..none }
        }
    }
}

fn image(state: &ContainerState, acquired: Option<ImageState>) -> Image {
    let label = |name: &str| state.labels.get(name).cloned();
    Image {
        id: state.image.0.clone(),
        version: label(guest::LABEL_VERSION),
        opencode_version: label(guest::LABEL_OPENCODE),
        differs_from_cli: mismatch(&state.labels, VERSION).is_some(),
        // The state describes the image that arrived last; only this container's own counts.
        acquired: acquired.filter(|acquired| acquired.image_id.as_ref() == Some(&state.image)),
    }
}

fn container(state: ContainerState) -> Container {
    let settings = state.labels.get(guest::LABEL_SPEC);
    let settings: Option<serde_json::Value> =
        settings.and_then(|text| serde_json::from_str(text).ok());
    let isolation =
        settings.and_then(|settings| serde_json::from_value(settings["isolation"].clone()).ok());
    Container { name: state.name, id: state.id.0, restarts: state.restarts, isolation }
}

fn text(report: &Report, context: &Context) -> String {
    let mut lines = vec![("State", report.state.to_owned())];
    if let Some(url) = &report.url {
        let badge = if report.exposed { "[NETWORK EXPOSED]" } else { "[LOCAL ONLY]" };
        lines.push(("URL", format!("{url} {badge}")));
        lines.push(("User", report.user.to_owned()));
    }
    if let Some(password) = &report.password {
        lines.push(("Password", password.clone()));
    }
    if report.health.state != "none" {
        let why = report.health.detail.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        lines.push(("Health", format!("{}{why}", report.health.state)));
    }
    if let Some(container) = &report.container {
        let id = container.id.get(..12).unwrap_or(&container.id);
        lines.push(("Container", format!("{} ({id})", container.name)));
    }
    if let Some(image) = &report.image {
        lines.push(("Image", provenance(image)));
        if let Some(version) = &image.opencode_version {
            lines.push(("opencode", version.clone()));
        }
    }
    lines.push(("CLI", format!("v{}", report.cli_version)));
    if let (Some(seconds), Some(since)) = (report.uptime_seconds, &report.started_at) {
        let uptime = time::spoken(Duration::from_secs(seconds));
        lines.push(("Uptime", format!("{uptime} (since {since})")));
    }
    if let Some(exit) = &report.exit {
        let memory = if exit.oom_killed { ", out of memory" } else { "" };
        lines.push(("Exit code", format!("{}{memory}", exit.code)));
    }
    for mount in &report.mounts {
        lines.push(("Mount", described(mount)));
    }
    let mut text: String = lines.iter().map(|(name, value)| line(name, value)).collect();
    if report.state != "running" {
        text.push_str(&context.terminal.typed("Run 'occ start' to start the sandbox\n"));
    }
    text
}

fn line(name: &str, value: &str) -> String {
    format!("{:<12} {value}\n", format!("{name}:"))
}

fn provenance(image: &Image) -> String {
    let acquired = image.acquired.as_ref();
    let version = acquired
        .map(|acquired| acquired.version.clone())
        .or_else(|| image.version.clone())
        .map_or_else(|| image.id.clone(), |version| format!("v{version}"));
    let provenance = match acquired.map(|acquired| (acquired.source, acquired.registry.as_deref()))
    {
        Some((Source::Prebuilt, Some(registry))) => {
            format!("{version} (prebuilt from {registry})")
        }
        Some((Source::Prebuilt, None)) => format!("{version} (prebuilt)"),
        Some((Source::Build, _)) => format!("{version} (built from source)"),
        None => version,
    };
    if image.differs_from_cli { format!("{provenance} (differs from CLI)") } else { provenance }
}

fn described(seen: &Seen) -> String {
    match &seen.mount {
        Mount::Volume { name, target, .. } => format!("{target} (volume {name})"),
        Mount::Bind { source, target, read_only } => {
            let mode = if *read_only { "ro" } else { "rw" };
            let from = seen.from.unwrap_or("folder");
            format!("{} -> {target} ({mode}, {from})", source.display())
        }
        Mount::Tmpfs { target, .. } => format!("{target} (memory)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acquired(source: Source, registry: Option<&str>) -> Image {
        let acquired = ImageState {
            version: "1.0.12".into(),
            source,
            registry: registry.map(str::to_owned),
            acquired_at: "2026-01-24T10:30:00Z".into(),
            image_id: None,
            digest: None,
            trust: None,
        };
        Image {
            id: "sha256:0".into(),
            version: None,
            opencode_version: None,
            differs_from_cli: false,
            acquired: Some(acquired),
        }
    }

    #[test]
    fn lif_018_the_line_of_a_prebuilt_image() {
        let image = acquired(Source::Prebuilt, Some("ghcr.io"));
        assert_eq!(provenance(&image), "v1.0.12 (prebuilt from ghcr.io)");
        let line = line("Image", &provenance(&image));
        assert_eq!(line, "Image:       v1.0.12 (prebuilt from ghcr.io)\n");
    }

    #[test]
    fn lif_019_the_line_of_an_image_built_here() {
        let image = acquired(Source::Build, None);
        assert_eq!(provenance(&image), "v1.0.12 (built from source)");
        let line = line("Image", &provenance(&image));
        assert_eq!(line, "Image:       v1.0.12 (built from source)\n");
    }

    #[test]
    fn pi_015_an_image_of_another_version_is_marked() {
        let image = Image { differs_from_cli: true, ..acquired(Source::Prebuilt, Some("ghcr.io")) };
        assert_eq!(provenance(&image), "v1.0.12 (prebuilt from ghcr.io) (differs from CLI)");
    }

    #[test]
    fn pw_016_nothing_is_said_about_where_from_when_nothing_is_known() {
        let image = Image {
            version: Some("1.0.12".into()),
            acquired: None,
            ..acquired(Source::Build, None)
        };
        assert_eq!(provenance(&image), "v1.0.12");
    }
}
