//! Images by name: with a host it is one in a registry, without one of the engine.

use occ_oci::{ManifestDigest, Reference, Repository, Tag};
use occ_registry::{Client, RawManifest};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Where an image is, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a registry.
    Registry(Reference),
    /// In the engine.
    Engine(String),
}

impl Place {
    /// Reads a name. What stands before its first `/` is a host if it has a dot or a colon, or is `localhost`;
    /// no short name is taken for one on Docker Hub.
    pub(super) fn parse(name: &str) -> Result<Self, Failure> {
        if has_host(name) {
            return reference(name).map(Self::Registry);
        }
        Ok(Self::Engine(name.to_owned()))
    }
}

fn has_host(name: &str) -> bool {
    let host = name.split_once('/').map(|(host, _)| host);
    host.is_some_and(|host| host == "localhost" || host.contains(['.', ':']))
}

/// Reads the name of an image in a registry.
pub(crate) fn reference(name: &str) -> Result<Reference, Failure> {
    if !has_host(name) {
        return Err(no_host(name));
    }
    name.parse().map_err(|error| Failure::usage(format!("{name}: {error}")))
}

/// Reads the name of a repository, without a tag.
pub(crate) fn repository(name: &str) -> Result<Repository, Failure> {
    if !has_host(name) {
        return Err(no_host(name));
    }
    name.parse().map_err(|error| Failure::usage(format!("{name}: {error}")))
}

fn no_host(name: &str) -> Failure {
    Failure::usage(format!("{name} names no registry"))
        .hint(format!("with the host, it is for example: ghcr.io/{name}"))
}

/// Returns what a name stands for now.
pub(crate) async fn resolve(
    client: &Client,
    reference: &Reference,
) -> Result<RawManifest, Failure> {
    Ok(match reference {
        Reference::Tagged(name) => client.resolve(&name.tag).await?.manifest,
        Reference::Pinned(name) => client.manifest(&name.digest).await?,
    })
}

/// Whether a tag names one release for good: everything that begins with three numbers.
fn is_release(tag: &Tag) -> bool {
    let tag = tag.as_str();
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let mut parts = tag.splitn(3, '.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()))
}

/// Refuses to let the tag of a release stand for something else than it does; others may move. Returns whether
/// it stands for the manifest already.
pub(super) async fn may_stand_for(
    client: &Client,
    tag: &Tag,
    digest: &ManifestDigest,
) -> Result<bool, Failure> {
    let now = match client.resolve(tag).await {
        Ok(now) => now.pinned.digest,
        Err(error) if error.reason.is_not_found() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if now == *digest {
        return Ok(true);
    }
    if !is_release(tag) {
        return Ok(false);
    }
    let name = format!("{}:{tag}", client.repository());
    let mut failure =
        Failure::new(Exit::Refused, format!("the tag of a release does not move: {name}"));
    failure.causes = vec![format!("it stands for {now}"), format!("and not for {digest}")];
    Err(failure.hint("give what is new a version of its own"))
}

/// Waits for work, or for the wish to stop.
pub(crate) async fn or_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
    context: &Context,
) -> Result<T, Failure> {
    tokio::select! {
        done = work => done,
        () = context.cancel.cancelled() => Err(Failure::interrupted()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_host_is_in_a_registry_and_no_other() {
        let is_registry = |name: &str| matches!(Place::parse(name), Ok(Place::Registry(_)));
        for name in [
            "ghcr.io/a/b",
            "localhost:5000/a:1",
            "localhost/a",
            "docker.io/a/b@sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730",
        ] {
            assert!(is_registry(name), "{name}");
        }
        for name in ["opencode-cloud-sandbox:pulled-1", "prizz/x:1", "sha256:abc", "base"] {
            assert!(!is_registry(name), "{name}");
        }
        assert!(Place::parse("ghcr.io/A").is_err());
    }

    #[test]
    fn attack_17_tags_with_three_numbers_are_releases() {
        let is = |tag: &str| is_release(&tag.parse().expect("a tag"));
        for tag in ["1.2.3", "v1.14.42", "1.2.3-omos", "v1.14.42b", "v1.2.3-with-pi"] {
            assert!(is(tag), "{tag}");
        }
        for tag in ["latest", "1", "1.2", "v1.2", "edge", "latest-omos", "1.x.3", "main-1.2.3"] {
            assert!(!is(tag), "{tag}");
        }
    }
}
