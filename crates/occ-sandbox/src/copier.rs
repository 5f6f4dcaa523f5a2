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

/// Waits to be told, for not much longer than an old sandbox may take to stop: whoever was to tell may have
/// been killed. Then it empties each `/to/N` and fills it from `/from/N` where there is one. GNU cp shares the blocks where
/// the file system can (`--reflink=auto` is its default since 9.0).
const SCRIPT: &str = r#"set -e
waited=0
until [ -e /go ]; do
	[ "$waited" -lt 5000 ]
	waited=$((waited + 1))
	sleep 0.02
done
for to in /to/*; do
	n=${to#/to/}
	rm -rf -- "$to"/* "$to"/.[!.]* "$to"/..?*
	[ ! -d "/from/$n" ] || cp -a "/from/$n/." "$to/"
done
echo copied"#;

/// The file that tells it to begin.
const GO: &str = "/go";

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
    Copier::ready(world, claim, image, fills).await?.copy(world).await
}

/// A container that runs and waits for the word to copy.
pub(crate) struct Copier {
    name: String,
}

impl Copier {
    /// Has everything at hand for [`fill`]; nothing is copied yet.
    pub(crate) async fn ready<E: Engine, S>(
        world: &World<'_, E, S>,
        claim: Claim<'_>,
        image: ImageId,
        fills: &[Fill<'_>],
    ) -> Result<Self, ApplyError> {
        let looking = || ApplyError::engine("look at the volumes");
        for from in fills.iter().filter_map(|fill| fill.from) {
            if world.engine.volume(from).await.map_err(looking())?.is_none() {
                return Err(ProbeError::NoSource { volume: from.to_owned() }.into());
            }
        }
        let copier = container(claim, image, fills);
        let name = copier.name.clone();
        copier.start(world.engine, claim).await?;
        Ok(Self { name })
    }

    /// Copies.
    pub(crate) async fn copy<E: Engine, S>(
        self,
        world: &World<'_, E, S>,
    ) -> Result<(), ApplyError> {
        let go = GuestFile { path: GO.to_owned(), bytes: Vec::new(), mode: 0o644, owner: (0, 0) };
        let told = world.engine.upload(&self.name, &[go]).await;
        told.map_err(ApplyError::engine("let the copying begin"))?;
        let said = run_until(world.engine, &self.name, DONE, PATIENCE, world.cancel).await?;
        if said.code == 0 {
            Ok(())
        } else {
            Err(ProbeError::NotCopied { said: said.complaint() }.into())
        }
    }
}

fn container(claim: Claim<'_>, image: ImageId, fills: &[Fill<'_>]) -> ShortLived {
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
        script: SCRIPT.to_owned(),
        mounts: mounts.collect(),
        isolation: Isolation::Capabilities(BTreeSet::from(kept)),
    }
}

/// Removes the copier, when there is one.
pub(crate) async fn clear<E: Engine>(engine: &E, claim: Claim<'_>) -> Result<(), ApplyError> {
    let removed = engine.remove_container(&claim.instance.copier()).await;
    removed.map_err(ApplyError::engine("remove the container that copied volumes"))
}
