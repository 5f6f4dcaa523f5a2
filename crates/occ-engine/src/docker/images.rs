//! Images: looking, naming, the way in and the way out.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters::{ImportImageOptions, RemoveImageOptions, TagImageOptionsBuilder};
use bollard::{body_full, body_try_stream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use hyper::{Method, Request, StatusCode};
use tokio::sync::watch;

use super::archive::{body_of, encoded};
use super::failure::{broken, explain};
use super::pieces::pieces;
use super::podman::familiar;
use super::wire::refusal;
use super::{ACT, Docker, LOOK, absent, named, within};
use crate::engine::ArchiveStream;
use crate::error::Error;
use crate::facts::ImageFacts;
use crate::image::{Event, ImageId, Observer};

const LOADING: &str = "loading an image";
const SAVING: &str = "exporting an image";
/// Bytes in a second that the slowest disk takes which is worth waiting for.
const SLOWEST: u64 = 4 << 20;

impl Docker {
    pub(super) async fn observe_image(&self, name: &str) -> Result<Option<ImageFacts>, Error> {
        match self.inspected(name).await? {
            Some(found) => self.facts_of(found).await.map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn inspected(&self, name: &str) -> Result<Option<ImageInspect>, Error> {
        let asked = self.client.inspect_image(named(name)?);
        absent(within("looking at an image", LOOK, asked).await)
    }

    pub(super) async fn facts_of(&self, found: ImageInspect) -> Result<ImageFacts, Error> {
        let mut facts = image_facts(found)?;
        if self.wire.is_podman().await? {
            facts.tags = familiar(facts.tags);
            facts.digests = familiar(facts.digests);
        }
        Ok(facts)
    }

    pub(super) async fn load(
        &self,
        archive: Box<dyn Read + Send>,
        total: u64,
        observer: Observer<'_>,
    ) -> Result<(), Error> {
        let (taken, mut progress) = watch::channel(0);
        let count = move |piece| taken.send_modify(|bytes| *bytes += piece as u64);
        let (reading, body) = pieces(archive, count);
        let options = ImportImageOptions::default();
        let mut news = self.client.import_image(options, body_try_stream(body), None);
        let mut sending = true;
        let answer = loop {
            tokio::select! {
                changed = progress.changed(), if sending => {
                    sending = changed.is_ok();
                    let bytes = *progress.borrow_and_update();
                    observer(if sending { Event::Sent { bytes, total } } else { Event::Unpacking });
                }
                item = news.next() => match item {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Err(explain(LOADING, error)),
                    None => break Ok(()),
                },
            }
        };
        drop(news);
        reading.end(LOADING, "read the image archive").await.and(answer)
    }

    /// Not through the client library: it tells only with the first bytes that the image is missing.
    pub(super) async fn save(&self, name: &str) -> Result<Option<ArchiveStream>, Error> {
        // By its id: a name could move meanwhile, and with a digest it would not be found everywhere.
        let Some(image) = self.observe_image(name).await? else { return Ok(None) };
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("/images/{}/get", encoded(&image.id.0)))
            .body(body_full(Bytes::new()))
            .map_err(|error| broken(SAVING, error))?;
        // It is silent until it has written the layers to its own disk.
        let patience = ACT + Duration::from_secs(image.size / SLOWEST);
        let asked = tokio::time::timeout(patience, self.wire.request(request)).await;
        let response = asked.map_err(|elapsed| broken(SAVING, elapsed))??;
        match response.status() {
            status if status.is_success() => Ok(Some(body_of(response, SAVING))),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(response).await),
        }
    }

    pub(super) async fn tag(&self, id: &ImageId, name: &str) -> Result<(), Error> {
        let (repository, tag) = split_tag(named(name)?);
        let options = TagImageOptionsBuilder::new().repo(repository).tag(tag.unwrap_or("latest"));
        let asked = self.client.tag_image(named(&id.0)?, Some(options.build()));
        within("naming an image", ACT, asked).await
    }

    pub(super) async fn untag(&self, name: &str) -> Result<(), Error> {
        let asked = self.client.remove_image(named(name)?, None::<RemoveImageOptions>, None);
        absent(within("removing an image", ACT, asked).await).map(drop)
    }
}

/// Splits `repository:tag`; a colon before the last slash belongs to a port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

fn image_facts(found: ImageInspect) -> Result<ImageFacts, Error> {
    let id = found.id.ok_or_else(|| broken("looking at an image", "the answer has no id"))?;
    let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    Ok(ImageFacts {
        id: ImageId(id),
        tags: found.repo_tags.unwrap_or_default(),
        digests: found.repo_digests.unwrap_or_default(),
        labels: BTreeMap::from_iter(labels),
        architecture: found.architecture.unwrap_or_default(),
        size: found.size.unwrap_or_default().try_into().unwrap_or_default(),
        created: found.created.filter(|created| !created.is_empty()),
        layers: found.root_fs.and_then(|layers| layers.layers).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_taken_for_a_tag() {
        assert_eq!(split_tag("host:5000/a"), ("host:5000/a", None));
        assert_eq!(split_tag("host:5000/a:b"), ("host:5000/a", Some("b")));
        assert_eq!(split_tag("a"), ("a", None));
    }
}
