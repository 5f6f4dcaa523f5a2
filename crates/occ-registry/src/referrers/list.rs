//! Reading what refers to a manifest.

use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::{ACCEPT, HeaderValue, LINK};
use occ_oci::{Descriptor, ManifestDigest, MediaType};
use serde::Deserialize;
use serde_json::Value;

use super::tag;
use crate::client::{Call, Client, Reply};
use crate::error::{Error, Reason};
use crate::manifest::{ManifestError, RawManifest};
use crate::pull::media_type;

/// Largest list that is read, in bytes.
pub(super) const LIST_LIMIT: usize = 4 * 1024 * 1024;
/// Most pages of one list.
const PAGES: usize = 50;
const INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");

/// What the API said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiList {
    /// The registry has no such API, or knows nothing of the manifest.
    Absent,
    /// It listed so many.
    Listed(usize),
}

/// What the tag said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagList {
    /// There is no such tag.
    Absent,
    /// It lists so many.
    Listed(usize),
    /// The tag stands for something that is no list.
    NotAList,
}

/// What refers to a manifest: the union of both lists.
///
/// Every channel has answered for itself; where one could not, there is an [`Error`] in place of this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// What is listed, each once, in the order of the lists. It is what somebody has written there: the
    /// manifests are to be read with [`Client::referrer`].
    pub listed: Vec<Descriptor>,
    /// Entries that are no descriptors.
    pub unreadable: usize,
    /// What the API said.
    pub api: ApiList,
    /// What the tag said.
    pub tag: TagList,
}

/// A list as it comes, its entries not read yet: one that is wrong must not hide the others.
#[derive(Deserialize)]
struct List {
    manifests: Vec<Value>,
}

impl Referrers {
    /// Puts both lists together.
    fn gather(api: Option<Vec<Value>>, tag: tag::Found) -> Self {
        let mut found = Self {
            listed: Vec::new(),
            unreadable: 0,
            api: api.as_ref().map_or(ApiList::Absent, |list| ApiList::Listed(list.len())),
            tag: match &tag {
                tag::Found::Nothing => TagList::Absent,
                tag::Found::NotAList => TagList::NotAList,
                tag::Found::List(document) => TagList::Listed(document.entries().len()),
            },
        };
        let entries = match tag {
            tag::Found::List(document) => document.entries().to_vec(),
            tag::Found::Nothing | tag::Found::NotAList => Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for entry in api.into_iter().flatten().chain(entries) {
            match serde_json::from_value::<Descriptor>(entry) {
                Ok(listed) if seen.insert(listed.digest.clone()) => found.listed.push(listed),
                Ok(_) => {}
                Err(_) => found.unreadable += 1,
            }
        }
        found
    }
}

impl Client {
    /// Returns what refers to a manifest, unfiltered, from the API and from the tag.
    ///
    /// # Errors
    /// [`Error`] when one of the two could not be asked. That is not the same as nothing being there.
    pub async fn referrers(&self, digest: &ManifestDigest) -> Result<Referrers, Error> {
        let api = self.referrers_api(digest).await?;
        Ok(Referrers::gather(api, self.referrers_tag(digest).await?))
    }

    /// Returns what the API alone lists.
    ///
    /// # Errors
    /// [`Error`] when it could not be asked.
    pub async fn referrers_by_api(&self, digest: &ManifestDigest) -> Result<Referrers, Error> {
        Ok(Referrers::gather(self.referrers_api(digest).await?, tag::Found::Nothing))
    }

    /// Returns what the tag alone lists.
    ///
    /// # Errors
    /// [`Error`] when it could not be asked.
    pub async fn referrers_by_tag(&self, digest: &ManifestDigest) -> Result<Referrers, Error> {
        Ok(Referrers::gather(None, self.referrers_tag(digest).await?))
    }

    /// Returns the manifest behind a listed entry, if it is really about `subject`.
    ///
    /// # Errors
    /// [`Error`], [`Reason::NotAbout`] when it is about something else.
    pub async fn referrer(
        &self,
        subject: &ManifestDigest,
        listed: &Descriptor,
    ) -> Result<RawManifest, Error> {
        let manifest = self.described(listed).await?;
        let about = manifest.subject().map(|about| &about.digest);
        if about == Some(subject.digest()) {
            return Ok(manifest);
        }
        let reason = Reason::NotAbout { subject: subject.to_string() };
        Err(self.error(&format!("manifest {}", listed.digest), reason))
    }

    /// Asks the API; none when there is no such API.
    pub(super) async fn referrers_api(
        &self,
        digest: &ManifestDigest,
    ) -> Result<Option<Vec<Value>>, Error> {
        let mut call = list_call(self, &format!("referrers/{digest}"), digest);
        let mut listed = Vec::new();
        for _ in 0..PAGES {
            let reply = match self.fetch(&call, LIST_LIMIT).await {
                Ok(reply) => reply,
                Err(error) if error.reason.is_not_found() && listed.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            };
            let wrong = |reason| self.error(&call.what, reason);
            listed.extend(entries(&reply).map_err(wrong)?);
            let Some(next) = next_page(self, &reply).map_err(wrong)? else {
                return Ok(Some(listed));
            };
            call.to = next;
        }
        let reason = Reason::TooMany { limit: PAGES, of: "pages of referrers" };
        Err(self.error(&call.what, reason))
    }
}

/// Describes a request for a list.
pub(super) fn list_call(client: &Client, place: &str, digest: &ManifestDigest) -> Call {
    let mut call = client.call(Method::GET, place, format!("referrers of {digest}"));
    call.headers.insert(ACCEPT, INDEX);
    call
}

fn entries(reply: &Reply) -> Result<Vec<Value>, Reason> {
    let sent = media_type(reply)?;
    if sent != MediaType::ImageIndex {
        return Err(ManifestError::MediaType(sent).into());
    }
    let list: List = serde_json::from_slice(&reply.body).map_err(ManifestError::Shape)?;
    Ok(list.manifests)
}

/// Reads where the list goes on (RFC 8288), which must be on the same registry.
pub(crate) fn next_page(
    client: &Client,
    reply: &Reply,
) -> Result<Option<crate::address::Address>, Reason> {
    let Some(link) = reply.answer.header(&LINK) else { return Ok(None) };
    let malformed = Reason::Answer("its Link is none");
    let (target, parameters) =
        link.strip_prefix('<').and_then(|link| link.split_once('>')).ok_or(malformed)?;
    if !parameters.replace('"', "").contains("rel=next") {
        return Ok(None);
    }
    let next = reply.answer.from.join(target)?;
    if client.is_own(&next) {
        return Ok(Some(next));
    }
    Err(Reason::Answer("its list goes on at another place"))
}
