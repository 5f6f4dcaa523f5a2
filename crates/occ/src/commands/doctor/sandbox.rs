//! The sandbox: its state, its port, its folder.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use occ_engine::{ContainerState, Phase};
use occ_sandbox::{PortState, Sight, client, load_password, look_at, reachable};

use super::Patient;
use super::check::{Check, Verdict};

/// How long the server may take to answer.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(5);

/// Checks the sandbox.
pub(super) async fn checks(patient: &Patient<'_>) -> Vec<Check> {
    vec![server(patient).await, port(patient), workspace(patient)]
}

async fn server(patient: &Patient<'_>) -> Check {
    let Some(state) = &patient.container else { return Check::ok("sandbox", "there is none yet") };
    match &state.phase {
        Phase::Running => {}
        Phase::Restarting => {
            let seen = format!("it ends again and again ({} times)", state.restarts);
            return Check::bad("sandbox", Verdict::Fail, seen, "see why: occ logs");
        }
        Phase::Paused => {
            return Check::bad("sandbox", Verdict::Warn, "it is paused", "occ start");
        }
        _ => return stopped(state),
    }
    let password = load_password(&patient.context.home()).ok().flatten();
    let (Some(publish), Some(password)) = (state.publish.first(), password) else {
        let seen = "its port or its password is not known";
        return Check::bad("sandbox", Verdict::Fail, seen, "occ restart");
    };
    let address = SocketAddr::new(reachable(publish.address), publish.host_port);
    let reached = match patient.context.reach(address) {
        Ok(reached) => reached,
        Err(failure) => return Check::failure("sandbox", failure),
    };
    match look_at(&client(reached.address, &password).within(ANSWER)).await {
        Sight::Silent(why) => {
            let seen = format!("it runs and is not healthy: {why}");
            Check::bad("sandbox", Verdict::Fail, seen, "see why: occ logs; then: occ restart")
        }
        _ => Check::ok("sandbox", "it runs and is healthy"),
    }
}

fn stopped(state: &ContainerState) -> Check {
    let code = state.exit.as_ref().map_or(0, |exit| exit.code);
    match state.exit.as_ref().filter(|exit| exit.oom_killed) {
        Some(_) => Check::bad(
            "sandbox",
            Verdict::Warn,
            "it ran out of memory",
            "give it more: occ config set memory 4GiB; then: occ start",
        ),
        // An illegal instruction: the processor lacks what the program was built for.
        None if code == 132 => Check::bad(
            "sandbox",
            Verdict::Fail,
            "its program cannot run on this processor (exit code 132)",
            "build an image here: occ config set image_source build; then: occ start",
        ),
        None => Check::ok("sandbox", format!("it is stopped (exit code {code})")),
    }
}

fn port(patient: &Patient<'_>) -> Check {
    let Some(config) = &patient.config else {
        return Check::bad("port", Verdict::Warn, "not known", "mend the config first");
    };
    let said = patient.context.home().record().0.map(|record| record.said).unwrap_or_default();
    let port = said.get("port").and_then(serde_json::Value::as_u64);
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(config.port);
    let wished = SocketAddr::new(config.bind, port);
    let published = patient.container.iter().flat_map(|state| &state.publish);
    if published.into_iter().any(|publish| publish.host_port == port) {
        return Check::ok("port", format!("{wished} is the sandbox's"));
    }
    match patient.context.port(wished) {
        PortState::Taken { by, next_free } => {
            let by = by.map_or_else(String::new, |(name, pid)| format!(" by {name} ({pid})"));
            let free = next_free.map_or_else(|| "PORT".to_owned(), |free| free.to_string());
            let seen = format!("{wished} is taken{by}");
            Check::bad("port", Verdict::Warn, seen, format!("occ start --port {free}"))
        }
        PortState::Free => Check::ok("port", format!("{wished} is free")),
        PortState::Unknown => Check::bad(
            "port",
            Verdict::Warn,
            format!("{wished} cannot be bound by this user; the engine may"),
            "choose one above 1023: occ config set port 3000",
        ),
    }
}

fn workspace(patient: &Patient<'_>) -> Check {
    let Some(config) = &patient.config else {
        return Check::bad("mounts", Verdict::Warn, "not known", "mend the config first");
    };
    let said = patient.context.home().record().0.map(|record| record.said).unwrap_or_default();
    let folder = match said.get("workspace") {
        Some(said) => said.as_str().map(Into::into),
        None => config.workspace.clone(),
    };
    folder.map_or_else(|| Check::ok("mounts", "the workspace is a volume"), |dir| usable(&dir))
}

fn usable(dir: &Path) -> Check {
    let shown = dir.display();
    let bad = |seen: String, hint: String| Check::bad("mounts", Verdict::Fail, seen, hint);
    match fs::metadata(dir) {
        Err(error) => bad(
            format!("the workspace cannot be used: {shown}: {error}"),
            format!("make it: mkdir -p {shown}"),
        ),
        Ok(meta) if !meta.is_dir() => bad(
            format!("the workspace is no folder: {shown}"),
            "take another: occ start --workspace DIR".to_owned(),
        ),
        Ok(meta) if meta.uid() == 0 => bad(
            format!("the workspace belongs to root, and the sandbox never runs as root: {shown}"),
            format!("sudo chown -R 1000:1000 {shown}"),
        ),
        Ok(_) => Check::ok("mounts", format!("the workspace is {shown}")),
    }
}
