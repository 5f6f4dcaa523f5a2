//! What a fake registry says to which request.

use serde_json::Value;

use super::http::{Answer, Request};
use super::store::digest_like;
use super::{Referring, State, door, referrers, upload};

/// Largest manifest taken, in bytes.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// Answers a request.
pub(super) fn answer(state: &State, request: &Request) -> Answer {
    if request.path() == "/token" {
        return door::token(state, request);
    }
    let Some(place) = Place::of(request.path()) else {
        return Answer::refusal(404, "NAME_UNKNOWN");
    };
    if let Some(refusal) = door::refuse(state, request, &needs(request, &place)) {
        return refusal;
    }
    let Place { repository, kind, name } = place;
    match (kind, request.method.as_str()) {
        ("/blobs/uploads/", _) => upload::answer(state, request, repository, name),
        ("/blobs/", "GET" | "HEAD") => blob(state, request, repository, name),
        ("/manifests/", "GET" | "HEAD") => manifest(state, repository, name),
        ("/manifests/", "PUT") => put(state, request, repository, name),
        ("/manifests/", "DELETE") => {
            let found = state.memory().store.forget_manifest(repository, name);
            Answer::new(if found { 202 } else { 404 })
        }
        ("/tags/", "GET") if name == "list" => tags(state, request, repository),
        ("/referrers/", "GET") if state.referring == Referring::Api => {
            referrers::list(state, request, repository, name)
        }
        _ => Answer::new(404),
    }
}

/// The parts of a path below `/v2/`.
struct Place<'a> {
    repository: &'a str,
    kind: &'static str,
    name: &'a str,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix("/v2/")?;
        let kinds = ["/blobs/uploads/", "/blobs/", "/manifests/", "/referrers/", "/tags/"];
        kinds.into_iter().find_map(|kind| {
            let (repository, name) = path.split_once(kind)?;
            Some(Self { repository, kind, name })
        })
    }
}

/// Most tags of one page.
const PAGE: usize = 3;

fn tags(state: &State, request: &Request, repository: &str) -> Answer {
    let tags = state.memory().store.tags(repository);
    if tags.is_empty() {
        return Answer::refusal(404, "NAME_UNKNOWN");
    }
    let last = request.query("last").pop().unwrap_or_default();
    let rest: Vec<String> = tags.into_iter().filter(|tag| *tag > last).collect();
    let page = &rest[..rest.len().min(PAGE)];
    let body = serde_json::json!({ "name": repository, "tags": page }).to_string();
    let answer = Answer::new(200).body("application/json", body.into_bytes());
    match page.last().filter(|_| rest.len() > page.len()) {
        None => answer,
        Some(last) => {
            answer.with("link", format!("</v2/{repository}/tags/list?last={last}>; rel=\"next\""))
        }
    }
}

/// What a request needs to be allowed, by repository.
fn needs(request: &Request, place: &Place<'_>) -> Vec<(String, &'static str)> {
    let is_reading = matches!(request.method.as_str(), "GET" | "HEAD");
    let action = if is_reading { "pull" } else { "push" };
    let from = request.query("from").into_iter().map(|from| (from, "pull"));
    std::iter::once((place.repository.to_owned(), action)).chain(from).collect()
}

fn blob(state: &State, request: &Request, repository: &str, digest: &str) -> Answer {
    let memory = state.memory();
    let Some(bytes) = memory.store.blob(repository, digest) else {
        return Answer::refusal(404, "BLOB_UNKNOWN");
    };
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes="));
    let begin = range.and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
    let answer = match begin.filter(|begin| *begin < bytes.len()) {
        None => Answer::new(200).body("application/octet-stream", bytes.clone()),
        Some(begin) => {
            let range = format!("bytes {begin}-{}/{}", bytes.len() - 1, bytes.len());
            let body = bytes[begin..].to_vec();
            let answer = Answer::new(206).with("content-range", range);
            answer.body("application/octet-stream", body)
        }
    };
    answer.with("docker-content-digest", digest)
}

fn manifest(state: &State, repository: &str, name: &str) -> Answer {
    let memory = state.memory();
    match memory.store.manifest(repository, name) {
        None => Answer::refusal(404, "MANIFEST_UNKNOWN"),
        Some((digest, (media_type, bytes))) => Answer::new(200)
            .body(media_type, bytes.clone())
            .with("docker-content-digest", digest.as_str()),
    }
}

fn put(state: &State, request: &Request, repository: &str, name: &str) -> Answer {
    let bytes = &request.body;
    if bytes.len() > MANIFEST_LIMIT {
        return Answer::refusal(413, "MANIFEST_INVALID");
    }
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return Answer::refusal(400, "MANIFEST_INVALID");
    };
    if name.contains(':') && digest_like(name, bytes) != name {
        return Answer::refusal(400, "DIGEST_INVALID");
    }
    let mut memory = state.memory();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let config = Some(&document["config"]).filter(|config| config.is_object()).cloned();
    let blobs = list("layers").into_iter().chain(config);
    let has_blobs = blobs
        .map(|blob| text(&blob["digest"]))
        .all(|digest| memory.store.blob(repository, &digest).is_some());
    let has_manifests = list("manifests")
        .iter()
        .all(|listed| memory.store.manifest(repository, &text(&listed["digest"])).is_some());
    if !(has_blobs && has_manifests) {
        return Answer::refusal(400, "MANIFEST_BLOB_UNKNOWN");
    }
    let media_type = request.header("content-type").unwrap_or_default();
    let digest = memory.store.put_manifest(repository, name, (media_type, bytes.clone()));
    let answer = Answer::new(201)
        .with("location", format!("/v2/{repository}/manifests/{digest}"))
        .with("docker-content-digest", digest);
    match document["subject"]["digest"].as_str() {
        Some(subject) if state.referring != Referring::Unknown => {
            answer.with("oci-subject", subject)
        }
        _ => answer,
    }
}
