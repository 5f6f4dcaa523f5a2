//! The server as a whole.

use futures_util::future::BoxFuture;
use occ_image::guest;
use occ_opencode::{Client, Credentials, Error, Expect, Ready, Terminal, prove_locked, wait_ready};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::inside::said;
use super::json;
use crate::check::Check;
use crate::fault::{Fault, same};
use crate::record::Record;
use crate::subject::{Expected, Subject};

/// Pages that must not open either, beside those that every start proves.
const MORE_PAGES: [&str; 3] = ["/doc", "/api/health", "/nosuch"];
/// What each part of the interface is asked for; all of it works without a model and a key.
const PARTS: [&str; 12] = [
    "/path",
    "/config",
    "/project/current",
    "/agent",
    "/command",
    "/provider",
    "/session",
    "/pty",
    "/vcs",
    "/file?path=.",
    "/mcp",
    "/permission",
];
/// Least size of the page's program, in bytes; it has more than two millions.
const PAGE: usize = 1_000_000;
/// How long the door may take to answer.
const DOOR: Duration = Duration::from_secs(20);

/// Waits until the server is ready, with what every start demands.
pub(crate) async fn ready(
    subject: &Subject<'_>,
    ended: BoxFuture<'_, String>,
    record: &Record<'_>,
) -> Option<Ready> {
    let start = subject.expected.start;
    let work = async {
        tokio::select! {
            ready = await_ready(&subject.client, &subject.expected) => ready,
            how = ended => Err(Fault::Wrong(how)),
        }
    };
    record.check_within(Check::Ready, start + Duration::from_secs(5), work).await
}

/// Waits until a server is ready, in the version and the time that are expected.
pub(crate) async fn await_ready(client: &Client, expected: &Expected) -> Result<Ready, Fault> {
    let expect = Expect { version: expected.version.clone() };
    Ok(wait_ready(client, &expect, Instant::now() + expected.start, &|_| {}).await?)
}

/// Looks at the doors, the pages and the parts of the interface.
pub(crate) async fn server(subject: &Subject<'_>, record: &Record<'_>) {
    let client = &subject.client;
    record.check(Check::Locked, is_locked(client)).await;
    record.check(Check::LockedTerminal, terminal_is_locked(client)).await;
    record.check(Check::Interface, describes_itself(client)).await;
    record.check(Check::WebPage, has_page(client)).await;
    record.check(Check::Answers, answers(subject)).await;
    record.check(Check::Policy, policy_holds(subject)).await;
    record.check(Check::UnknownPath, unknown_is_a_page(client)).await;
}

fn stranger() -> Credentials {
    Credentials { user: "somebody".into(), password: "not the password".into() }
}

async fn is_locked(client: &Client) -> Result<(), Fault> {
    prove_locked(client.endpoint().address, DOOR).await?;
    for somebody in [None, Some(stranger())] {
        let client = client.as_somebody(somebody);
        for page in MORE_PAGES {
            let status = client.ask("GET", page, None).await?.status;
            same(&format!("the status of {page} without the password"), &status, &401)?;
        }
    }
    Ok(())
}

async fn terminal_is_locked(client: &Client) -> Result<(), Fault> {
    let none = Terminal { id: "pty_none".to_owned() };
    match client.as_somebody(None).terminal_line(&none).await {
        Err(Error::Unauthorized { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Fault::wrong("a terminal opens without the password")),
    }
}

async fn describes_itself(client: &Client) -> Result<(), Fault> {
    let description = json(client, "/doc").await?;
    let version = description["openapi"].as_str().unwrap_or("none");
    if !version.starts_with("3.") {
        return Err(Fault::Wrong(format!(
            "the version of OpenAPI is {version}, and 3.x is expected"
        )));
    }
    let path = "/session/{sessionID}/shell";
    if description["paths"][path].is_null() {
        return Err(Fault::Wrong(format!("the interface does not have {path}")));
    }
    Ok(())
}

async fn has_page(client: &Client) -> Result<(), Fault> {
    let page = client.ask("GET", "/", None).await?;
    same("the status of /", &page.status, &200)?;
    if !page.is("text/html") {
        return Err(Fault::wrong("/ is no web page"));
    }
    let text = String::from_utf8_lossy(&page.body);
    let is_program = |word: &&str| {
        word.strip_prefix("/assets/index-")
            .is_some_and(|rest| rest.rsplit('.').next() == Some("js"))
    };
    let program = text.split('"').find(is_program);
    let program = program.ok_or_else(|| Fault::wrong("the web page names no program"))?;
    let answer = client.ask("GET", program, None).await?;
    same(&format!("the status of {program}"), &answer.status, &200)?;
    match answer.body.len() {
        PAGE.. => Ok(()),
        length => Err(Fault::Wrong(format!("{program} has {length} bytes only"))),
    }
}

async fn answers(subject: &Subject<'_>) -> Result<(), Fault> {
    for part in PARTS {
        json(&subject.client, part).await?;
    }
    let paths = subject.client.path().await?;
    same("the server's folder", &paths.directory, &subject.expected.workspace)
}

/// Everything that the managed configuration sets must be what the server goes by.
async fn policy_holds(subject: &Subject<'_>) -> Result<(), Fault> {
    let managed = said(subject, &["cat", guest::MANAGED_CONFIG]).await?;
    let managed: serde_json::Map<String, Value> = serde_json::from_str(&managed)
        .map_err(|error| Fault::Wrong(format!("{}: {error}", guest::MANAGED_CONFIG)))?;
    let config = json(&subject.client, "/config").await?;
    for (key, value) in managed.iter().filter(|(key, _)| *key != "$schema") {
        if config[key] != *value {
            let found = &config[key];
            return Err(Fault::Wrong(format!("{key} is {found}, and {value} is managed")));
        }
    }
    Ok(())
}

/// A status alone says nothing about opencode: this is the trap that every other check avoids.
async fn unknown_is_a_page(client: &Client) -> Result<(), Fault> {
    let answer = client.ask("GET", "/nosuch", None).await?;
    if answer.status == 200 && !answer.is("text/html") {
        return Err(Fault::wrong("a path that does not exist is answered as if it did"));
    }
    Ok(())
}
