//! A session with commands and files.

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use occ_opencode::{Client, Error, EventStream, Finished, Session, SessionId};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Folder, forget, refused};
use crate::check::Check;
use crate::fault::{Fault, same};
use crate::record::Record;
use crate::subject::Subject;

/// How long an event may take to come.
const EVENT: Duration = Duration::from_secs(20);
/// Pause before something is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// What the checks write; nothing else has this text.
const TEXT: &str = "what occ-smoke wrote, with $signs and \"quotes\"";

/// Begins a session, works in it and ends it.
pub(crate) async fn session(subject: &Subject<'_>, record: &Record<'_>, folder: &Folder) {
    if begun(subject, record).await.is_some() {
        files(subject, record, folder).await;
    }
}

/// What is asked of a session in the workspace; nothing is written there.
async fn begun(subject: &Subject<'_>, record: &Record<'_>) -> Option<()> {
    let client = &subject.client;
    // Open before the session begins, so that it tells of its beginning. A stream that does not open is no
    // reason not to begin one.
    let events = client.connected_events().await;
    let session = record.check(Check::SessionBegins, begins(client)).await?;
    let events = record.check(Check::Announced, announced(events, &session.id)).await;
    record.check(Check::Command, runs(subject, &session.id)).await;
    record.check(Check::ExitCode, tells_codes(client, &session.id)).await;
    record.check(Check::Variables, leaves_variables(client, &session.id)).await;
    record.check(Check::Secret, hides_password(client, &session.id)).await;
    record.check(Check::Git, has_git(client, &session.id)).await;
    record.check(Check::NoAgent, needs_agent(client, &session.id)).await;
    record.check(Check::NoSession, needs_session(client)).await;
    record.check(Check::Busy, is_busy(client, &session.id)).await;
    if let Some(mut events) = events {
        record.check(Check::Idle, is_idle(&mut events, &session.id)).await;
    }
    record.check(Check::SessionEnds, ends(client, &session)).await;
    Some(())
}

async fn begins(client: &Client) -> Result<Session, Fault> {
    let session = client.create_session().await?;
    if client.sessions().await?.contains(&session) {
        return Ok(session);
    }
    forget(client, &session).await;
    Err(Fault::wrong(format!("{} was begun and is not listed", session.id)))
}

async fn announced(
    events: Result<EventStream, Error>,
    session: &SessionId,
) -> Result<EventStream, Fault> {
    let mut events = events?;
    until(&mut events, "session.created", session).await?;
    Ok(events)
}

/// Waits for an event about a session.
async fn until(events: &mut EventStream, kind: &str, session: &SessionId) -> Result<(), Fault> {
    let deadline = Instant::now() + EVENT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let event = match events.next(left).await {
            Ok(Some(event)) => event,
            Ok(None) => return Err(Fault::wrong("the server ended the event stream")),
            Err(Error::Timeout { .. }) => {
                let seconds = EVENT.as_secs();
                return Err(Fault::Wrong(format!("no {kind} came within {seconds} s")));
            }
            Err(error) => return Err(error.into()),
        };
        let about = &event.properties;
        let is_about =
            about["sessionID"] == session.as_str() || about["info"]["id"] == session.as_str();
        if event.kind == kind && is_about {
            return Ok(());
        }
    }
}

async fn runs(subject: &Subject<'_>, session: &SessionId) -> Result<(), Fault> {
    let ran = subject.client.command(session, "id -u; pwd").await?;
    let expected = &subject.expected;
    let output = format!("{}\n{}\n", expected.uid, expected.workspace.display());
    same("what id and pwd say", &ran, &Finished { output, code: 0 })
}

async fn tells_codes(client: &Client, session: &SessionId) -> Result<(), Fault> {
    for (command, code) in [("true", 0), ("false", 1), ("exit 3", 3), ("occ-no-such-program", 127)]
    {
        let ran = client.command(session, command).await?;
        same(&format!("the exit code of {command}"), &ran.code, &code)?;
    }
    Ok(())
}

/// opencode expands variables by itself before it hands a command to a shell that it knows.
async fn leaves_variables(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let said = client.shell(session, "x=5; echo [$x]; false; echo rc=$?").await?;
    same("the output", &said.output.trim_end(), &"[5]\nrc=1")
}

