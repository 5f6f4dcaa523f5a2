//! A terminal, as the web page has it.

use std::time::Duration;

use occ_opencode::{Client, Terminal};

use crate::check::Check;
use crate::fault::Fault;
use crate::record::Record;
use crate::subject::Subject;

/// How long a shell may take to begin and to answer.
const PATIENCE: Duration = Duration::from_secs(25);

/// Starts a terminal, lets it compute and ends it. It needs a `/tmp` from which programs may be run.
pub(crate) async fn terminal(subject: &Subject<'_>, record: &Record<'_>) {
    let client = &subject.client;
    let work = async {
        let terminal = client.start_terminal().await?;
        let computed = computes(client, &terminal).await;
        client.end_terminal(&terminal).await?;
        computed
    };
    record.check(Check::TerminalComputes, work).await;
}

async fn computes(client: &Client, terminal: &Terminal) -> Result<(), Fault> {
    let mut line = client.terminal_line(terminal).await?;
    // What is typed is shown too, so that the answer must be another text.
    line.type_in("echo answer-$((40+2))\r").await?;
    line.shows("answer-42", PATIENCE).await?;
    Ok(())
}
