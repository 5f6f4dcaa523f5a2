//! The instructions for what a container of the image is like: the image's configuration, said once more.

use std::collections::BTreeMap;

use occ_oci::ImageConfig;
use serde::Deserialize;

use super::UnwritableText;
use super::words::docker;
use crate::guest::{LABEL_BASE_KEY, LABEL_BUILD_KEY};
use crate::plan::BuildPlan;

/// Labels that would not be true: they say which bytes the workshop made.
const NOT_OURS: [&str; 3] = [LABEL_BASE_KEY, LABEL_BUILD_KEY, "org.opencode-cloud.builder"];

/// hadolint would have a number.
const USER_BY_NAME: &str = "\
# By name, as in the workshop's own image; the base has the account.
# hadolint ignore=DL3066
";

/// What engines put into a configuration beyond the specification.
#[derive(Deserialize)]
struct Beyond {
    config: Extensions,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extensions {
    healthcheck: Healthcheck,
}

/// Times in nanoseconds.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Healthcheck {
    test: Vec<String>,
    interval: u64,
    timeout: u64,
    start_period: u64,
    retries: u64,
}

pub(super) fn instructions(plan: &BuildPlan) -> Result<String, UnwritableText> {
    let json = plan.config().to_json();
    let read: ImageConfig = serde_json::from_slice(&json).expect("it was written for this");
    let Beyond { config: Extensions { healthcheck } } =
        serde_json::from_slice(&json).expect("it was written for this");
    let run = read.config;
    let environment: Vec<(&str, &str)> =
        run.env.iter().filter_map(|line| line.split_once('=')).collect();
    let labels: BTreeMap<&str, &str> = run
        .labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !NOT_OURS.contains(name))
        .collect();
    let ports = run.exposed_ports.iter().cloned().collect::<Vec<_>>().join(" ");
    Ok([
        format!("{USER_BY_NAME}USER {}\nWORKDIR {}\n", run.user, run.working_dir),
        pairs("ENV", environment)?,
        pairs("LABEL", labels)?,
        format!("EXPOSE {ports}\nSTOPSIGNAL {}\n", run.stop_signal),
        health(&healthcheck),
        format!("ENTRYPOINT {}\nCMD {}\n", words(&run.entrypoint), words(&run.cmd)),
    ]
    .concat())
}

fn pairs<'a>(
    instruction: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String, UnwritableText> {
    let pair = |(name, value)| Ok(format!("{name}={}", docker(value)?));
    let lines = pairs.into_iter().map(pair).collect::<Result<Vec<_>, UnwritableText>>()?;
    Ok(format!("{instruction} {}\n", lines.join(" \\\n    ")))
}

/// Engines before 25 know no interval for the start.
fn health(check: &Healthcheck) -> String {
    let seconds = |nanoseconds: u64| nanoseconds / 1_000_000_000;
    format!(
        "HEALTHCHECK --interval={}s --timeout={}s --start-period={}s --retries={} CMD {}\n",
        seconds(check.interval),
        seconds(check.timeout),
        seconds(check.start_period),
        check.retries,
        words(&check.test[1..])
    )
}

/// Returns words in the form in which no shell takes them apart.
fn words(words: &[String]) -> String {
    serde_json::Value::from(words).to_string()
}
