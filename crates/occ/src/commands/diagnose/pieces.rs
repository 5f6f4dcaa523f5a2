//! What goes into a report. Whatever cannot be had is said in its place: a report is made when things are
//! broken.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use occ_engine::{Docker, LogsQuery, read_log};
use occ_image::guest;
use occ_sandbox::load_password;
use serde_json::{Value, json};

use super::archive::Piece;
use crate::commands::{doctor, own_container};
use crate::context::Context;
use crate::failure::Failure;
use crate::redact::{Redactor, is_secret_name};
use crate::time;
use crate::wiring::VERSION;

/// Lines of the container's log.
const LOG_LINES: u64 = 500;
/// Pieces of a watchdog's evidence.
const EVIDENCE: usize = 3;

/// Collects everything, secrets taken out.
pub(super) async fn collect(context: &Context) -> Vec<Piece> {
    let engine = context.engine();
    let container = match &engine {
        Ok(engine) => own_container(engine, context).await,
        Err(_) => Ok(None),
    };
    let environment =
        container.as_ref().ok().and_then(Option::as_ref).map(|state| state.env.clone());
    let redactor = redactor(context, environment.unwrap_or_default());
    let json_piece = |name: &str, value: &Value| Piece {
        name: name.to_owned(),
        bytes: format!("{:#}\n", redactor.value(value)).into_bytes(),
    };
    let mut pieces = vec![
        json_piece("about.json", &about()),
        json_piece("settings.json", &settings(context)),
        json_piece("doctor.json", &doctor::answers(context).await),
        json_piece("container.json", &container.map_or_else(|f| told(&f), |state| json!(state))),
    ];
    if let Ok(engine) = &engine {
        let log = log(engine, context).await;
        pieces.push(Piece { name: "log.txt".into(), bytes: redactor.text(&log).into_bytes() });
    }
    for path in files(context) {
        pieces.extend(file(&path, &redactor));
    }
    let names: String = pieces.iter().map(|piece| format!("{}\n", piece.name)).collect();
    pieces.insert(0, Piece { name: "CONTENTS.txt".into(), bytes: names.into_bytes() });
    pieces
}

/// Returns a redactor that knows the password in every form it is sent in, and the values of variables
/// that are called like secrets, outside and inside.
fn redactor(context: &Context, inside: impl IntoIterator<Item = (String, String)>) -> Redactor {
    let password = load_password(&context.home()).ok().flatten();
    let password = password.map(|password| password.expose().clone());
    let pair =
        password.as_ref().map(|password| STANDARD.encode(format!("{}:{password}", guest::USER)));
    let outside = context.env.variables();
    let variables = outside.chain(inside).filter(|(name, _)| is_secret_name(name));
    let values = variables.map(|(_, value)| value);
    let known = password.into_iter().chain(pair).chain(values);
    Redactor::new(known, &context.env.home().to_string_lossy())
}

fn about() -> Value {
    let machine = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    json!({
        "at": time::now(),
        "occ": VERSION,
        "guest_contract": guest::CONTRACT_VERSION,
        "system": system.map(|name| name.trim_matches('"')),
        "kernel": format!("{} {}", text(machine.sysname()), text(machine.release())),
        "machine": text(machine.machine()),
    })
}

fn settings(context: &Context) -> Value {
    match context.layers() {
        Err(failure) => told(&failure),
        Ok(layers) => layers
            .iter()
            .map(|(name, value, origin)| {
                (name.to_owned(), json!({ "value": value, "origin": origin }))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn told(failure: &Failure) -> Value {
    json!({ "error": failure.json() })
}

async fn log(engine: &Docker, context: &Context) -> String {
    let query = LogsQuery { timestamps: true, ..LogsQuery::last(LOG_LINES) };
    let read = read_log(engine, &context.instance.container(), &query).await;
    read.unwrap_or_else(|error| format!("{error}\n"))
}

/// Our own files that tell something; the password is not among them.
fn files(context: &Context) -> Vec<PathBuf> {
    let home = context.home();
    let mut files = vec![
        home.record_path(),
        home.image_state_path(),
        home.history_path(),
        home.service_log_path(),
    ];
    let evidence = fs::read_dir(home.evidence_dir()).into_iter().flatten().flatten();
    let mut evidence: Vec<PathBuf> = evidence.map(|entry| entry.path()).collect();
    evidence.sort();
    files.extend(evidence.into_iter().rev().take(EVIDENCE));
    let unit = format!("{}.service", context.instance.container());
    files.push(context.env.config_home().join("systemd/user").join(&unit));
    files.push(Path::new("/etc/systemd/system").join(unit));
    files
}

/// Returns a file's contents without secrets, none where there is no such file.
fn file(path: &Path, redactor: &Redactor) -> Option<Piece> {
    let bytes = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(value) => format!("{:#}\n", redactor.value(&value)),
        Err(_) => redactor.text(&text),
    };
    let name = path.file_name()?.to_string_lossy().into_owned();
    let folder = path.parent()?.file_name()?.to_string_lossy().into_owned();
    let name = if folder == "watchdog" { format!("watchdog/{name}") } else { name };
    Some(Piece { name, bytes: text.into_bytes() })
}
