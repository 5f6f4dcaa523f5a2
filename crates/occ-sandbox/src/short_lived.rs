//! A container that lives for one script: of an image of ours, without a network, gone when it was used.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use occ_engine::{
    ContainerSpec, Engine, ImageId, Isolation, Limits, LogRotation, LogsQuery, Mount, Network,
    RestartPolicy, Source,
};

use crate::cancel::Cancel;
use crate::error::{ApplyError, ProbeError};
use crate::refusal::Claim;

/// A container that lives for one script.
pub(crate) struct ShortLived {
    pub(crate) name: String,
    pub(crate) image: ImageId,
    pub(crate) user: String,
    pub(crate) script: String,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) isolation: Isolation,
}

/// What a script did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Exit code.
    pub code: i64,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Returns the last complaints, in one line.
    pub(crate) fn complaint(&self) -> String {
        let lines: Vec<&str> = self.err.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }
}

impl ShortLived {
    /// Makes it; one left by a killed process has the same name and nothing worth keeping.
    pub(crate) async fn make<E: Engine>(
        self,
        engine: &E,
        claim: Claim<'_>,
    ) -> Result<(), ApplyError> {
        let spec = self.container(claim);
        engine.remove_container(&spec.name).await.map_err(failed(&spec.name))?;
        engine.create_container(&spec).await.map(drop).map_err(failed(&spec.name))
    }

    /// Makes it, waits for the script's end, and removes it.
    pub(crate) async fn run<E: Engine>(
        self,
        engine: &E,
        claim: Claim<'_>,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<Said, ApplyError> {
        let name = self.name.clone();
        self.make(engine, claim).await?;
        let ran = run_made(engine, &name, patience, cancel).await;
        engine.remove_container(&name).await.map_err(failed(&name))?;
        ran
    }

    /// Makes it and starts it.
    pub(crate) async fn start<E: Engine>(
        self,
        engine: &E,
        claim: Claim<'_>,
    ) -> Result<(), ApplyError> {
        let name = self.name.clone();
        self.make(engine, claim).await?;
        engine.start_container(&name).await.map_err(failed(&name))
    }

    fn container(self, claim: Claim<'_>) -> ContainerSpec {
        ContainerSpec {
            name: self.name,
            image: self.image,
            hostname: "helper".to_owned(),
            user: Some(self.user),
            entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), self.script]),
            command: Some(Vec::new()),
            env: BTreeMap::new(),
            labels: claim.labels().into_iter().collect(),
            mounts: self.mounts,
            publish: Vec::new(),
            network: Network::None,
            isolation: self.isolation,
            limits: Limits { memory: None, cpu_millis: None, pids: None },
            restart: RestartPolicy::No,
            logs: LogRotation { max_size: 16 << 20, max_files: 1 },
        }
    }
}

/// Waits until the script of one that was started says `word` on a line of its own, or for its end. In the
/// first case the container stays: to end it takes until all that was written is on the disk.
pub(crate) async fn run_until<E: Engine>(
    engine: &E,
    name: &str,
    word: &str,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Said, ApplyError> {
    let ended = match tokio::time::timeout(patience, said(engine, name, word, cancel)).await {
        Ok(Ok(true)) => return Ok(Said { code: 0, out: word.to_owned(), err: String::new() }),
        Ok(Ok(false)) => end(engine, name, patience, cancel).await,
        Ok(Err(error)) => Err(error),
        Err(_) => Err(ProbeError::NoEnd { after: patience }.into()),
    };
    engine.remove_container(name).await.map_err(failed(name))?;
    ended
}

fn failed(name: &str) -> impl FnOnce(occ_engine::Error) -> ApplyError {
    ApplyError::engine(format!("run a container for a moment: {name}"))
}

async fn run_made<E: Engine>(
    engine: &E,
    name: &str,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Said, ApplyError> {
    engine.start_container(name).await.map_err(failed(name))?;
    end(engine, name, patience, cancel).await
}

/// Returns whether it said the word before its end.
async fn said<E: Engine>(
    engine: &E,
    name: &str,
    word: &str,
    cancel: &Cancel,
) -> Result<bool, ApplyError> {
    let query = LogsQuery { follow: true, ..LogsQuery::default() };
    let mut log = engine.logs(name, &query).await.map_err(failed(name))?;
    let mut out = Vec::new();
    loop {
        let chunk = tokio::select! {
            chunk = log.next() => chunk,
            () = cancel.cancelled() => return Err(ApplyError::Interrupted),
        };
        let Some(chunk) = chunk.transpose().map_err(failed(name))? else { return Ok(false) };
        if chunk.source == Source::Stdout {
            out.extend(&chunk.bytes);
        }
        if String::from_utf8_lossy(&out).lines().any(|line| line == word) {
            return Ok(true);
        }
    }
}

async fn end<E: Engine>(
    engine: &E,
    name: &str,
    patience: Duration,
    cancel: &Cancel,
) -> Result<Said, ApplyError> {
    let code = tokio::select! {
        status = engine.wait_container(name) => status.map_err(failed(name))?.code,
        () = tokio::time::sleep(patience) => return Err(ProbeError::NoEnd { after: patience }.into()),
        () = cancel.cancelled() => return Err(ApplyError::Interrupted),
    };
    let mut log = engine.logs(name, &LogsQuery::default()).await.map_err(failed(name))?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = log.next().await {
        let chunk = chunk.map_err(failed(name))?;
        if chunk.source == Source::Stderr { &mut err } else { &mut out }.extend(&chunk.bytes);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code, out: text(&out), err: text(&err) })
}
