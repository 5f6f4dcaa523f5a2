//! Short-lived containers that prove or prepare what a mount needs.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use occ_engine::{
    Capability, ContainerSpec, Engine, ImageId, Isolation, Limits, LogRotation, LogsQuery, Mount,
    Network, RestartPolicy,
};
use occ_image::guest;

use crate::error::{ApplyError, ProbeError};
use crate::files::FileError;
use crate::refusal::Claim;
use crate::spec::{Owner, SandboxSpec};
use crate::world::World;

/// How long a probe may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Gives volumes, named with their places inside, to the sandbox's user.
pub(crate) async fn own_volumes<E: Engine, S>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    image: ImageId,
    owner: Owner,
    volumes: &[(String, String)],
) -> Result<(), ApplyError> {
    let mounts: Vec<Mount> = volumes
        .iter()
        .map(|(name, target)| Mount::Volume {
            name: name.clone(),
            target: target.clone(),
            read_only: false,
        })
        .collect();
    let places: Vec<&str> = mounts.iter().map(Mount::target).collect();
    let script = format!("chown -R {}:{} -- {}", owner.uid, owner.gid, places.join(" "));
    let kept = BTreeSet::from([Capability::Chown, Capability::DacOverride, Capability::Fowner]);
    let isolation = Isolation::Capabilities(kept);
    let probe = Probe {
        name: claim.instance.probe(),
        image,
        user: "0:0".to_owned(),
        script,
        mounts,
        isolation,
    };
    let (code, said) = run(world, &probe.container(claim), PATIENCE).await?;
    if code == 0 { Ok(()) } else { Err(ProbeError::NotOwned { said }.into()) }
}

/// Proves that a file made inside belongs to the folder's owner outside, by making one.
pub(crate) async fn prove_folder<E: Engine, S>(
    world: &World<'_, E, S>,
    spec: &SandboxSpec,
    image: ImageId,
    path: &Path,
    owner: Owner,
) -> Result<(), ApplyError> {
    let file = format!(".{}", spec.instance.probe());
    let outside = path.join(&file);
    let mount = Mount::Bind {
        source: path.to_owned(),
        target: guest::WORKSPACE.to_owned(),
        read_only: false,
    };
    let script = format!("rm -f {0}/{file}; : > {0}/{file}", guest::WORKSPACE);
    let user = format!("{}:{}", owner.uid, owner.gid);
    let isolation = spec.isolation.clone();
    let name = spec.instance.probe();
    let probe = Probe { name, image, user, script, mounts: vec![mount], isolation };
    let ran = run(world, &probe.container(spec.claim()), PATIENCE).await;
    let seen = std::fs::symlink_metadata(&outside);
    // Whatever was proved, the file is ours to remove.
    drop(std::fs::remove_file(&outside));
    let (code, said) = ran?;
    let path = path.to_owned();
    if code != 0 {
        return Err(ProbeError::NotWritable { path, owner, said }.into());
    }
    match seen {
        Ok(meta) if meta.uid() == owner.uid && meta.gid() == owner.gid => Ok(()),
        Ok(meta) => {
            let found = Owner { uid: meta.uid(), gid: meta.gid() };
            Err(ProbeError::OtherOwner { path, wished: owner, found }.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(ProbeError::NotSeen { path }.into())
        }
        Err(error) => Err(FileError::wrap("look at", &outside)(error).into()),
    }
}

/// A short-lived container of the sandbox's image that runs one script, without a network.
pub(crate) struct Probe {
    pub(crate) name: String,
    pub(crate) image: ImageId,
    pub(crate) user: String,
    pub(crate) script: String,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) isolation: Isolation,
}

impl Probe {
    /// Returns the whole container.
    pub(crate) fn container(self, claim: Claim<'_>) -> ContainerSpec {
        ContainerSpec {
            name: self.name,
            image: self.image,
            hostname: "probe".to_owned(),
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
            logs: LogRotation { max_size: 1 << 20, max_files: 1 },
        }
    }
}

/// Runs a probe to its end and removes it; returns its exit code and what it said.
pub(crate) async fn run<E: Engine, S>(
    world: &World<'_, E, S>,
    probe: &ContainerSpec,
    patience: Duration,
) -> Result<(i64, String), ApplyError> {
    let engine = world.engine;
    let failed = || ApplyError::engine("run a probe container");
    // A probe left by a killed process has the same name and nothing worth keeping.
    engine.remove_container(&probe.name).await.map_err(failed())?;
    engine.create_container(probe).await.map_err(failed())?;
    let ran = run_created(world, &probe.name, patience).await;
    engine.remove_container(&probe.name).await.map_err(failed())?;
    ran
}

async fn run_created<E: Engine, S>(
    world: &World<'_, E, S>,
    name: &str,
    patience: Duration,
) -> Result<(i64, String), ApplyError> {
    let failed = || ApplyError::engine("run a probe container");
    world.engine.start_container(name).await.map_err(failed())?;
    let status = tokio::select! {
        status = world.engine.wait_container(name) => status.map_err(failed())?,
        () = tokio::time::sleep(patience) => return Err(ProbeError::NoEnd { after: patience }.into()),
        () = world.cancel.cancelled() => return Err(ApplyError::Interrupted),
    };
    let log = last_lines(world.engine, name, 5).await;
    Ok((status.code, log.join("; ")))
}

/// Returns the last lines of a container's log, or none when there is no log to be had.
pub(crate) async fn last_lines<E: Engine>(engine: &E, name: &str, count: u64) -> Vec<String> {
    let query = LogsQuery { tail: Some(count), ..LogsQuery::default() };
    let Ok(mut stream) = engine.logs(name, &query).await else { return Vec::new() };
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = stream.next().await {
        bytes.extend_from_slice(&chunk.bytes);
    }
    String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
}
