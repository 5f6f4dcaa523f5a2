//! What a release needs from this machine: the workshop, an engine, a scanner, a signature.

use std::cell::RefCell;
use std::num::NonZeroUsize;

use occ_engine::{Docker, Engine as _};
use occ_image::{BuildError, BuildPlan, Compression, Image, Layer};
use occ_oci::Platform;
use occ_registry::{Cause, Registries};
use occ_release::{Judged, Ports, Scanned, Smoked, Staged};
use occ_sandbox::pull::{Intake, Wanted, Way, bring, find, local_name, verify};
use occ_smoke::{Outcome, Report, Verdict, Wish};
use occ_trust::{Builder, Bundle, Mode, ToSign, sign};
use tokio::sync::{Mutex, OnceCell};

use super::super::signing::{SigningArgs, Tools};
use super::super::smoke::examined;
use super::super::start::Permit;
use super::super::target::Target;
use super::{judge, scanner};
use crate::context::Context;
use crate::failure::Failure;
use crate::trust::notary;

/// Most images that are run at the same time, whatever the engine has.
const MOST_AT_ONCE: usize = 4;

/// What is left out, because somebody said so aloud.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skipped {
    pub(super) smoke: bool,
    pub(super) scan: bool,
}

/// Hands of this machine.
pub(super) struct Hands<'a> {
    pub(super) context: &'a Context,
    pub(super) way: &'a Registries,
    pub(super) signing: &'a SigningArgs,
    pub(super) skipped: Skipped,
    /// Who judges the images; nobody where that was left out aloud.
    permit: Option<Permit>,
    /// Names that images have in the engine only because they were run.
    brought: RefCell<Vec<String>>,
    /// Images share layers, and one that is being brought does not see those of the other.
    bringing: Mutex<()>,
    tools: OnceCell<Tools>,
}

impl<'a> Hands<'a> {
    pub(super) fn new(
        context: &'a Context,
        way: &'a Registries,
        signing: &'a SigningArgs,
        skipped: Skipped,
    ) -> Self {
        let (brought, bringing, tools) = Default::default();
        Self { context, way, signing, skipped, permit: None, brought, bringing, tools }
    }

    /// Returns how many images may run at the same time: a server keeps one processor busy.
    pub(super) async fn at_once(&self) -> NonZeroUsize {
        let facts = match self.context.engine() {
            // Where nothing is run the engine need not answer.
            Ok(engine) if !self.skipped.smoke => engine.facts().await.ok(),
            _ => None,
        };
        let processors = facts.and_then(|facts| usize::try_from(facts.cpus).ok());
        NonZeroUsize::new(processors.unwrap_or(1).min(MOST_AT_ONCE)).unwrap_or(NonZeroUsize::MIN)
    }

    /// Takes out of the engine what was brought into it: not after each image, because the next one shares layers.
    /// What stays, because it is in use or the engine is gone, `prune` finds.
    pub(super) async fn clear(&self) {
        let names = self.brought.take();
        if let Ok(engine) = self.context.engine() {
            for name in names {
                drop(engine.remove_image(&name).await);
            }
        }
    }

    /// Returns the same with somebody who judges the images.
    pub(super) fn judging(self, permit: Option<Permit>) -> Self {
        Self { permit, ..self }
    }

    async fn tools(&self) -> Result<&Tools, Failure> {
        self.tools.get_or_try_init(|| self.signing.tools(self.way, self.context)).await
    }

    /// Brings the staged image into the engine, and examines it there.
    async fn examine(&self, image: &Staged<'_>, engine: &Docker) -> Result<Report, Failure> {
        let target = self.bring(image, engine).await?;
        Ok(examined(&target, engine, Wish { model: true }, self.context).await?.report)
    }

