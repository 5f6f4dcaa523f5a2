//! A container beside the sandbox: the way into its volumes, without a network and gone when it was used.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use occ_engine::{
    Capability, ContainerSpec, Engine, ImageId, Isolation, Limits, LogRotation, LogsQuery, Mount,
    Network, RestartPolicy, Source,
};
use occ_image::guest;

use crate::cancel::Cancel;
use crate::error::{ApplyError, ProbeError};
use crate::fleet::Sandbox;
use crate::refusal::Claim;

/// How long a script may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// Folder under which the volumes are mounted.
const ROOT: &str = "/volumes";

/// Returns where a volume is mounted.
pub(crate) fn folder(place: &str) -> String {
    format!("{ROOT}/{place}")
}

/// A container that was made and does not run.
#[derive(Debug)]
pub(crate) struct Beside {
    name: String,
    places: Vec<&'static str>,
}

/// What a script did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: i64,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Beside {
    /// Makes it of an image, with volumes by their places.
    pub(crate) async fn make<E: Engine>(
        engine: &E,
        claim: Claim<'_>,
        image: ImageId,
        volumes: Vec<(&'static str, String)>,
        read_only: bool,
    ) -> Result<Self, ApplyError> {
        let places = volumes.iter().map(|(place, _)| *place).collect();
        let mount = |(place, name): (&str, String)| {
            let target = folder(place);
            Mount::Volume { name, target, read_only }
        };
        let mounts = volumes.into_iter().map(mount).collect();
        let spec = container(claim, image, mounts, String::new());
        create(engine, &spec).await?;
        Ok(Self { name: spec.name, places })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn places(&self) -> &[&'static str] {
        &self.places
    }

    pub(crate) async fn remove<E: Engine>(&self, engine: &E) -> Result<(), ApplyError> {
        let removed = engine.remove_container(&self.name).await;
        removed.map_err(ApplyError::engine("remove the container for the volumes"))
    }
}

/// Runs a script with one volume to look at, as whoever may read everything in it.
pub(crate) async fn run<E: Engine>(
    engine: &E,
    claim: Claim<'_>,
    image: ImageId,
    mount: Mount,
    script: &str,
    cancel: &Cancel,
) -> Result<Said, ApplyError> {
    let spec = container(claim, image, vec![mount], script.to_owned());
    create(engine, &spec).await?;
    let ran = run_created(engine, &spec.name, cancel).await;
    let removed = engine.remove_container(&spec.name).await;
    removed.map_err(ApplyError::engine("remove the container for the volumes"))?;
    ran
}

async fn run_created<E: Engine>(
    engine: &E,
    name: &str,
    cancel: &Cancel,
) -> Result<Said, ApplyError> {
    let failed = || ApplyError::engine("look into a volume");
    engine.start_container(name).await.map_err(failed())?;
    let code = tokio::select! {
        status = engine.wait_container(name) => status.map_err(failed())?.code,
        () = tokio::time::sleep(PATIENCE) => return Err(ProbeError::NoEnd { after: PATIENCE }.into()),
        () = cancel.cancelled() => return Err(ApplyError::Interrupted),
    };
    let mut log = engine.logs(name, &LogsQuery::default()).await.map_err(failed())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(chunk) = log.next().await {
        let chunk = chunk.map_err(failed())?;
        if chunk.source == Source::Stderr { &mut err } else { &mut out }.extend(&chunk.bytes);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { code, out: text(&out), err: text(&err) })
}

async fn create<E: Engine>(engine: &E, spec: &ContainerSpec) -> Result<(), ApplyError> {
    let failed = || ApplyError::engine("make a container for the volumes");
    // One left by a killed process has the same name and nothing worth keeping.
    engine.remove_container(&spec.name).await.map_err(failed())?;
    engine.create_container(spec).await.map(drop).map_err(failed())
}

fn container(
    claim: Claim<'_>,
    image: ImageId,
    mounts: Vec<Mount>,
    script: String,
) -> ContainerSpec {
    ContainerSpec {
        name: claim.instance.beside(),
        image,
        hostname: "volumes".to_owned(),
        user: Some("0:0".to_owned()),
        entrypoint: Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), script]),
        command: Some(Vec::new()),
        env: BTreeMap::new(),
        labels: labels(claim).into_iter().collect(),
        mounts,
        publish: Vec::new(),
        network: Network::None,
        // What only its owner may read is to be read too.
        isolation: Isolation::Capabilities([Capability::DacOverride].into()),
        limits: Limits { memory: None, cpu_millis: None, pids: None },
        restart: RestartPolicy::No,
        logs: LogRotation { max_size: 16 << 20, max_files: 1 },
    }
}

/// Returns the labels of what belongs to a claim.
pub(crate) fn labels(claim: Claim<'_>) -> Vec<(String, String)> {
    vec![
        (guest::LABEL_INSTANCE.to_owned(), claim.instance.name().to_owned()),
        (guest::LABEL_USER.to_owned(), claim.user.to_string()),
    ]
}

/// Returns an image that is here: the sandbox's own, or any of ours.
///
/// # Errors
/// When the engine fails.
pub async fn any_image<E: Engine>(
    engine: &E,
    sandbox: &Sandbox,
) -> Result<Option<ImageId>, ApplyError> {
    let own = sandbox.container.as_ref().map(|container| container.image.clone());
    let recorded = sandbox.record.as_ref().map(|record| record.image.clone());
    let failed = || ApplyError::engine("look for an image");
    for id in own.into_iter().chain(recorded) {
        if engine.image(&id.0).await.map_err(failed())?.is_some() {
            return Ok(Some(id));
        }
    }
    let ours = engine.images(guest::LABEL_CONTRACT).await.map_err(failed())?;
    Ok(ours
        .into_iter()
        .find(|image| crate::foreign::foreign(image).is_none())
        .map(|image| image.id))
}
