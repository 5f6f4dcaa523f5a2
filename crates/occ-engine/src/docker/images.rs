//! Images: looking, naming, and the two ways in.

use std::collections::BTreeMap;
use std::io::Read;

use bollard::body_try_stream;
use bollard::models::ImageInspect;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ImportImageOptions, RemoveImageOptions, TagImageOptionsBuilder,
};
use futures_util::StreamExt as _;
use tokio::sync::watch;

use super::failure::{broken, explain};
use super::pieces::pieces;
use super::podman::familiar;
use super::{ACT, Docker, LOOK, absent, named, within};
use crate::error::Error;
use crate::facts::ImageFacts;
use crate::image::{Event, ImageId, Observer};

const LOADING: &str = "loading an image";

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

    pub(super) async fn ask_registry(&self, name: &str) -> Result<Option<String>, Error> {
        if self.wire.is_podman().await? {
            let message = "Podman does not ask registries for others".to_owned();
            return Err(Error::Refused { status: 501, message });
        }
        let asked = self.client.inspect_registry_image(named(name)?, None);
        let found = absent(within("asking a registry", LOOK, asked).await)?;
        Ok(found.and_then(|found| found.descriptor.digest))
    }

    pub(super) async fn pull(
        &self,
        name: &str,
        observer: Observer<'_>,
    ) -> Result<ImageFacts, Error> {
        let (repository, tag) = split_tag(named(name)?);
        let options = CreateImageOptionsBuilder::new();
        let options = if name.contains('@') {
            options.from_image(name)
        } else {
            // Without a tag the engine would pull all of them.
            options.from_image(repository).tag(tag.unwrap_or("latest"))
        };
        let mut news = self.client.create_image(Some(options.build()), None, None);
        while let Some(item) = news.next().await {
            let item = item.map_err(|error| explain("pulling an image", error))?;
            let progress = item.progress_detail.unwrap_or_default();
            if let (Some(id), Some(status)) = (item.id, item.status) {
                let count = |n: Option<i64>| n.unwrap_or_default().try_into().unwrap_or_default();
                let (bytes, total) = (count(progress.current), count(progress.total));
                observer(Event::Layer { id, status, bytes, total });
            }
        }
        let arrived = self.observe_image(name).await?;
        arrived.ok_or_else(|| Error::NotFound { message: format!("{name} after it was pulled") })
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
