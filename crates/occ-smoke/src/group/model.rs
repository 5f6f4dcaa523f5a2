//! A model that answers, fails and hangs: the one that comes with occ, asked from inside.

use std::path::Path;
use std::time::Duration;

use occ_opencode::{Client, Message, SessionId, Tokens};
use tokio::time::{Instant, sleep};

use super::inside::said;
use super::{Folder, forget};
use crate::check::Check;
use crate::fault::{Fault, demand, same};
use crate::model::{Asked, Model, NAME, wish};
use crate::record::Record;
use crate::subject::Subject;

/// Pause before something is looked at again.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an aborted prompt may take to end.
const ABORT: Duration = Duration::from_secs(10);
/// What a tool writes, and the file.
const TOOL_TEXT: &str = "made by a tool";
const TOOL_FILE: &str = "tool.txt";

/// Waits for the model, and writes the configuration of the folder, which is a project of its own: nothing else
/// of the sandbox hears of the model.
pub(crate) async fn configure(
    subject: &Subject<'_>,
    record: &Record<'_>,
    folder: &Folder,
    model: &Model,
) -> Option<()> {
    let work = async {
        model.started().await?;
        let (folder, config) = (folder.path()?, model.config().to_string());
        let write = "printf %s \"$1\" >\"$2/opencode.json\"";
        said(subject, &["sh", "-c", write, "sh", &config, folder]).await.map(drop)
    };
    record.check(Check::ModelStarts, work).await
}

/// Asks the model.
pub(crate) async fn model(
    subject: &Subject<'_>,
    record: &Record<'_>,
    folder: &Folder,
    model: &Model,
) -> Option<()> {
    let client = subject.client.in_folder(Path::new(folder.path().ok()?));
    let session = client.create_session().await.ok()?;
    asked(&client, &session.id, record).await;
    forget(&client, &session).await;
    record.check(Check::ModelLog, async { all_as_configured(&model.asked()) }).await
}

async fn asked(client: &Client, session: &SessionId, record: &Record<'_>) {
    record.check(Check::Prompt, answers(client, session)).await;
    record.check(Check::ToolCall, calls_tool(client, session)).await;
    record.check(Check::ModelFails, tells_failure(client, session)).await;
    record.check(Check::Outside, looks_outside(client, session)).await;
    record.check(Check::Abort, is_aborted(client, session)).await;
}

/// Returns an answer without trouble: a failure of the model is a success of the request.
pub(crate) async fn sound(
    client: &Client,
    session: &SessionId,
    words: &str,
) -> Result<Message, Fault> {
    let answer = client.prompt(session, &wish(words)).await?;
    match &answer.info.error {
        Some(trouble) => Err(Fault::Wrong(format!("the model's answer is {trouble}"))),
        None => Ok(answer),
    }
}

async fn answers(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let answer = sound(client, session, "hello").await?;
    same("the answer", &answer.text().as_str(), &"PONG hello")?;
    same("the tokens", &answer.info.tokens, &Some(Tokens { input: 11, output: 7 }))
}

async fn calls_tool(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let command = format!("RUN printf '{TOOL_TEXT}' >{TOOL_FILE}; echo written");
    let answer = sound(client, session, &command).await?;
    same("the answer", &answer.text().trim_end(), &"DONE: written")?;
    same("the file", &client.read_file(TOOL_FILE).await?.as_str(), &TOOL_TEXT)
}

async fn tells_failure(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let answer = client.prompt(session, &wish("FAIL 400")).await?;
    match answer.info.error {
        Some(trouble) if trouble.name == "APIError" => Ok(()),
        Some(trouble) => Err(Fault::Wrong(format!("the failure is told as {trouble}"))),
        None => Err(Fault::Wrong(format!("the failure is told as {:?}", answer.text()))),
    }
}

/// A permission that nobody gives would be waited for for ever.
async fn looks_outside(client: &Client, session: &SessionId) -> Result<(), Fault> {
    let answer = sound(client, session, "RUN ls /etc/passwd").await?;
    same("the answer", &answer.text().trim_end(), &"DONE: /etc/passwd")
}

async fn is_aborted(client: &Client, session: &SessionId) -> Result<(), Fault> {
    client.prompt_later(session, &wish("HANG")).await?;
    until(client, session, true).await?;
    client.abort(session).await?;
    until(client, session, false).await?;
    let last = client.messages(session).await?.pop();
    let trouble = last.and_then(|message| message.info.error).map(|trouble| trouble.name);
    same("what the aborted message says", &trouble.as_deref(), &Some("MessageAbortedError"))
}

/// Waits until a session is at work, or is not.
pub(crate) async fn until(
    client: &Client,
    session: &SessionId,
    at_work: bool,
) -> Result<(), Fault> {
    let deadline = Instant::now() + ABORT;
    while client.at_work().await?.contains(session) != at_work {
        if Instant::now() > deadline {
            return Err(Fault::TooLong { after: ABORT });
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

fn all_as_configured(asked: &[Asked]) -> Result<(), Fault> {
    if asked.is_empty() {
        return Err(Fault::wrong("nobody asked the model"));
    }
    for one in asked {
        same("the path", &one.path.as_str(), &"/v1/chat/completions")?;
        same("whether the key is the configured one", &one.key, &true)?;
        same("the model", &one.model.as_deref(), &Some(NAME))?;
        same("whether it streams", &one.stream, &Some(true))?;
    }
    let has_tools = asked.iter().any(|one| one.tools > 0);
    demand(has_tools, || "no request offers the model a tool".to_owned())
}
