//! Whether a policy approves an image that is staged: by its configuration and by what registries have of it, so that
//! no engine has to run it.

use occ_engine::{ImageDetails, ImageFacts, ImageId, ImageStep};
use occ_oci::ImageConfig;
use occ_registry::Cause;
use occ_release::{Judged, Staged};

use super::super::gathered::gather_of_registry;
use super::super::start::Permit;
use super::hands::cause;
use crate::context::Context;

/// Judges an image.
pub(super) async fn judge(
    image: &Staged<'_>,
    permit: &Permit,
    context: &Context,
) -> Result<Judged, Cause> {
    let facts = gather_of_registry(details(image)?, image.image.clone(), context);
    let verdict = permit.judge(&facts.await.map_err(cause)?);
    let environment = permit.environment().to_owned();
    if verdict.is_approved() {
        return Ok(Judged::Approved { environment, notes: verdict.notes });
    }
    let reasons = verdict.reasons().map(|ruled| {
        let because: Vec<String> = ruled.because.iter().map(ToString::to_string).collect();
        format!("{} ({})", ruled.reason(), because.join("; "))
    });
    Ok(Judged::Prohibited { environment, reasons: reasons.collect() })
}

/// Returns the image as an engine would describe it.
fn details(image: &Staged<'_>) -> Result<ImageDetails, Cause> {
    let read: ImageConfig = serde_json::from_slice(image.built.config())?;
    let facts = ImageFacts {
        id: ImageId(image.built.config_digest().to_string()),
        tags: Vec::new(),
        digests: vec![image.image.to_string()],
        labels: read.config.labels,
        architecture: read.platform.architecture,
        size: image.built.layers.iter().map(|layer| layer.size).sum(),
        created: read.created,
        layers: read.rootfs.diff_ids.iter().map(ToString::to_string).collect(),
    };
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let step = |line: occ_oci::History| ImageStep {
        created: None,
        created_by: line.created_by,
        size: 0,
        comment: None,
    };
    Ok(ImageDetails {
        facts,
        os: read.platform.os,
        variant: read.platform.variant,
        author: None,
        entrypoint: read.config.entrypoint,
        command: read.config.cmd,
        env: read.config.env,
        user: given(read.config.user),
        working_dir: given(read.config.working_dir),
        ports: read.config.exposed_ports.into_iter().collect(),
        volumes: read.config.volumes.into_iter().collect(),
        stop_signal: given(read.config.stop_signal),
        health_check: Vec::new(),
        history: read.history.into_iter().map(step).collect(),
    })
}
