//! Short-lived containers that prove or prepare what a mount needs.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use occ_engine::{Capability, Engine, ImageId, Isolation, Mount};
use occ_image::guest;

use crate::error::{ApplyError, ProbeError};
use crate::files::FileError;
use crate::refusal::Claim;
use crate::short_lived::ShortLived;
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
    let probe = ShortLived {
        name: claim.instance.probe(),
        image,
        user: "0:0".to_owned(),
        script,
        mounts,
        isolation,
    };
    let said = probe.run(world.engine, claim, PATIENCE, world.cancel).await?;
    if said.code == 0 {
        Ok(())
    } else {
        Err(ProbeError::NotOwned { said: said.complaint() }.into())
    }
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
    let probe = ShortLived { name, image, user, script, mounts: vec![mount], isolation };
    let ran = probe.run(world.engine, spec.claim(), PATIENCE, world.cancel).await;
    let seen = std::fs::symlink_metadata(&outside);
    // Whatever was proved, the file is ours to remove.
    drop(std::fs::remove_file(&outside));
    let said = ran?;
    let path = path.to_owned();
    if said.code != 0 {
        return Err(ProbeError::NotWritable { path, owner, said: said.complaint() }.into());
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