    async fn bring(&self, image: &Staged<'_>, engine: &Docker) -> Result<Target, Failure> {
        let _alone = self.bringing.lock().await;
        let wanted = Wanted::parse(&[image.index.to_string()])
            .map_err(occ_sandbox::pull::PullError::from)?;
        let (env, way) = (self.context.env.clone(), self.way.clone());
        // It has no signature yet: that it is what was made here is known by its digest.
        let intake = Intake::new(self.context.env.cache_dir.join("pulls"), move || {
            Ok(Way { registries: way.clone(), notary: notary(&env, Mode::Off)? })
        });
        let tell = |_| ();
        let found = find(&wanted, image.platform, &intake, &tell).await?;
        let name = local_name(&found);
        if engine.image(&name).await?.is_none() {
            self.brought.borrow_mut().push(name);
        }
        let cleared = verify(found, &intake, crate::time::moment(), &tell).await?;
        let brought = bring(&cleared, engine, &intake, &tell).await?;
        Ok(Target::Image(brought.name, Box::new(brought.image)))
    }
}

impl Ports for Hands<'_> {
    async fn build(
        &self,
        plans: &[BuildPlan],
        given: Vec<Layer>,
        form: Compression,
    ) -> Result<Vec<Image>, BuildError> {
        let (plans, places) = (plans.to_vec(), self.context.places());
        self.context
            .building(move |observer, cancel| {
                occ_image::build_on(&plans, &given, Some(form), &places, observer, cancel)
            })
            .await
    }

    async fn smoke(&self, image: &Staged<'_>) -> Result<Smoked, Cause> {
        if self.skipped.smoke {
            return Ok(Smoked::NotHere { why: "it was not wished for (--no-smoke)".to_owned() });
        }
        let engine = self.context.engine().map_err(cause)?;
        let architecture = engine.facts().await?.architecture;
        if Platform::from_uname_machine(&architecture) != Some(image.platform) {
            let why = format!("the engine runs {architecture}");
            return Ok(Smoked::NotHere { why });
        }
        let report = self.examine(image, &engine).await.map_err(cause)?;
        Ok(smoked(&report))
    }

    async fn scan(&self, image: &Staged<'_>) -> Result<Scanned, Cause> {
        if self.skipped.scan {
            let by = "nobody: it was not wished for (--no-scan)".to_owned();
            return Ok(Scanned { by, weaknesses: Vec::new() });
        }
        let find = |name: &str| self.context.env.program(name);
        scanner::scan(image.built.sbom(), find, &self.context.env.temp_dir).await
    }

    async fn judge(&self, image: &Staged<'_>) -> Result<Judged, Cause> {
        match &self.permit {
            Some(permit) => judge::judge(image, permit, self.context).await,
            None => Ok(Judged::NotAsked { why: "it was not wished for (--no-policy)".to_owned() }),
        }
    }

    async fn sign(&self, statement: &ToSign) -> Result<Bundle, Cause> {
        let tools = self.tools().await.map_err(cause)?;
        Ok(sign(&tools.with(self.way), statement).await?)
    }

    async fn builder(&self) -> Result<Builder, Cause> {
        let tools = self.tools().await.map_err(cause)?;
        Ok(tools.token.as_ref().map_or_else(Builder::local, Builder::of))
    }

    fn now(&self) -> jiff::Timestamp {
        crate::time::moment()
    }
}

fn smoked(report: &Report) -> Smoked {
    let of = |is: fn(&Outcome) -> bool| report.outcomes.iter().filter(|(_, it)| is(it)).count();
    match report.verdict() {
        Verdict::Passed => Smoked::Passed {
            held: of(|outcome| matches!(outcome, Outcome::Passed { .. })),
            skipped: of(|outcome| matches!(outcome, Outcome::Skipped { .. })),
        },
        Verdict::Failed => {
            let failed = report.outcomes.iter().filter_map(|(check, outcome)| match outcome {
                Outcome::Failed { why, .. } => Some(format!("{}: {why}", check.name())),
                _ => None,
            });
            Smoked::Failed { findings: failed.collect() }
        }
    }
}

/// What went wrong, as the press passes it on.
pub(super) fn cause(failure: Failure) -> Cause {
    let mut text = failure.message;
    for cause in failure.causes {
        text = format!("{text}: {cause}");
    }
    text.into()
}
