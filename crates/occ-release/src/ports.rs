//! What a release needs from outside: somebody who runs an image, somebody who knows weaknesses, a signature.

use jiff::Timestamp;
use occ_image::{BuildError, BuildPlan, Compression, Image, Layer};
use occ_oci::{Pinned, Platform};
use occ_registry::Cause;
use occ_trust::{Builder, Bundle, ToSign};
use serde::{Deserialize, Serialize};

/// An image that is staged: in every registry, and without a name.
#[derive(Debug, Clone)]
pub struct Staged<'a> {
    /// The list that it is in, where it can be pulled from.
    pub index: Pinned,
    /// The image itself.
    pub image: Pinned,
    /// Its variant.
    pub variant: &'a str,
    /// Its platform.
    pub platform: Platform,
    /// What was built, with its configuration and its bill of materials.
    pub built: &'a Image,
}

/// What came of running an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "smoke")]
pub enum Smoked {
    /// It does what it must.
    Passed {
        /// How many assertions held.
        held: usize,
        /// How many could not be looked at.
        skipped: usize,
    },
    /// It does not.
    Failed {
        /// What does not hold, one sentence each.
        findings: Vec<String>,
    },
    /// Programs of its platform do not run here.
    NotHere {
        /// Why.
        why: String,
    },
}

/// What is known of the weaknesses of what is in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scanned {
    /// Who was asked, with its version or the time of its data.
    pub by: String,
    /// What was found, the worst first.
    pub weaknesses: Vec<Weakness>,
}

/// A weakness that is known of something in an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weakness {
    /// How it is called, such as `CVE-2024-3094`.
    pub name: String,
    /// In what.
    pub package: String,
    /// In which version of it.
    pub version: String,
    /// In which version it is mended.
    pub fixed: Option<String>,
    /// Whether a release must not have it.
    pub critical: bool,
}

/// What a policy says of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "policy")]
pub enum Judged {
    /// It may be used.
    Approved {
        /// For what.
        environment: String,
        /// What goes with that.
        notes: Vec<String>,
    },
    /// It may not.
    Prohibited {
        /// For what.
        environment: String,
        /// Why, one sentence each.
        reasons: Vec<String>,
    },
    /// No policy was asked.
    NotAsked {
        /// Why.
        why: String,
    },
}

/// What a release is handed.
pub trait Ports {
    /// Builds images; layers that are given are elsewhere already.
    fn build(
        &self,
        plans: &[BuildPlan],
        given: Vec<Layer>,
        form: Compression,
    ) -> impl Future<Output = Result<Vec<Image>, BuildError>>;

    /// Runs an image and says whether it does what it must.
    fn smoke(&self, image: &Staged<'_>) -> impl Future<Output = Result<Smoked, Cause>>;

    /// Looks for weaknesses of what is in an image.
    fn scan(&self, image: &Staged<'_>) -> impl Future<Output = Result<Scanned, Cause>>;

    /// Judges an image that is in the registries with everything that is signed about it.
    fn judge(&self, image: &Staged<'_>) -> impl Future<Output = Result<Judged, Cause>>;

    /// Signs a statement.
    fn sign(&self, statement: &ToSign) -> impl Future<Output = Result<Bundle, Cause>>;

    /// Says who builds.
    fn builder(&self) -> impl Future<Output = Result<Builder, Cause>>;

    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}
