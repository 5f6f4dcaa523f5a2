//! What is kept when something does not hold: enough to find out why, and no secret.

use std::path::{Path, PathBuf};

use occ_engine::{Docker, LogsQuery, read_log};
use occ_opencode::Exchange;
use occ_smoke::junit;
use serde_json::{Value, json};

use super::{Examined, text};
use crate::commands::target::Target;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::redact::Redactor;
use crate::time;

/// Lines of the container's log.
const LOG_LINES: u64 = 500;

/// Writes the report, every request and the log into a folder, and returns it.
pub(super) fn keep(
    examined: &Examined,
    target: &Target,
    folder: Option<&Path>,
    context: &Context,
) -> Result<PathBuf, Failure> {
    let stamp = time::now().replace(':', "");
    let folder =
        folder.map_or_else(|| context.state_dir().join("smoke").join(&stamp), Path::to_owned);
    let redactor = Redactor::new([], &context.env.home().to_string_lossy());
    let report = &examined.report;
    let data = text::data(report, target, report.took, None);
    let requests: String = report
        .exchanges
        .iter()
        .map(|exchange| format!("{}\n", redactor.value(&request(exchange))))
        .collect();
    let pieces = [
        ("report.json", format!("{:#}\n", redactor.value(&data))),
        ("report.xml", redactor.text(&junit(report, &target.name()))),
        ("requests.jsonl", requests),
        ("container.log", redactor.text(&examined.log)),
    ];
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("cannot write to {}: {error}", folder.display()))
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for (name, text) in pieces {
        std::fs::write(folder.join(name), text).map_err(failed)?;
    }
    Ok(folder)
}

fn request(exchange: &Exchange) -> Value {
    let (status, error) = match &exchange.outcome {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(error)),
    };
    json!({
        "method": exchange.method,
        "path": exchange.path,
        "body": exchange.body,
        "status": status,
        "error": error,
        "milliseconds": exchange.took.as_millis(),
    })
}

/// Returns the end of a container's log, or nothing where there is none to be had.
pub(super) async fn log(engine: &Docker, container: &str) -> String {
    read_log(engine, container, &LogsQuery::last(LOG_LINES)).await.unwrap_or_default()
}
