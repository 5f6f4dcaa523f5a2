//! Writing something that refers to a manifest, so that everybody finds it.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use occ_oci::{Descriptor, ManifestDigest};
use serde_json::Value;
use tokio::task::JoinSet;

use super::tag::{self, Document, Found};
use crate::client::{AT_ONCE, Client};
use crate::error::{Error, Reason};
use crate::manifest::RawManifest;

/// Most rounds of reading and writing one list.
const ROUNDS: usize = 30;
/// How often a list must be found complete, a pause apart, before its writer goes away.
const CONFIRMATIONS: usize = 2;

/// Where something that refers to a manifest is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attached {
    /// The registry's API lists it.
    ByApi,
    /// The tag named after the manifest's digest lists it.
    ByTag,
}

/// A manifest that is there, about another one, and in no list yet.
pub(crate) struct Unlisted {
    subject: ManifestDigest,
    descriptor: Descriptor,
}

impl Client {
    /// Puts a manifest that is about another one, and sees to it that it is listed.
    ///
    /// A registry that says it has taken notice is believed when its API lists the manifest. Everywhere
    /// else the list is a tag, which has no lock. So it is read, added to, written, and read again some
    /// time later, until it is found complete twice; an entry that was seen once is put back when another
    /// writer has lost it.
    ///
    /// # Errors
    /// [`Error`]; [`Reason::Contended`] when other writers replaced the list again and again. The
    /// manifest itself is there by then, and a second call makes it listed.
    pub async fn attach(&self, manifest: &RawManifest) -> Result<Attached, Error> {
        let attached = self.attach_all(std::slice::from_ref(manifest)).await?;
        Ok(attached.first().copied().unwrap_or(Attached::ByApi))
    }

    /// Attaches several manifests, a few at a time. All lists are waited for at the same time.
    ///
    /// # Errors
    /// As [`Client::attach`].
    pub async fn attach_all(&self, manifests: &[RawManifest]) -> Result<Vec<Attached>, Error> {
        // Whoever sends this to another thread needs futures that are there already.
        let putting: Vec<_> = manifests.iter().map(|manifest| self.put_about(manifest)).collect();
        let put: Vec<_> = stream::iter(putting).buffered(AT_ONCE).try_collect().await?;
        let is_listed = |put: &Option<Unlisted>| match put {
            Some(_) => Attached::ByTag,
            None => Attached::ByApi,
        };
        let attached = put.iter().map(is_listed).collect();
        self.list(put.into_iter().flatten().collect()).await?;
        Ok(attached)
    }

    /// Puts a manifest that is about another one; returns it where the registry's API does not list it by
    /// itself.
    pub(crate) async fn put_about(
        &self,
        manifest: &RawManifest,
    ) -> Result<Option<Unlisted>, Error> {
        let name = manifest.digest().to_string();
        let Some(subject) = manifest.subject() else {
            let reason = Reason::Source("it is about no other manifest".into());
            return Err(self.error(&format!("manifest {name}"), reason));
        };
        let noticed = self.put(manifest, &name).await?;
        let subject_digest = ManifestDigest::new(subject.digest.clone());
        if noticed.as_ref() == Some(&subject.digest)
            && self.is_listed_by_api(&subject_digest, manifest).await?
        {
            return Ok(None);
        }
        Ok(Some(Unlisted { subject: subject_digest, descriptor: manifest.descriptor() }))
    }

    /// Lists manifests by the tags of what they are about. All lists are waited for at the same time.
    pub(crate) async fn list(&self, unlisted: Vec<Unlisted>) -> Result<(), Error> {
        let mut lists: BTreeMap<ManifestDigest, Vec<Descriptor>> = BTreeMap::new();
        for Unlisted { subject, descriptor } in unlisted {
            lists.entry(subject).or_default().push(descriptor);
        }
        let mut listing = JoinSet::new();
        for (subject, descriptors) in lists {
            let client = self.clone();
            listing.spawn(async move { client.list_by_tag(&subject, &descriptors).await });
        }
        while let Some(listed) = listing.join_next().await {
            listed.map_err(|error| self.error("referrers", Reason::Source(error.into())))??;
        }
        Ok(())
    }

    async fn is_listed_by_api(
        &self,
        subject: &ManifestDigest,
        manifest: &RawManifest,
    ) -> Result<bool, Error> {
        let digest = Value::from(manifest.digest().to_string());
        let listed = self.referrers_api(subject).await?.unwrap_or_default();
        Ok(listed.iter().any(|entry| entry["digest"] == digest))
    }

    async fn list_by_tag(
        &self,
        subject: &ManifestDigest,
        descriptors: &[Descriptor],
    ) -> Result<(), Error> {
        let what = format!("referrers of {subject}");
        let wrong = |reason: Reason| self.error(&what, reason);
        let name = tag::of(subject).map_err(|error| wrong(Reason::Source(error.into())))?;
        // Writers of this process need not find out about each other the long way.
        let _turn = self.turn(name.as_str()).await;
        let known = descriptors.iter().map(tag::entry).collect::<Result<Vec<_>, _>>();
        let mut known = known.map_err(wrong)?;
        let mut confirmed = 0;
        for round in 0..ROUNDS {
            let found = match self.referrers_tag(subject).await? {
                Found::Nothing => None,
                Found::List(document) => Some(document),
                Found::NotAList => {
                    return Err(wrong(Reason::Answer("the tag for referrers is no list")));
                }
            };
            let missing = merge(found.as_ref(), &mut known);
            if let Some(complete) = missing {
                let complete = complete.render().map_err(wrong)?;
                self.put(&complete, name.as_str()).await?;
                confirmed = 0;
            } else {
                confirmed += 1;
                // Nothing was written: somebody has listed it before.
                if round == 0 || confirmed == CONFIRMATIONS {
                    return Ok(());
                }
            }
            self.patience.wait(self.patience.settle).await;
        }
        Err(wrong(Reason::Contended))
    }
}

/// Puts together what is listed and what is known, and learns what is new; none when the list has it all.
fn merge(found: Option<&Document>, known: &mut Vec<Value>) -> Option<Document> {
    let mut document = found.cloned().unwrap_or_else(Document::empty);
    for entry in &*known {
        document.add(entry);
    }
    for entry in document.entries() {
        if !known.iter().any(|other| other["digest"] == entry["digest"]) {
            known.push(entry.clone());
        }
    }
    (found != Some(&document)).then_some(document)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attack_15_what_was_seen_once_is_put_back() {
        let (ours, theirs) = (json!({"digest": "a"}), json!({"digest": "b"}));
        let mut known = vec![ours.clone()];
        let mut list = Document::empty();
        list.add(&theirs);
        let written = merge(Some(&list), &mut known).expect("ours is missing");
        assert_eq!(written.entries(), [theirs.clone(), ours.clone()]);
        assert!(merge(Some(&written), &mut known).is_none());
        let mut lost = Document::empty();
        lost.add(&json!({"digest": "c"}));
        let again = merge(Some(&lost), &mut known).expect("two are missing");
        assert!([&ours, &theirs].iter().all(|entry| again.has(&entry["digest"])));
        assert_eq!(known.len(), 3);
    }
}
