//! What the fake server says to which request.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval};

use super::http::{self, Request};
use super::{Manner, State};

const PAGE: &str = "<!doctype html><title>OpenCode</title>";
const HEARTBEAT: Duration = Duration::from_secs(10);

pub(super) async fn answer(
    stream: &mut TcpStream,
    state: &State,
    request: &Request,
) -> std::io::Result<()> {
    if !may_enter(state, request) {
        return http::write(stream, "401 Unauthorized", "text/plain", "").await;
    }
    let path = request.path.split('?').next().unwrap_or_default();
    let is_html = state.script.manner == Manner::HtmlEverywhere;
    let is_broken = state.script.manner == Manner::BrokenInstance;
    let (status, body) = match (request.method.as_str(), path) {
        _ if is_html => return http::write(stream, "200 OK", "text/html", PAGE).await,
        ("GET", "/global/health") => {
            let healthy = state.script.manner != Manner::Unhealthy;
            ("200 OK", json!({ "healthy": healthy, "version": state.script.version }))
        }
        (_, path) if is_broken && is_instance(path) => {
            let data = json!({ "path": "OPENCODE_CONFIG_CONTENT", "message": "broken" });
            ("400 Bad Request", json!({ "name": "ConfigJsonError", "data": data }))
        }
        ("GET", "/event") => return events(stream, state).await,
        ("GET", "/path") => ("200 OK", paths()),
        ("GET", "/session") => ("200 OK", Value::Array(state.memory().sessions.clone())),
        ("GET", "/session/status") => ("200 OK", busy(state)),
        ("GET", "/project") => ("200 OK", json!([{ "id": "global", "worktree": "/" }])),
        ("POST", "/session") => ("200 OK", create_session(state)),
        ("DELETE", path) if path.starts_with("/session/") => {
            delete_session(state, &path["/session/".len()..])
        }
        ("POST", path) if path.starts_with("/session/") && path.ends_with("/shell") => {
            shell(state, path, &request.body)
        }
        _ => return http::write(stream, "200 OK", "text/html", PAGE).await,
    };
    http::write(stream, status, "application/json", &body.to_string()).await
}

fn may_enter(state: &State, request: &Request) -> bool {
    state.script.credentials.as_ref().is_none_or(|credentials| {
        request.authorization.as_deref().is_some_and(|shown| {
            state.script.manner == Manner::AnyPassword
                || shown.as_bytes() == credentials.authorization().as_bytes()
        })
    })
}

fn is_instance(path: &str) -> bool {
    ["/event", "/path", "/session", "/project"].iter().any(|own| path.starts_with(own))
}

fn paths() -> Value {
    json!({
        "home": "/home/opencode",
        "state": "/home/opencode/.local/state/opencode",
        "config": "/home/opencode/.config/opencode",
        "worktree": "/",
        "directory": "/home/opencode/workspace",
    })
}

fn not_found(id: &str) -> (&'static str, Value) {
    let data = json!({ "message": format!("Session not found: {id}") });
    ("404 Not Found", json!({ "name": "NotFoundError", "data": data }))
}

fn create_session(state: &State) -> Value {
    let session = {
        let mut memory = state.memory();
        memory.sessions_ever += 1;
        let session = json!({
            "id": format!("ses_fake{}", memory.sessions_ever),
            "title": "New session",
            "directory": "/home/opencode/workspace",
        });
        memory.sessions.push(session.clone());
        session
    };
    announce(state, "session.created", &json!({ "sessionID": session["id"], "info": session }));
    session
}

/// Sessions at work; those that are not are left out, as the real one does.
fn busy(state: &State) -> Value {
    let memory = state.memory();
    let at_work = memory.busy.iter().map(|id| (id.clone(), json!({ "type": "busy" })));
    Value::Object(at_work.collect())
}

fn delete_session(state: &State, id: &str) -> (&'static str, Value) {
    let mut memory = state.memory();
    let before = memory.sessions.len();
    memory.sessions.retain(|session| session["id"] != id);
    if memory.sessions.len() == before { not_found(id) } else { ("200 OK", json!(true)) }
}

fn shell(state: &State, path: &str, body: &[u8]) -> (&'static str, Value) {
    let id = path.trim_start_matches("/session/").trim_end_matches("/shell");
    if !state.memory().sessions.iter().any(|session| session["id"] == id) {
        return not_found(id);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (Some(_), Some(command)) = (body["agent"].as_str(), body["command"].as_str()) else {
        let data = json!({ "message": "Missing key", "kind": "Payload" });
        return ("400 Bad Request", json!({ "name": "BadRequest", "data": data }));
    };
    let output: String = command
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("echo "))
        .flat_map(|words| [words, "\n"])
        .collect();
    // As the real one: completed, whatever the exit code.
    let state = json!({ "status": "completed", "output": output });
    ("200 OK", json!({ "info": {}, "parts": [{ "type": "tool", "tool": "bash", "state": state }] }))
}

fn event(state: &State, kind: &str, properties: &Value) -> Value {
    let mut memory = state.memory();
    memory.events_ever += 1;
    let id = format!("evt_fake{}", memory.events_ever);
    json!({ "id": id, "type": kind, "properties": properties })
}

fn announce(state: &State, kind: &str, properties: &Value) {
    // An error only says that nobody listens.
    drop(state.events.send(event(state, kind, properties)));
}

async fn events(stream: &mut TcpStream, state: &State) -> std::io::Result<()> {
    let mut heard = state.events.subscribe();
    http::begin(stream, "text/event-stream").await?;
    if state.script.manner == Manner::SilentEvents {
        return std::future::pending().await;
    }
    let mut heartbeats = interval(HEARTBEAT);
    heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeats.tick().await;
    let mut next = event(state, "server.connected", &json!({}));
    loop {
        http::chunk(stream, &format!("data: {next}\n\n")).await?;
        next = tokio::select! {
            Ok(event) = heard.recv() => event,
            _ = heartbeats.tick() => event(state, "server.heartbeat", &json!({})),
        };
    }
}
