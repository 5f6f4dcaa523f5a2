//! Everything that has a label.

use std::collections::{BTreeMap, HashMap};

use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListVolumesOptionsBuilder,
};
use futures_util::future::try_join_all;

use super::{Docker, LOOK, within};
use crate::container::ContainerState;
use crate::error::Error;
use crate::facts::{ImageFacts, VolumeFacts};

impl Docker {
    pub(super) async fn list_containers(&self, label: &str) -> Result<Vec<ContainerState>, Error> {
        let options =
            ListContainersOptionsBuilder::new().all(true).filters(&with_label(label)).build();
        let asked = self.client.list_containers(Some(options));
        let listed = within("listing containers", LOOK, asked).await?;
        let ids: Vec<String> = listed.into_iter().filter_map(|found| found.id).collect();
        let looked = try_join_all(ids.iter().map(|id| self.observe_container(id))).await?;
        let mut found: Vec<_> = looked.into_iter().flatten().collect();
        // The filter also understands `KEY=VALUE`; the port means the key and nothing else.
        found.retain(|state| state.labels.contains_key(label));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    pub(super) async fn list_images(&self, label: &str) -> Result<Vec<ImageFacts>, Error> {
        let options = ListImagesOptionsBuilder::new().filters(&with_label(label)).build();
        let asked = self.client.list_images(Some(options));
        let listed = within("listing images", LOOK, asked).await?;
        let looked = listed.iter().map(|image| self.observe_image(&image.id));
        let mut found: Vec<_> = try_join_all(looked).await?.into_iter().flatten().collect();
        found.retain(|image| image.labels.contains_key(label));
        found.sort_by(|one, other| (&one.tags, &one.id).cmp(&(&other.tags, &other.id)));
        Ok(found)
    }

    pub(super) async fn list_volumes(&self, label: &str) -> Result<Vec<VolumeFacts>, Error> {
        let options = ListVolumesOptionsBuilder::new().filters(&with_label(label)).build();
        let asked = self.client.list_volumes(Some(options));
        let listed = within("listing volumes", LOOK, asked).await?.volumes.unwrap_or_default();
        let facts = listed.into_iter().map(|volume| VolumeFacts {
            name: volume.name,
            labels: BTreeMap::from_iter(volume.labels),
        });
        let mut found: Vec<_> = facts.filter(|facts| facts.labels.contains_key(label)).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }
}

fn with_label(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}