async fn hides_password(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let ran = client.command(session, "env | grep -c '^OPENCODE_SERVER_PASSWORD='").await?;
    same("how often the password is in a command's environment", &ran.output.trim(), &"0")
}

async fn has_git(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let ran = client.command(session, "git --version").await?;
    match ran.code {
        0 if ran.output.starts_with("git version ") => Ok(()),
        code => Err(Fault::Wrong(format!("git ends with {code} and says {:?}", ran.output))),
    }
}

async fn needs_agent(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let body = json!({ "command": "true" });
    refused(client, ("POST", &format!("/session/{session}/shell")), Some(&body), 400).await
}

async fn needs_session(client: &Client) -> Result<(), Fault> {
    let body = json!({ "agent": "build", "command": "true" });
    refused(client, ("POST", "/session/ses_none/shell"), Some(&body), 404).await
}

async fn is_busy(client: &Client, session: &SessionId) -> Result<(), Fault> {
    for first in ["sleep 0.3", "sleep 3", "sleep 20"] {
        let second = async {
            while !client.at_work().await?.contains(session) {
                sleep(PAUSE).await;
            }
            Ok::<_, Fault>(client.shell(session, "true").await)
        };
        let mut first = pin!(client.shell(session, first));
        let second = tokio::select! {
            biased;
            // On a busy machine the second may come too late, and says nothing then.
            ended = &mut first => {
                ended?;
                super::until(client, session, false).await?;
                continue;
            }
            second = second => second?,
        };
        first.await?;
        return match second {
            Err(Error::Status { status: 409, .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Fault::wrong("two commands run in one session at once")),
        };
    }
    Err(Fault::wrong("a command ends before another can be begun beside it"))
}

async fn is_idle(events: &mut EventStream, session: &SessionId) -> Result<(), Fault> {
    until(events, "session.idle", session).await
}

async fn ends(client: &Client, session: &Session) -> Result<(), Fault> {
    client.delete_session(&session.id).await?;
    refused(client, ("GET", &format!("/session/{}", session.id)), None, 404).await
}

/// What is asked of files, in a folder of their own.
async fn files(subject: &Subject<'_>, record: &Record<'_>, folder: &Folder) -> Option<()> {
    let begun = async {
        let client = subject.client.in_folder(Path::new(folder.path()?));
        let session = client.create_session().await?;
        let read = reads_back(&client, &session.id).await;
        forget(&client, &session).await;
        read.map(|()| client)
    };
    let client = &record.check(Check::FileRead, begun).await?;
    record.check(Check::FileList, lists(client)).await;
    record.check(Check::FileSearch, finds(client)).await;
    record.check(Check::FileMissing, misses(client)).await;
    record.check(Check::FileOutside, stays_inside(client)).await;
    Some(())
}

async fn reads_back(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let write = format!("mkdir sub && printf '%s\\n' '{TEXT}' >sub/file.txt");
    let ran = client.command(session, &write).await?;
    same("writing a file", &ran, &Finished { output: String::new(), code: 0 })?;
    same("the file", &client.read_file("sub/file.txt").await?.as_str(), &TEXT)
}

async fn lists(client: &Client) -> Result<(), Fault> {
    let found: Vec<(String, String)> =
        client.list_files("sub").await?.into_iter().map(|entry| (entry.name, entry.kind)).collect();
    same("the list", &found, &vec![("file.txt".to_owned(), "file".to_owned())])
}

async fn finds(client: &Client) -> Result<(), Fault> {
    let found = client.find_text("what occ-smoke [w]rote").await?;
    same("what was found", &found, &vec!["sub/file.txt".to_owned()])
}

async fn misses(client: &Client) -> Result<(), Fault> {
    match client.read_file("sub/none.txt").await {
        Err(Error::NoFile { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(text) => Err(Fault::Wrong(format!("a file that does not exist has the text {text:?}"))),
    }
}

async fn stays_inside(client: &Client) -> Result<(), Fault> {
    for path in ["../../etc/passwd", "/etc/passwd"] {
        match client.read_file(path).await {
            Err(Error::Status { .. } | Error::NoFile { .. }) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Err(Fault::Wrong(format!("{path} is read"))),
        }
    }
    Ok(())
}
