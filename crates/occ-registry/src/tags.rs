//! The names that a repository has (distribution spec, "Listing Tags").

use std::collections::BTreeSet;

use hyper::Method;
use occ_oci::Tag;
use serde::Deserialize;

use crate::client::Client;
use crate::error::{Error, Reason};
use crate::referrers::next_page;

/// Largest page that is read, in bytes.
const PAGE_LIMIT: usize = 4 * 1024 * 1024;
/// Most pages of one list.
const PAGES: usize = 100;
/// Most tags of one repository.
const TAGS: usize = 100_000;

#[derive(Deserialize)]
struct Page {
    /// Registries write `null` where there is none.
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// Returns the tags of the repository, sorted. What cannot be a tag is left out.
    ///
    /// # Errors
    /// [`Error`], [`Reason::NotFound`] when there is no such repository, [`Reason::TooMany`] when the list does
    /// not end.
    pub async fn tags(&self) -> Result<Vec<Tag>, Error> {
        let mut call = self.call(Method::GET, "tags/list?n=1000", "the list of tags");
        let mut found = BTreeSet::new();
        for _ in 0..PAGES {
            let reply = self.fetch(&call, PAGE_LIMIT).await?;
            let wrong = |reason| self.error(&call.what, reason);
            let page: Page = serde_json::from_slice(&reply.body)
                .map_err(|_| wrong(Reason::Answer("its list of tags is none")))?;
            found.extend(page.tags.into_iter().flatten().filter_map(|tag| tag.parse().ok()));
            if found.len() > TAGS {
                return Err(wrong(Reason::TooMany { limit: TAGS, of: "tags" }));
            }
            let Some(next) = next_page(self, &reply).map_err(wrong)? else {
                return Ok(found.into_iter().collect());
            };
            call.to = next;
        }
        Err(self.error(&call.what, Reason::TooMany { limit: PAGES, of: "pages of tags" }))
    }
}
