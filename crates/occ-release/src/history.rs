//! How large images were, release after release, and which grew more than they should.

use std::collections::BTreeMap;

use occ_oci::Platform;
use serde::Serialize;

use crate::channel::Channel;
use crate::receipt::Receipt;

/// By how much an image may grow before somebody is told: a tenth.
pub const GROWTH_THRESHOLD: f64 = 0.1;

/// The sizes of one image, release after release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Growth {
    /// Variant.
    pub variant: String,
    /// Platform.
    pub platform: Platform,
    /// Its sizes, oldest first; only of releases that have it.
    pub points: Vec<GrowthPoint>,
}

/// The size of an image in one release.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrowthPoint {
    /// The release.
    pub channel: Channel,
    /// Bytes that are fetched for it.
    pub size: u64,
    /// By which part it grew since the release before (0.1 is a tenth); none for the first that is known.
    pub growth: Option<f64>,
    /// Whether that is more than it should be.
    pub alert: bool,
}

impl Growth {
    /// Returns whether the newest size is one that somebody should look at.
    pub fn alerts(&self) -> bool {
        self.points.last().is_some_and(|point| point.alert)
    }
}

/// Returns the sizes of every image, by variant and platform. Receipts may come in any order: a release comes after
/// those whose number is smaller. An image that grows by more than `threshold` is an alert.
pub fn growth(receipts: &[Receipt], threshold: f64) -> Vec<Growth> {
    let mut ordered: Vec<&Receipt> = receipts.iter().collect();
    ordered.sort_by_key(|receipt| receipt.seq);
    let mut images: BTreeMap<(String, Platform), Vec<GrowthPoint>> = BTreeMap::new();
    for receipt in ordered {
        for variant in &receipt.variants {
            for image in &variant.images {
                let points = images.entry((variant.name.clone(), image.platform)).or_default();
                let growth = points.last().and_then(|before| ratio(before.size, image.size));
                points.push(GrowthPoint {
                    channel: receipt.channel,
                    size: image.size,
                    growth,
                    alert: growth.is_some_and(|growth| growth > threshold),
                });
            }
        }
    }
    let of = |((variant, platform), points)| Growth { variant, platform, points };
    images.into_iter().map(of).collect()
}

#[allow(clippy::cast_precision_loss, reason = "sizes of images are far below 2^52")]
fn ratio(before: u64, after: u64) -> Option<f64> {
    (before > 0).then(|| (after as f64 - before as f64) / before as f64)
}
