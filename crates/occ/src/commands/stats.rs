//! `occ stats`: what the sandbox uses, and how many sessions it has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use occ_engine::{ContainerState, Docker, Engine as _, Mount, Phase, Stats};
use occ_sandbox::{client, load_password, reachable};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::own_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Board;
use crate::time;

/// Arguments of `occ stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Go on: drawn again in its place on a terminal, elsewhere told again and again
    #[arg(long, short)]
    watch: bool,
}

/// Time between the two samples that say how busy the processors are.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// The engine reads every volume to know its size: not at every turn.
const SIZES_LAST: Duration = Duration::from_secs(30);

/// The answer; its JSON form is a promise.
#[derive(Debug, Serialize)]
struct Report {
    at: String,
    instance: String,
    /// `running`, `stopped` or `absent`.
    state: &'static str,
    /// Of one processor: 150 is one and a half.
    cpu_percent: Option<f64>,
    memory: Option<Memory>,
    /// Processes and threads.
    processes: Option<u64>,
    volumes: Vec<Volume>,
    /// None where the server does not answer.
    sessions: Option<Sessions>,
}

#[derive(Debug, Serialize)]
struct Memory {
    bytes: u64,
    limit: u64,
}

#[derive(Debug, Clone, Serialize)]
struct Volume {
    name: String,
    target: String,
    /// None where the engine cannot tell.
    bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Sessions {
    total: usize,
    busy: usize,
}

/// Runs `occ stats`.
pub(crate) fn run(args: &StatsArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let mut look = Look { context, engine: context.engine()?, before: None, sizes: None };
        if args.watch {
            return watch(&mut look).await;
        }
        let Some(report) = look.look().await? else { return Ok(Exit::Interrupted) };
        let text = if context.terminal.quiet() { String::new() } else { text(&report) };
        context.terminal.result("occ/stats", &json!(report), &text)?;
        Ok(if report.state == "running" { Exit::Done } else { Exit::Failed })
    })
}

async fn watch(look: &mut Look<'_>) -> Result<Exit, Failure> {
    let mut board = Board::new(&look.context.terminal);
    loop {
        let Some(report) = look.look().await? else { return Ok(Exit::Interrupted) };
        let data = json!(report);
        if !board.show("occ/stats", &data, &data, &text(&report))? {
            return Ok(Exit::Done);
        }
    }
}

/// Looks at one sandbox again and again.
struct Look<'a> {
    context: &'a Context,
    engine: Docker,
    /// The sample before, of which run of the container, and when.
    before: Option<(Option<String>, Stats, Instant)>,
    sizes: Option<(BTreeMap<String, u64>, Instant)>,
}

impl Look<'_> {
    /// Looks once, which takes the time of a sample; none when it was interrupted.
    async fn look(&mut self) -> Result<Option<Report>, Failure> {
        let state = own_container(&self.engine, self.context).await?;
        if self.before.as_ref().map(|(run, ..)| run) != Some(&run_of(state.as_ref())) {
            self.sample(state.as_ref()).await?;
        }
        tokio::select! {
            () = tokio::time::sleep(SAMPLE) => {}
            () = self.context.cancel.cancelled() => return Ok(None),
        }
        let (now, cpu_percent) = self.sample(state.as_ref()).await?;
        let running = state.as_ref().is_some_and(|state| state.phase == Phase::Running);
        Ok(Some(Report {
            at: time::now(),
            instance: self.context.instance.name().to_owned(),
            state: match &state {
                None => "absent",
                Some(_) if running => "running",
                Some(_) => "stopped",
            },
            cpu_percent,
            memory: now.map(|now| Memory { bytes: now.memory, limit: now.memory_limit }),
            processes: now.map(|now| now.pids),
            volumes: self.volumes(state.as_ref()).await?,
            sessions: if running { self.sessions(state.as_ref()).await } else { None },
        }))
    }

    /// Takes a sample; with the one before it says how busy the processors were.
    async fn sample(
        &mut self,
        state: Option<&ContainerState>,
    ) -> Result<(Option<Stats>, Option<f64>), Failure> {
        let Some(state) = state else { return Ok((None, None)) };
        let Some(now) = self.engine.stats(&state.name).await? else {
            self.before = None;
            return Ok((None, None));
        };
        let run = run_of(Some(state));
        let moment = Instant::now();
        let before = self.before.replace((run.clone(), now, moment));
        let percent = before.filter(|(before, ..)| *before == run).map(|(_, before, then)| {
            let used = now.cpu.saturating_sub(before.cpu).as_secs_f64();
            (used / (moment - then).as_secs_f64().max(0.001) * 1000.0).round() / 10.0
        });
        Ok((Some(now), percent))
    }

    async fn volumes(&mut self, state: Option<&ContainerState>) -> Result<Vec<Volume>, Failure> {
        let mounts = state.map(|state| state.mounts.as_slice()).unwrap_or_default();
        if mounts.is_empty() {
            return Ok(Vec::new());
        }
        if self.sizes.as_ref().is_none_or(|(_, asked)| asked.elapsed() > SIZES_LAST) {
            self.sizes = Some((self.engine.volume_sizes().await?, Instant::now()));
        }
        let size = |name: &str| self.sizes.as_ref().and_then(|(sizes, _)| sizes.get(name).copied());
        let volume = |mount: &Mount| match mount {
            Mount::Volume { name, target, .. } => {
                Some(Volume { name: name.clone(), target: target.clone(), bytes: size(name) })
            }
            _ => None,
        };
        Ok(mounts.iter().filter_map(volume).collect())
    }

    async fn sessions(&self, state: Option<&ContainerState>) -> Option<Sessions> {
        let publish = state?.publish.first()?;
        let password = load_password(&self.context.home()).ok()??;
        let address = SocketAddr::new(reachable(publish.address), publish.host_port);
        let reached = self.context.reach(address).ok()?;
        let client = client(reached.address, &password).within(ANSWER);
        let (all, busy) = tokio::join!(client.sessions(), client.busy_sessions());
        Some(Sessions { total: all.ok()?.len(), busy: busy.ok()?.len() })
    }
}

/// Returns which run of a container this is: its counters begin anew with each.
fn run_of(state: Option<&ContainerState>) -> Option<String> {
    state.and_then(|state| state.started_at.clone())
}

fn text(report: &Report) -> String {
    let mut lines = vec![("State", report.state.to_owned())];
    if let Some(percent) = report.cpu_percent {
        lines.push(("CPU", format!("{percent:.1} % of one processor")));
    }
    if let Some(Memory { bytes, limit }) = &report.memory {
        lines.push(("Memory", format!("{} of {}", mib(*bytes), mib(*limit))));
    }
    if let Some(processes) = report.processes {
        lines.push(("Processes", processes.to_string()));
    }
    if let Some(Sessions { total, busy }) = &report.sessions {
        lines.push(("Sessions", format!("{total}, at work {busy}")));
    }
    for volume in &report.volumes {
        let size = volume.bytes.map_or_else(|| "size not known".to_owned(), mib);
        lines.push(("Volume", format!("{} ({size})", volume.target)));
    }
    lines.iter().map(|(name, value)| format!("{:<12} {value}\n", format!("{name}:"))).collect()
}

fn mib(bytes: u64) -> String {
    let tenths = bytes / ((1 << 20) / 10);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
