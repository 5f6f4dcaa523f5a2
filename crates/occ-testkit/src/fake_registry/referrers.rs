//! The referrers API of a fake registry, two entries a page (distribution spec, "Listing Referrers").

use serde_json::{Value, json};

use super::State;
use super::http::{Answer, Request};

const PAGE: usize = 2;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Lists what refers to a digest.
pub(super) fn list(state: &State, request: &Request, repository: &str, digest: &str) -> Answer {
    let memory = state.memory();
    let manifests = memory.store.manifests(repository);
    let listed: Vec<Value> = manifests
        .into_iter()
        .filter_map(|(name, (media_type, bytes))| {
            let document: Value = serde_json::from_slice(bytes).ok()?;
            let is_about = document["subject"]["digest"] == digest;
            is_about.then(|| entry(name, media_type, bytes.len(), &document))
        })
        .collect();
    let page = request.query("page").first().and_then(|page| page.parse().ok()).unwrap_or(0);
    let on_page: Vec<_> = listed.iter().skip(page * PAGE).take(PAGE).cloned().collect();
    let body = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": on_page });
    let answer = Answer::new(200).body(INDEX, body.to_string().into_bytes());
    if listed.len() <= (page + 1) * PAGE {
        return answer;
    }
    let next = format!("/v2/{repository}/referrers/{digest}?page={}", page + 1);
    answer.with("link", format!("<{next}>; rel=\"next\""))
}

fn entry(digest: &str, media_type: &str, size: usize, document: &Value) -> Value {
    let kind = match &document["artifactType"] {
        Value::Null => &document["config"]["mediaType"],
        kind => kind,
    };
    let mut entry = json!({ "mediaType": media_type, "digest": digest, "size": size });
    if !kind.is_null() {
        entry["artifactType"] = kind.clone();
    }
    if document["annotations"].is_object() {
        entry["annotations"] = document["annotations"].clone();
    }
    entry
}
