//! Uploads of a fake registry (distribution spec, "Pushing Blobs").

use super::State;
use super::http::{Answer, Request};
use super::store::{Store, digest_like};

/// Answers a request below `/blobs/uploads/`.
pub(super) fn answer(state: &State, request: &Request, repository: &str, id: &str) -> Answer {
    let mut memory = state.memory();
    let store = &mut memory.store;
    if request.method == "POST" && id.is_empty() {
        return begin(store, request, repository);
    }
    let Ok(number) = id.parse::<usize>() else { return unknown() };
    let Some(held) = store.uploads.get_mut(&number) else { return unknown() };
    if let Some(range) = request.header("content-range") {
        let begin = range.split('-').next().and_then(|begin| begin.parse::<usize>().ok());
        if begin != Some(held.len()) {
            return Answer::refusal(416, "BLOB_UPLOAD_INVALID");
        }
    }
    match request.method.as_str() {
        "GET" => told(204, repository, number, held.len()),
        "PATCH" => {
            held.extend_from_slice(&request.body);
            told(202, repository, number, held.len())
        }
        "PUT" => {
            held.extend_from_slice(&request.body);
            close(store, request, repository, number)
        }
        _ => Answer::new(405),
    }
}

fn unknown() -> Answer {
    Answer::refusal(404, "BLOB_UPLOAD_UNKNOWN")
}

fn begin(store: &mut Store, request: &Request, repository: &str) -> Answer {
    let (mount, from) = (request.query("mount"), request.query("from"));
    if let (Some(digest), Some(from)) = (mount.first(), from.first())
        && let Some(bytes) = store.blob(from, digest).cloned()
    {
        store.put_blob(repository, digest, bytes);
        return taken(repository, digest);
    }
    let number = store.begin();
    told(202, repository, number, 0)
}

fn close(store: &mut Store, request: &Request, repository: &str, number: usize) -> Answer {
    let Some(held) = store.uploads.remove(&number) else { return unknown() };
    let stated = request.query("digest").pop().unwrap_or_default();
    if digest_like(&stated, &held) != stated {
        return Answer::refusal(400, "DIGEST_INVALID");
    }
    store.put_blob(repository, &stated, held);
    taken(repository, &stated)
}

fn taken(repository: &str, digest: &str) -> Answer {
    Answer::new(201)
        .with("location", format!("/v2/{repository}/blobs/{digest}"))
        .with("docker-content-digest", digest)
}

fn told(status: u16, repository: &str, number: usize, length: usize) -> Answer {
    // The real one writes the same for nothing and for one byte.
    let range = format!("0-{}", length.saturating_sub(1));
    Answer::new(status)
        .with("location", format!("/v2/{repository}/blobs/uploads/{number}"))
        .with("range", range)
}
