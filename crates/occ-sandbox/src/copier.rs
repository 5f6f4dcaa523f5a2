//! Copies whole volumes, inside the engine: a short-lived container of the sandbox's image has both
//! sides mounted, so that it works the same on an engine far away.

use std::collections::BTreeSet;
use std::time::Duration;

use occ_engine::{Capability, Engine, ImageId, Isolation, Mount};

use crate::error::{ApplyError, ProbeError};
use crate::refusal::Claim;
use crate::short_lived::ShortLived;
use crate::world::World;

/// How long copying may take; it ends with Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// Empties each `/to/N` and fills it from `/from/N` where there is one. GNU cp shares the blocks where
/// the file system can (`--reflink=auto` is its default since 9.0).
const SCRIPT: &str = r#"set -e
for to in /to/*; do
	n=${to#/to/}
	rm -rf -- "$to"/* "$to"/.[!.]* "$to"/..?*
	[ ! -d "/from/$n" ] || cp -a "/from/$n/." "$to/"
done
echo copied"#;

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
    let looking = || ApplyError::engine("look at the volumes");
    for from in fills.iter().filter_map(|fill| fill.from) {
        if world.engine.volume(from).await.map_err(looking())?.is_none() {
            return Err(ProbeError::NoSource { volume: from.to_owned() }.into());
        }
    }
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
    let copier = ShortLived {
        name: claim.instance.copier(),
        image,
        user: "0:0".to_owned(),
        script: SCRIPT.to_owned(),
        mounts: mounts.collect(),
        isolation: Isolation::Capabilities(BTreeSet::from(kept)),
    };
    let said = copier.run_until(DONE, world.engine, claim, PATIENCE, world.cancel).await?;
    if said.code == 0 {
        Ok(())
    } else {
        Err(ProbeError::NotCopied { said: said.complaint() }.into())
    }
}

/// Removes the copier, when there is one.
pub(crate) async fn clear<E: Engine>(engine: &E, claim: Claim<'_>) -> Result<(), ApplyError> {
    let removed = engine.remove_container(&claim.instance.copier()).await;
    removed.map_err(ApplyError::engine("remove the container that copied volumes"))
}
