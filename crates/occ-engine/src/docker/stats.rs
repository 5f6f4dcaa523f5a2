//! What containers and volumes use.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::version::ApiVersion;
use super::{ACT, Docker, LOOK, named};
use crate::error::Error;
use crate::stats::Stats;

/// First version that can be asked for volumes alone.
const KNOWS_KINDS: ApiVersion = ApiVersion(1, 42);

/// First version that lists the volumes one by one only when asked to.
const KNOWS_VERBOSE: ApiVersion = ApiVersion(1, 52);

/// What an engine says that measures for somebody else.
const MEASURING: &str = "disk usage operation is already running";

impl Docker {
    /// Asks for one sample: for two, the engine would wait a second between them.
    pub(super) async fn observe_stats(&self, container: &str) -> Result<Option<Stats>, Error> {
        let address = format!("/containers/{}/stats?stream=false&one-shot=true", named(container)?);
        let sample: Option<Sample> = self.ask("looking at what is used", LOOK, &address).await?;
        Ok(sample.and_then(Sample::stats))
    }

    pub(super) async fn measure_volumes(&self) -> Result<BTreeMap<String, u64>, Error> {
        let address = match self.wire.version().await? {
            version if version < KNOWS_KINDS => "/system/df",
            version if version < KNOWS_VERBOSE => "/system/df?type=volume",
            _ => "/system/df?type=volume&verbose=true",
        };
        let usage: Option<Usage> = self.measure(address).await?;
        let usage = usage.unwrap_or_default();
        let newer = usage.volume_usage.unwrap_or_default().items;
        let volumes = usage.volumes.into_iter().flatten().chain(newer.into_iter().flatten());
        // The engine says -1 where it does not know.
        let sized = volumes
            .filter_map(|volume| Some((volume.name, u64::try_from(volume.usage_data?.size).ok()?)));
        Ok(sized.collect())
    }

    /// Measures; the engine does so for one at a time and refuses the others.
    async fn measure(&self, address: &str) -> Result<Option<Usage>, Error> {
        let deadline = Instant::now() + ACT;
        loop {
            match self.ask("measuring volumes", ACT, address).await {
                Err(Error::Refused { message, .. })
                    if message.contains(MEASURING) && Instant::now() < deadline =>
                {
                    sleep(Duration::from_millis(100)).await;
                }
                answer => return answer,
            }
        }
    }
}

/// Answer to a question for a container's use; what does not run has no numbers.
#[derive(Deserialize)]
struct Sample {
    #[serde(default, rename = "memory_stats")]
    memory: Memory,
    #[serde(default, rename = "cpu_stats")]
    cpu: Cpu,
    #[serde(default, rename = "pids_stats")]
    pids: Pids,
}

#[derive(Deserialize, Default)]
struct Memory {
    usage: Option<u64>,
    limit: Option<u64>,
    #[serde(default)]
    stats: MemoryDetails,
}

#[derive(Deserialize, Default)]
struct MemoryDetails {
    /// Of cgroup version 1.
    total_inactive_file: Option<u64>,
    /// Of cgroup version 2.
    inactive_file: Option<u64>,
}

#[derive(Deserialize, Default)]
struct Cpu {
    #[serde(default)]
    cpu_usage: CpuUsage,
}

#[derive(Deserialize, Default)]
struct CpuUsage {
    #[serde(default)]
    total_usage: u64,
}

#[derive(Deserialize, Default)]
struct Pids {
    current: Option<u64>,
}

impl Sample {
    fn stats(self) -> Option<Stats> {
        let Memory { usage, limit, stats } = self.memory;
        let dropped = stats.total_inactive_file.or(stats.inactive_file).unwrap_or_default();
        let cpu = Duration::from_nanos(self.cpu.cpu_usage.total_usage);
        let pids = self.pids.current.unwrap_or_default();
        if pids == 0 && cpu.is_zero() {
            return None;
        }
        Some(Stats {
            memory: usage.unwrap_or_default().saturating_sub(dropped),
            memory_limit: limit.unwrap_or_default(),
            cpu,
            pids,
        })
    }
}

/// Answer to a question for what is used on disk.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    /// Before API 1.52.
    volumes: Option<Vec<Measured>>,
    /// Since API 1.52.
    volume_usage: Option<VolumeUsage>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct VolumeUsage {
    items: Option<Vec<Measured>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Measured {
    name: String,
    usage_data: Option<UsageData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsageData {
    size: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_kernel_could_drop_are_not_memory_in_use() {
        for detail in ["total_inactive_file", "inactive_file"] {
            let text = format!(
                r#"{{"memory_stats":{{"usage":100,"limit":1000,"stats":{{"{detail}":30}}}},
                    "cpu_stats":{{"cpu_usage":{{"total_usage":7}}}},"pids_stats":{{"current":2}}}}"#
            );
            let sample: Sample = serde_json::from_str(&text).expect("a sample");
            let cpu = Duration::from_nanos(7);
            let stats = Stats { memory: 70, memory_limit: 1000, cpu, pids: 2 };
            assert_eq!(sample.stats(), Some(stats));
        }
    }

    #[test]
    fn volumes_are_measured_in_the_old_words_and_the_new() {
        let volume = r#"[{"Name":"a","UsageData":{"Size":5,"RefCount":1}}]"#;
        for text in [
            format!(r#"{{"Volumes":{volume}}}"#),
            format!(r#"{{"VolumeUsage":{{"Items":{volume}}}}}"#),
        ] {
            let usage: Usage = serde_json::from_str(&text).expect("usage");
            let newer = usage.volume_usage.unwrap_or_default().items;
            let found = usage.volumes.or(newer).expect("volumes");
            assert_eq!(found[0].usage_data.as_ref().map(|data| data.size), Some(5));
        }
    }
}
