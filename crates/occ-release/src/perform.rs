//! The steps themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_image::BuildPlan;
use occ_oci::{Descriptor, Digest, ManifestDigest, Pinned, Platform};
use occ_registry::{AT_ONCE, Cause, Client, Event as SendEvent, Pushed, RawManifest, copy, send};
use occ_trust::{Bundle, Label, Release, Title, ToSign, attach, attach_all};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::base::BaseDecision;
use crate::error::StepError;
use crate::event::Event;
use crate::look::base_layers;
use crate::made::{Made, Stock};
use crate::ports::{Judged, Ports, Scanned, Smoked, Staged};
use crate::read_back::{compare, read_back};
use crate::receipt::{Findings, ProofOf, Receipt, Tried, envelope};
use crate::run::Work;
use crate::statements::statements;
use crate::step::Step;

const RECEIPT: &str = "receipt.json";
const RECEIPT_SIGNATURE: &str = "bundles/receipt.signature.json";

/// What came to a registry.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sent {
    /// Bytes that travelled.
    bytes: u64,
    /// Blobs that were sent.
    uploaded: BTreeSet<Digest>,
    /// Blobs that were there.
    there: usize,
}

impl<P: Ports> Work<'_, P> {
    /// Makes everything, or takes it from what is kept.
    pub(crate) async fn made(&self) -> Result<&Made, StepError> {
        self.made.get_or_try_init(|| self.make()).await
    }

    async fn make(&self) -> Result<Made, StepError> {
        let builds = self.press.builds;
        let given = match &self.plan.base.decision {
            BaseDecision::Reuse { at, digest } => {
                let bases: Vec<BuildPlan> =
                    builds.iter().filter(|plan| plan.is_base()).cloned().collect();
                base_layers(self.place(at), digest, &bases).await?
            }
            BaseDecision::Build { .. } => Vec::new(),
        };
        let images = self.press.ports.build(builds, given, self.plan.compression).await?;
        let made = Made::of(images)?;
        if let BaseDecision::Reuse { digest, .. } = &self.plan.base.decision
            && made.subject(&self.plan.base.name).map(|base| base.index.digest()) != Some(digest)
        {
            return Err(StepError::Changed(self.plan.base.name.clone()));
        }
        if let Some(before) = self.done(&Step::Assemble) {
            let before: BTreeMap<String, ManifestDigest> = parse(&before["digests"])?;
            if let Some((name, _)) =
                made.digests().into_iter().find(|(name, digest)| before.get(name) != Some(digest))
            {
                return Err(StepError::Changed(name));
            }
        }
        Ok(made)
    }

    pub(crate) async fn assemble(&self) -> Result<Value, StepError> {
        let made = self.made().await?;
        Ok(json!({ "digests": made.digests() }))
    }

    pub(crate) async fn stage(&self, place: &Client) -> Result<Value, StepError> {
        let made = self.made().await?;
        let mut base = None;
        if let BaseDecision::Reuse { at, .. } = &self.plan.base.decision {
            base = Some(self.place(at));
        }
        let whole = made.whole(base.map(|_| self.plan.base.name.as_str()));
        let total = whole.bytes();
        let all = Mutex::new((Sent::default(), 0));
        let note = |event| {
            if let SendEvent::Blob { digest, size, how } = event {
                let mut both = all.lock().unwrap_or_else(PoisonError::into_inner);
                let (sent, done) = &mut *both;
                match how {
                    Pushed::Uploaded => {
                        sent.bytes += size;
                        sent.uploaded.insert(digest);
                    }
                    Pushed::AlreadyThere | Pushed::Mounted => sent.there += 1,
                }
                *done += size;
                let (place, done) = (place.repository().clone(), *done);
                drop(both);
                (self.press.observer)(Event::Sending { place, done, total: total.max(done) });
            }
        };
        if let (Some(at), BaseDecision::Reuse { digest, .. }) = (base, &self.plan.base.decision)
            && at.repository() != place.repository()
        {
            copy(at, place, digest, &[], &note).await?;
        }
        send(&whole, &Stock::of(made, base), place, None, &note).await?;
        let (sent, _) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(json!(sent))
    }

    pub(crate) async fn compare(&self, place: &Client) -> Result<Value, StepError> {
        let made = self.made().await?;
        let step = Step::Stage { place: place.repository().clone() };
        let sent: Sent = parse(&self.done(&step).unwrap_or_default())?;
        let whole = made.whole(None);
        let of_parts = whole.parts.iter().flat_map(|part| part.manifest.parts().1);
        let blobs: BTreeMap<&Digest, &Descriptor> =
            of_parts.map(|blob| (&blob.digest, blob)).collect();
        let fresh: Vec<Descriptor> =
            sent.uploaded.iter().filter_map(|digest| blobs.get(digest).copied().cloned()).collect();
        Ok(json!(compare(place, fresh).await?))
    }

    pub(crate) async fn smoke(
        &self,
        variant: &str,
        platform: Platform,
    ) -> Result<Value, StepError> {
        let made = self.made().await?;
        let staged = self.staged(made, variant, platform);
        let smoked = self.press.ports.smoke(&staged).await;
        let smoked = smoked.map_err(port(format!("running {variant} for {platform}")))?;
        if let Smoked::Failed { findings } = smoked {
            return Err(StepError::Smoke { variant: variant.to_owned(), platform, findings });
        }
        Ok(json!(smoked))
    }

    pub(crate) async fn scan(&self, variant: &str, platform: Platform) -> Result<Value, StepError> {
        let made = self.made().await?;
        let staged = self.staged(made, variant, platform);
        let scanned = self.press.ports.scan(&staged).await;
        let what = format!("looking for weaknesses of {variant} for {platform}");
        let scanned = scanned.map_err(port(what))?;
        let critical = scanned.weaknesses.iter().filter(|weakness| weakness.critical);
        let names: Vec<String> =
            critical.map(|it| format!("{} in {}", it.name, it.package)).collect();
        if !names.is_empty() {
            return Err(StepError::Weak { variant: variant.to_owned(), platform, names });
        }
        Ok(json!(scanned))
    }

    pub(crate) async fn judge(
        &self,
        variant: &str,
        platform: Platform,
    ) -> Result<Value, StepError> {
        let made = self.made().await?;
        let staged = self.staged(made, variant, platform);
        let judged = self.press.ports.judge(&staged).await;
        let judged = judged.map_err(port(format!("judging {variant} for {platform}")))?;
        if let Judged::Prohibited { environment, reasons } = judged {
            let variant = variant.to_owned();
            return Err(StepError::Prohibited { variant, platform, environment, reasons });
        }
        Ok(json!(judged))
    }

    fn staged<'a>(&self, made: &'a Made, variant: &'a str, platform: Platform) -> Staged<'a> {
        let subject = made.subject(variant).expect("steps name what is made");
        let image = made.image(variant, platform).expect("steps name what is made");
        let pinned = |manifest: &RawManifest| Pinned {
            repository: self.plan.name().clone(),
            digest: manifest.digest().clone(),
        };
        Staged {
            index: pinned(&subject.index),
            image: pinned(&image.manifest),
            variant,
            platform,
            built: &image.image,
        }
    }

    pub(crate) async fn sign(&self) -> Result<Value, StepError> {
        let made = self.made().await?;
        let builder = self.press.ports.builder().await.map_err(port("naming who builds"))?;
        let said = statements(&self.plan, made, self.press.source.lock, &builder)?;
        let mut signed = 0;
        for said in &said {
            self.sign_one(&said.name, &said.statement).await?;
            signed += 1;
        }
        Ok(json!({ "statements": signed, "builder": builder.id() }))
    }

    /// Signs a statement and keeps the result; one that is kept is not signed again.
    async fn sign_one(&self, name: &str, statement: &ToSign) -> Result<Bundle, StepError> {
        if let Some(bundle) = self.bundle(name)? {
            return Ok(bundle);
        }
        let signed = self.press.ports.sign(statement).await;
        let bundle = signed.map_err(port(format!("signing {name}")))?;
        self.journal.borrow().keep(name, bundle.bytes())?;
        Ok(bundle)
    }

    fn bundle(&self, name: &str) -> Result<Option<Bundle>, StepError> {
        let kept = self.journal.borrow().kept(name)?;
        Ok(kept.and_then(|bytes| Bundle::read(bytes.into())))
    }

    pub(crate) async fn attach(&self, place: &Client) -> Result<Value, StepError> {
        let made = self.made().await?;
        let builder = self.press.ports.builder().await.map_err(port("naming who builds"))?;
        let mut bundles = Vec::new();
        for said in statements(&self.plan, made, self.press.source.lock, &builder)? {
            let bundle = self.sign_one(&said.name, &said.statement).await?;
            let subject = made.subject(&said.of).expect("what is said is said of what was made");
            let manifests = subject.manifests();
            let about = said.about.iter().map(|number| manifests[*number]).collect::<Vec<_>>();
            bundles.push((bundle, about));
        }
        let borrowed: Vec<_> =
            bundles.iter().map(|(bundle, about)| (bundle, about.clone())).collect();
        let attached = attach_all(place, &borrowed, self.plan.created).await?;
        let kinds = bundles
            .iter()
            .flat_map(|(bundle, about)| about.iter().map(|_| bundle.predicate_type().to_owned()));
        let proofs: Vec<ProofOf> = kinds
            .zip(attached)
            .map(|(predicate_type, attachment)| ProofOf {
                predicate_type,
                subject: attachment.subject,
                referrer: attachment.referrer,
            })
            .collect();
        Ok(json!({ "proofs": proofs }))
    }

    pub(crate) async fn read_back(&self, place: &Client) -> Result<Value, StepError> {
        let made = self.made().await?;
        let indexes: Vec<RawManifest> =
            made.subjects.iter().map(|subject| subject.index.clone()).collect();
        Ok(json!(read_back(self.plan.name(), place, &indexes, false, self.trust()).await?))
    }

    pub(crate) async fn receipt(&self) -> Result<Value, StepError> {
        let kept = self.journal.borrow().kept(RECEIPT)?;
        let bytes = match kept {
            Some(kept) => kept,
            None => self.write_receipt().await?,
        };
        let envelope = envelope(&bytes)?;
        let label = Label { seq: Some(self.plan.seq), ..Label::of(self.plan.name().clone()) };
        let statement = ToSign::signature(&label, &[&envelope]);
        self.sign_one(RECEIPT_SIGNATURE, &statement).await?;
        Ok(json!({ "digest": envelope.digest() }))
    }

    async fn write_receipt(&self) -> Result<Vec<u8>, StepError> {
        let made = self.made().await?;
        let attach = Step::Attach { place: self.plan.name().clone() };
        let proofs = parse(&self.done(&attach).unwrap_or_default()["proofs"])?;
        let receipt = Receipt::new(
            &self.plan,
            Findings {
                made,
                builds: self.press.builds,
                lock: self.press.source.lock,
                proofs,
                smoke: self.tried(|variant, platform| Step::Smoke { variant, platform })?,
                scans: self
                    .tried::<Scanned>(|variant, platform| Step::Scan { variant, platform })?,
                judged: self.tried(|variant, platform| Step::Judge { variant, platform })?,
            },
        );
        let bytes = receipt.to_json();
        self.journal.borrow().keep(RECEIPT, &bytes)?;
        Ok(bytes)
    }

    fn tried<T: for<'de> Deserialize<'de>>(
        &self,
        step: fn(String, Platform) -> Step,
    ) -> Result<Vec<Tried<T>>, StepError> {
        let images = self.plan.images.iter();
        images
            .filter_map(|image| {
                let facts = self.done(&step(image.variant.clone(), image.platform))?;
                let (variant, platform) = (image.variant.clone(), image.platform);
                Some(parse(&facts).map(|result| Tried { variant, platform, result }))
            })
            .collect()
    }

    pub(crate) async fn fix(&self) -> Result<Value, StepError> {
        let made = self.made().await?;
        let receipt = self.receipt_everywhere().await?;
        let tag = self.plan.receipt_tag();
        let mut titles = self.titles(made, false);
        let moves = self.plan.channel.version().is_none();
        titles.push(Title { tag: &tag, image: &receipt, moves });
        let release = self.release(&titles);
        release.fix(self.press.places).await?;
        release.advance(self.press.places).await?;
        let tags: Vec<_> = titles.iter().map(|title| title.tag).collect();
        Ok(json!({ "tags": tags, "receipt": receipt.digest() }))
    }

    /// Brings the receipt to every place, with its signature, and reads it there.
    async fn receipt_everywhere(&self) -> Result<RawManifest, StepError> {
        let bytes = self.journal.borrow().kept(RECEIPT)?;
        let bytes = Bytes::from(bytes.ok_or_else(|| StepError::Changed(RECEIPT.to_owned()))?);
        let manifest = envelope(&bytes)?;
        let bundle = self.bundle(RECEIPT_SIGNATURE)?;
        let bundle = bundle.ok_or_else(|| StepError::Changed(RECEIPT_SIGNATURE.to_owned()))?;
        let bring = async |place: &Client| {
            for blob in manifest.parts().1 {
                let mut source = if blob.size == bytes.len() as u64 {
                    bytes.clone()
                } else {
                    Bytes::from_static(occ_oci::Manifest::EMPTY)
                };
                place.push_blob(&Descriptor::clone(blob), &mut source, None).await?;
            }
            place.push_manifest(&manifest).await?;
            attach(place, &bundle, &[&manifest], self.plan.created).await?;
            self.release(&[]).verify(place, &manifest).await.map_err(StepError::from)
        };
        try_join_all(self.press.places.iter().map(bring)).await?;
        Ok(manifest)
    }

    /// Moves what moves, everywhere; when that cannot be, moves back what had moved.
    pub(crate) async fn advance(&self) -> Result<Value, StepError> {
        let made = self.made().await?;
        let titles = self.titles(made, true);
        self.nobody_else_moved(&titles).await?;
        let release = self.release(&titles);
        if let Err(error) = release.advance(self.press.places).await {
            let back = self.move_back(&titles).await;
            return Err(StepError::Promotion { back, source: Box::new(error.into()) });
        }
        let tags: Vec<_> = titles.iter().map(|title| title.tag).collect();
        Ok(json!({ "tags": tags }))
    }

    async fn nobody_else_moved(&self, titles: &[Title<'_>]) -> Result<(), StepError> {
        let is_as_before = async |(place, title): (&Client, &Title<'_>)| {
            let is = occ_trust::stands_for(place, title.tag).await?;
            let before = self.before(place, title);
            if is.is_some() && is.as_ref() != Some(title.image.digest()) && is != before {
                let (tag, place) = (title.tag.to_string(), place.repository().to_string());
                return Err(StepError::MovedMeanwhile { tag, place });
            }
            Ok(())
        };
        let everywhere = self
            .press
            .places
            .iter()
            .flat_map(|place| titles.iter().map(move |title| (place, title)));
        let looking = everywhere.map(is_as_before);
        stream::iter(looking).buffer_unordered(AT_ONCE).try_collect().await
    }

    fn before(&self, place: &Client, title: &Title<'_>) -> Option<ManifestDigest> {
        let is_it =
            |it: &&crate::plan::Before| it.place == *place.repository() && it.tag == *title.tag;
        self.plan.before.iter().find(is_it).map(|before| before.is.clone())
    }

    /// Returns the tags that could not be moved back.
    async fn move_back(&self, titles: &[Title<'_>]) -> Vec<String> {
        let mut stuck = Vec::new();
        for place in self.press.places {
            for title in titles {
                let name = || format!("{}:{}", place.repository(), title.tag);
                match (occ_trust::stands_for(place, title.tag).await, self.before(place, title)) {
                    (Ok(is), before) if is == before => {}
                    (Ok(_), Some(before)) if place.retag(&before, title.tag).await.is_ok() => {}
                    _ => stuck.push(name()),
                }
            }
        }
        stuck
    }

    fn titles<'a>(&'a self, made: &'a Made, moves: bool) -> Vec<Title<'a>> {
        let planned = self.plan.tags.iter().filter(|planned| planned.moves == moves);
        planned
            .map(|planned| {
                let subject = made.subject(&planned.of).expect("a lint looked that it is made");
                Title { tag: &planned.tag, image: &subject.index, moves }
            })
            .collect()
    }

    fn release<'a>(&'a self, titles: &'a [Title<'a>]) -> Release<'a> {
        let trust = self.trust();
        Release {
            name: self.plan.name(),
            titles,
            policy: self.press.policy,
            root: self.press.root,
            now: trust.now,
        }
    }
}

/// Returns what it means that something from outside fails.
fn port(what: impl Into<String>) -> impl FnOnce(Cause) -> StepError {
    let what = what.into();
    move |source| StepError::Port { what, source }
}

fn parse<T: for<'de> Deserialize<'de>>(facts: &Value) -> Result<T, StepError> {
    serde_json::from_value(facts.clone()).map_err(|_| StepError::Changed("the journal".to_owned()))
}
