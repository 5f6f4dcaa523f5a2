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
use crate::spec::{Owner, SandboxSpec};
use crate::world::World;

/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gives the sandbox's volumes to its user.
pub(crate) async fn own_volumes<E: Engine, S>(
    world: &World<'_, E, S>,
    spec: &SandboxSpec,
    image: ImageId,
    owner: Owner,
) -> Result<(), ApplyError> {
    let mounts: Vec<Mount> = spec
        .volumes()
        .into_iter()
        .map(|(name, target)| Mount::Volume { name, target: target.to_owned(), read_only: false })
        .collect();
    let places: Vec<&str> = mounts.iter().map(Mount::target).collect();
    let script = format!("chown -R {}:{} -- {}", owner.uid, owner.gid, places.join(" "));
    let kept = BTreeSet::from([Capability::Chown, Capability::DacOverride, Capability::Fowner]);
    let probe = probe(spec, image, "0:0".to_owned(), script, mounts, Isolation::Capabilities(kept));
    let (code, said) = run(world, &probe).await?;
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
    let probe = probe(spec, image, user, script, vec![mount], spec.isolation.clone());
    let ran = run(world, &probe).await;
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

fn probe(
    spec: &SandboxSpec,
    image: ImageId,
    user: String,
    script: String,
    mounts: Vec<Mount>,
    isolation: Isolation,
) -> ContainerSpec {
    ContainerSpec {
        name: spec.instance.probe(),
        image,
        hostname: "probe".to_owned(),
        user: Some(user),
        entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), script]),
        command: Some(Vec::new()),
        env: BTreeMap::new(),
        labels: spec.volume_labels().into_iter().collect(),
        mounts,
        publish: Vec::new(),
        network: Network::None,
        isolation,
        limits: Limits { memory: None, cpu_millis: None, pids: None },
        restart: RestartPolicy::No,
        logs: LogRotation { max_size: 1 << 20, max_files: 1 },
    }
}

/// Runs a probe to its end and removes it; returns its exit code and what it said.
async fn run<E: Engine, S>(
    world: &World<'_, E, S>,
    probe: &ContainerSpec,
) -> Result<(i64, String), ApplyError> {
    let engine = world.engine;
    let failed = || ApplyError::engine("run a probe container");
    // A probe left by a killed process has the same name and nothing worth keeping.
    engine.remove_container(&probe.name).await.map_err(failed())?;
    engine.create_container(probe).await.map_err(failed())?;
    let ran = run_created(world, &probe.name).await;
    engine.remove_container(&probe.name).await.map_err(failed())?;
    ran
}

async fn run_created<E: Engine, S>(
    world: &World<'_, E, S>,
    name: &str,
) -> Result<(i64, String), ApplyError> {
    let failed = || ApplyError::engine("run a probe container");
    world.engine.start_container(name).await.map_err(failed())?;
    let status = tokio::select! {
        status = world.engine.wait_container(name) => status.map_err(failed())?,
        () = tokio::time::sleep(PATIENCE) => return Err(ProbeError::NoEnd { after: PATIENCE }.into()),
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
