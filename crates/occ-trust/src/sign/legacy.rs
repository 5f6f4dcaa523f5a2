//! Signing in cosign's first form, for readers that know no other (`--legacy-sig`).

use bytes::Bytes;
use occ_oci::Annotations;
use occ_registry::RawManifest;
use serde_json::json;
use sigstore_verify::types::TransparencyLogEntry;

use super::statement::Label;
use super::{Certified, SignError, Signed, SigningWith};
use crate::legacy::{
    ANNOTATION_BUNDLE, ANNOTATION_CERTIFICATE, ANNOTATION_CHAIN, ANNOTATION_SIGNATURE, KIND,
};

/// A signature of cosign's first form: a document, and annotations beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacySignature {
    payload: Bytes,
    annotations: Annotations,
}

impl LegacySignature {
    /// Returns the document.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Returns the annotations.
    pub fn annotations(&self) -> &Annotations {
        &self.annotations
    }
}

/// Signs an image in cosign's first form.
///
/// # Errors
/// [`SignError`]; [`SignError::OldLogOnly`] where there is only a log of the new kind.
pub async fn sign_legacy(
    with: &SigningWith<'_>,
    label: &Label,
    image: &RawManifest,
) -> Result<LegacySignature, SignError> {
    let document = json!({
        "critical": {
            "identity": { "docker-reference": label.repository.to_string() },
            "image": { "docker-manifest-digest": image.digest().to_string() },
            "type": KIND,
        },
        "optional": label.legacy_annotations(),
    });
    let payload = Bytes::from(document.to_string());
    let ready = with.ready().await?;
    let signature = ready.key().sign(&payload)?;
    let mut annotations =
        Annotations::from([(ANNOTATION_SIGNATURE.to_owned(), super::encode(&signature))]);
    if let Some(Certified { certificate, above }) = ready.certified() {
        let signed = Signed { message: &payload, signature: &signature };
        let entry = with.log_bare(&ready, &signed).await?;
        let more = [
            (ANNOTATION_CERTIFICATE, certificate.to_pem()),
            (ANNOTATION_CHAIN, above.concat()),
            (ANNOTATION_BUNDLE, old_bundle(&entry)?),
        ];
        annotations.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    Ok(LegacySignature { payload, annotations })
}

/// Writes a log entry as cosign's annotation has it.
fn old_bundle(entry: &TransparencyLogEntry) -> Result<String, SignError> {
    let promise = entry.inclusion_promise.as_ref().ok_or(SignError::Answer("a log's promise"))?;
    let id = entry.log_id.key_id.as_bytes();
    let bundle = json!({
        "SignedEntryTimestamp": promise.signed_entry_timestamp,
        "Payload": {
            "body": entry.canonicalized_body.to_base64(),
            "integratedTime": entry.integrated_time.map_or(0, jiff::Timestamp::as_second),
            "logIndex": entry.log_index.as_i64(),
            "logID": id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        },
    });
    Ok(bundle.to_string())
}
