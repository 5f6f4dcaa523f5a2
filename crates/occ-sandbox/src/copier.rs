//! Copies whole volumes, inside the engine: a short-lived container of the sandbox's image has both
//! sides mounted, so that it works the same on an engine far away.

use std::collections::BTreeSet;
use std::time::Duration;

use occ_engine::{Capability, Engine, GuestFile, ImageId, Isolation, Mount};

use crate::error::{ApplyError, ProbeError};
use crate::refusal::Claim;
use crate::short_lived::{ShortLived, run_until};
use crate::world::World;

/// How long copying may take; it ends with Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// Empties each `/to/N` and fills it from `/from/N` where there is one, while others may still write there;
/// then waits to be told that nobody does any more, and makes up for what has changed.
///
/// Unchanged is what had the same inode, size and change time before it was first copied, and no change time
/// so recent that another change could have the same. A first copying that failed counts for nothing.
/// GNU cp shares the blocks where the file system can (`--reflink=auto` is its default since 9.0).
///
/// It does not wait for ever: whoever was to tell it may have been killed.
const SCRIPT: &str = include_str!("copier.sh");

/// The file that tells it to begin.
const GO: &str = "/go";

/// What it says when only what changes from then on is left to copy.
const READY: &str = "ready";
/// What it says when it is done.
const DONE: &str = "copied";

/// One volume to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fill<'a> {
    /// From this one; `None` empties.
    pub(crate) from: Option<&'a str>,
    /// Everything in it is replaced.
    pub(crate) to: &'a str,
}

/// Makes every volume hold what the other one holds. Doing it twice is as good as once.
///
/// The copier may still be there afterwards: [`clear`] it before volumes are removed.
///
/// A source must be there: an engine would make it, empty, and the copy would be emptied after it.
pub(crate) async fn fill<E: Engine, S>(
    world: &World<'_, E, S>,
    claim: Claim<'_>,
    image: ImageId,
    fills: &[Fill<'_>],
) -> Result<(), ApplyError> {
    if fills.is_empty() {
        return Ok(());
    }
    Copier::ready(world, claim, image, fills, Flush::No).await?.copy(world).await
}

/// Whether what is copied ahead has to be on the disk, or may still be on its way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// On the disk: whatever waits for the disk later waits for little.
    Yes,
    /// On its way.
    No,
}

/// A container that has copied what is there and waits for the word to copy what has changed.
pub(crate) struct Copier {
    name: String,
}

impl Copier {
    /// Copies what is there, while others may still write to it.
    pub(crate) async fn ready<E: Engine, S>(
        world: &World<'_, E, S>,
        claim: Claim<'_>,
        image: ImageId,
        fills: &[Fill<'_>],
        flush: Flush,
    ) -> Result<Self, ApplyError> {
        let looking = || ApplyError::engine("look at the volumes");
        for from in fills.iter().filter_map(|fill| fill.from) {
            if world.engine.volume(from).await.map_err(looking())?.is_none() {
                return Err(ProbeError::NoSource { volume: from.to_owned() }.into());
            }
        }
        let copier = container(claim, image, fills, flush);
        let ready = Self { name: copier.name.clone() };
        copier.start(world.engine, claim).await?;
        ready.says(READY, world).await?;
        Ok(ready)
    }

    /// Copies what has changed since; nobody may write to the sources any more.
    pub(crate) async fn copy<E: Engine, S>(
        self,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let go = GuestFile { path: GO.to_owned(), bytes: Vec::new(), mode: 0o644, owner: (0, 0) };
        let told = world.engine.upload(&self.name, &[go]).await;
        told.map_err(ApplyError::engine("let the copying begin"))?;
        self.says(DONE, world).await
    }

    async fn says<E: Engine, S>(
        &self,
        word: &str,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let said = run_until(world.engine, &self.name, word, PATIENCE, world.cancel).await?;
        if said.code == 0 {
            Ok(())
        } else {
            Err(ProbeError::NotCopied { said: said.complaint() }.into())
        }
    }
}

fn container(claim: Claim<'_>, image: ImageId, fills: &[Fill<'_>], flush: Flush) -> ShortLived {
    let flush = if flush == Flush::Yes { "FLUSH=yes\n" } else { "" };
    let mount = |name: &str, side: &str, index: usize| Mount::Volume {
        name: name.to_owned(),
        target: format!("/{side}/{index}"),
        read_only: side == "from",
    };
    let mounts = fills.iter().enumerate().flat_map(|(index, fill)| {
        let from = fill.from.map(|from| mount(from, "from", index));
        from.into_iter().chain([mount(fill.to, "to", index)])
    });
    let kept = [Capability::Chown, Capability::DacOverride, Capability::Fowner];
    ShortLived {
        name: claim.instance.copier(),
        image,
        user: "0:0".to_owned(),
        script: format!("{flush}{SCRIPT}"),
        mounts: mounts.collect(),
        isolation: Isolation::Capabilities(BTreeSet::from(kept)),
    }
}

/// Removes the copier, when there is one.
pub(crate) async fn clear<E: Engine>(engine: &E, claim: Claim<'_>) -> Result<(), ApplyError> {
    let removed = engine.remove_container(&claim.instance.copier()).await;
    removed.map_err(ApplyError::engine("remove the container that copied volumes"))
}
