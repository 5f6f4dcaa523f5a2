//! Versions around a start: the image's beside this program's, and a newer image in the registry.
//!
//! Nothing here keeps a start from going on: whatever cannot be found out is left.

use std::future::Future;
use std::time::Duration;

use occ_oci::Tagged;
use occ_registry::Registries;
use occ_sandbox::{
    Checks, Home, ImageState, Lock, Mismatch, Source, UpdateCheck, UpdateRule, Warned,
};

use super::image::{ImageFlag, names};
use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;
use crate::time;

/// How long after a warning about versions the next one comes.
const HOUR: Duration = Duration::from_secs(3600);

/// How long the look for a newer image may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long it may hold up a start that is done.
const GRACE: Duration = Duration::from_millis(300);

/// Says that versions differ, once an hour; at a terminal a person may choose what to do about it.
pub(super) async fn differs(
    found: Mismatch,
    may_ask: bool,
    lock: &Lock,
    context: &Context,
) -> Result<Option<ImageFlag>, Failure> {
    let home = context.home();
    let checks = home.checks();
    let terminal = &context.terminal;
    // What is not heard was not said.
    if is_recent(&checks, &found) || terminal.quiet() {
        return Ok(None);
    }
    let Mismatch { image, cli } = &found;
    terminal.warn(&format!("the image is v{image}, and this occ is v{cli}"));
    if is_older(cli, image) {
        terminal.say("Both work together. To have both of one version: update occ");
        terminal.say("To say nothing about it: occ start --ignore-version");
    } else if may_ask {
        let options = ["Pull new image (recommended)", "Rebuild from source", "Continue anyway"];
        let question = "What should be done about it?";
        match terminal.choose(question, &options, 0, &context.cancel).await? {
            0 => return Ok(Some(ImageFlag::Pull)),
            1 => return Ok(Some(ImageFlag::CachedRebuild)),
            _ => {}
        }
    } else {
        terminal.say("To get the image of this version: occ start --pull-sandbox-image");
        terminal.say("To say nothing about it: occ start --ignore-version");
    }
    remember(found, checks, &home, lock)?;
    Ok(None)
}

/// Whether this program is the older one: then no other image is the answer.
fn is_older(cli: &str, image: &str) -> bool {
    let version = |text: &str| text.parse::<semver::Version>().ok();
    version(cli).zip(version(image)).is_some_and(|(cli, image)| cli < image)
}

fn is_recent(checks: &Checks, found: &Mismatch) -> bool {
    checks.warned.as_ref().is_some_and(|last| {
        last.mismatch == *found && time::since(&last.at).is_some_and(|age| age < HOUR)
    })
}

fn remember(found: Mismatch, checks: Checks, home: &Home, lock: &Lock) -> Result<(), Failure> {
    let warned = Some(Warned { mismatch: found, at: time::now() });
    Ok(home.save_checks(&Checks { warned, ..checks }, lock)?)
}

/// A look for a newer image.
pub(super) struct Look {
    /// The name asked for.
    name: String,
    /// The way to where it is.
    registries: Registries,
    /// Version that is installed.
    version: String,
}

impl Look {
    /// Returns the look that is due, if one is: only an image from a registry can be out of date there.
    pub(super) fn due(config: &Config, context: &Context) -> Option<Self> {
        if context.terminal.quiet() {
            return None;
        }
        let home = context.home();
        let state = home.image_state().0.filter(|state| state.source == Source::Prebuilt)?;
        let rule: UpdateRule = config.update_check;
        if !rule.is_due(&state.version, &home.checks()) {
            return None;
        }
        let registry = format!("{}/", state.registry.as_deref()?);
        let name = names(config).into_iter().find(|name| name.starts_with(&registry))?;
        let registries = context.registries_of(config).ok()?;
        Some(Self { name, registries, version: state.version })
    }

    /// Asks the registry beside some work, and hardly longer than that takes; returns the digest that the
    /// name has there.
    pub(super) async fn beside<T>(
        look: Option<&Self>,
        work: impl Future<Output = T>,
    ) -> (T, Option<String>) {
        let Some(look) = look else { return (work.await, None) };
        let asked = tokio::time::timeout(PATIENCE, look.ask());
        let (mut asked, mut work) = (std::pin::pin!(asked), std::pin::pin!(work));
        tokio::select! {
            done = &mut work => {
                let late = tokio::time::timeout(GRACE, asked).await;
                (done, late.ok().and_then(Result::ok).flatten())
            }
            answer = &mut asked => (work.await, answer.ok().flatten()),
        }
    }

    /// Asks the registry, once.
    async fn ask(&self) -> Option<String> {
        let name: Tagged = self.name.parse().ok()?;
        let place = self.registries.client(&name.repository).ok()?.once();
        let found = place.resolve(&name.tag).await.ok()?;
        Some(found.pinned.digest.to_string())
    }

    /// Says that a newer image is there, and keeps that it was looked for.
    pub(super) fn tell(&self, digest: &str, lock: &Lock, context: &Context) -> Result<(), Failure> {
        let home = context.home();
        let installed = home.image_state().0;
        if is_newer(installed.as_ref(), digest) {
            context.terminal.say(&format!("Info: A newer prebuilt image is there: {}", self.name));
            context.terminal.say("To take it: occ start --pull-sandbox-image");
            context.terminal.say("To look less often: occ config set update_check once");
        }
        let update = Some(UpdateCheck { version: self.version.clone(), at: time::now() });
        Ok(home.save_checks(&Checks { update, ..home.checks() }, lock)?)
    }
}

fn is_newer(installed: Option<&ImageState>, digest: &str) -> bool {
    installed.and_then(|state| state.digest.as_deref()).is_some_and(|known| known != digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lif_013_no_other_image_is_offered_where_the_program_is_the_older_one() {
        assert!(is_older("0.1.0", "0.1.1"));
        assert!(!is_older("0.1.1", "0.1.0"));
        assert!(!is_older("0.1.0", "dev"));
    }

    #[test]
    fn cfg_012_lif_014_a_warning_is_repeated_after_an_hour_or_for_other_versions_only() {
        let found = Mismatch { image: "1.0.11".into(), cli: "1.0.12".into() };
        let at = |at: String| Checks {
            warned: Some(Warned { mismatch: found.clone(), at }),
            ..Checks::default()
        };
        assert!(!is_recent(&Checks::default(), &found));
        assert!(is_recent(&at(time::now()), &found));
        assert!(!is_recent(&at("2026-01-24T10:30:00Z".into()), &found));
        let other = Mismatch { image: "1.0.10".into(), ..found.clone() };
        assert!(!is_recent(&at(time::now()), &other));
    }
}
