//! Where an image comes from (SLSA provenance v1), and how much of that a reader may believe.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::token::IdentityToken;
use crate::verdict::{Attestation, Signer};

/// What builds on somebody's own machine calls itself: it never claims more than level 1.
pub const LOCAL_BUILDER: &str = "https://github.com/prizz/opencode-cloud/local/unverified";
/// How images are built here: recipe and lock, nothing of the target run.
pub const BUILD_TYPE: &str = "https://github.com/prizz/opencode-cloud/build/image/v1";
const GITHUB: &str = "https://token.actions.githubusercontent.com";
const HOSTED: &str = "github-hosted";

/// Who built. What it is comes from where we run, never from what somebody would like it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder {
    id: String,
}

impl Builder {
    /// A machine of somebody's.
    pub fn local() -> Self {
        Self { id: LOCAL_BUILDER.to_owned() }
    }

    /// The CI that gave us a token: its workflow if it runs on a machine of its provider's, else a machine
    /// of somebody's.
    pub fn of(token: &IdentityToken) -> Self {
        let is_hosted =
            token.claim("iss") == Some(GITHUB) && token.claim("runner_environment") == Some(HOSTED);
        match token.claim("job_workflow_ref").filter(|_| is_hosted) {
            Some(workflow) => Self { id: format!("https://github.com/{workflow}") },
            None => Self::local(),
        }
    }

    /// Returns what it calls itself.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Something that went into a build, or was made beside it (in-toto, resource descriptor).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// What it is called, without a place that it was got from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is called for good (package URL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Hexadecimal digests by their algorithm.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// What else there is to say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Where an image comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Everything that whoever builds can choose; a reader refuses what it does not know.
    pub external_parameters: Value,
    /// What the builder chose.
    pub internal_parameters: Value,
    /// Everything that went in: each file of the lock.
    pub resolved_dependencies: Vec<Resource>,
    /// Versions of the builder's parts.
    pub builder_version: BTreeMap<String, String>,
    /// What this run is called.
    pub invocation_id: Option<String>,
    /// When it began; left out where the same input is to give the same bytes.
    pub started_on: Option<Timestamp>,
    /// When it was done.
    pub finished_on: Option<Timestamp>,
    /// What was made beside the image.
    pub byproducts: Vec<Resource>,
}

impl Provenance {
    /// Writes the predicate.
    pub(super) fn predicate(&self, builder: &Builder) -> Value {
        let mut metadata = json!({});
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        for (field, value) in [
            ("invocationId", self.invocation_id.clone()),
            ("startedOn", moment(self.started_on)),
            ("finishedOn", moment(self.finished_on)),
        ] {
            if let Some(value) = value {
                metadata[field] = value.into();
            }
        }
        json!({
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": self.external_parameters,
                "internalParameters": self.internal_parameters,
                "resolvedDependencies": self.resolved_dependencies,
            },
            "runDetails": {
                "builder": { "id": builder.id, "version": self.builder_version },
                "metadata": metadata,
                "byproducts": self.byproducts,
            },
        })
    }
}

/// Returns the SLSA build level that a verified provenance is worth, by who signed it and who it says
/// built: 2 when a workflow on a machine of its provider's signed what names itself as the builder, else 1.
/// What the provenance says of its own level is not read. There is no 3 here: steps of the same job could
/// have written every field.
pub fn slsa_level(provenance: &Attestation) -> u8 {
    let builder = &provenance.predicate["runDetails"]["builder"]["id"];
    match &provenance.signer {
        Signer::Certificate { issuer, claims, .. }
            if issuer == GITHUB
                && claims.runner_environment.as_deref() == Some(HOSTED)
                && claims.build_signer.is_some()
                && claims.build_signer.as_deref() == builder.as_str() =>
        {
            2
        }
        _ => 1,
    }
}
