//! Named volumes.

use std::collections::BTreeMap;

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::RemoveVolumeOptions;

use super::{ACT, Docker, LOOK, absent, named, within};
use crate::error::Error;
use crate::facts::VolumeFacts;

impl Docker {
    pub(super) async fn observe_volume(&self, name: &str) -> Result<Option<VolumeFacts>, Error> {
        let asked = self.client.inspect_volume(named(name)?);
        let found = absent(within("looking at a volume", LOOK, asked).await)?;
        Ok(found.map(|volume| VolumeFacts {
            name: volume.name,
            labels: BTreeMap::from_iter(volume.labels),
        }))
    }

    /// The engine does not say whether a volume was new, so it is looked for first; two creators
    /// at the same moment may both be told so. The volume is one either way.
    pub(super) async fn make_volume(
        &self,
        name: &str,
        labels: &[(String, String)],
    ) -> Result<bool, Error> {
        if self.observe_volume(name).await?.is_some() {
            return Ok(false);
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.iter().cloned().collect()),
            ..Default::default()
        };
        within("creating a volume", ACT, self.client.create_volume(request)).await?;
        Ok(true)
    }

    pub(super) async fn destroy_volume(&self, name: &str) -> Result<(), Error> {
        let asked = self.client.remove_volume(named(name)?, None::<RemoveVolumeOptions>);
        absent(within("removing a volume", ACT, asked).await).map(drop)
    }
}
