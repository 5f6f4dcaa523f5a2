//! Which image it is: everything that was observed about one, without its secrets. Pure.

mod compare;
mod credentials;
mod report;
mod running;

use std::collections::BTreeMap;

use occ_engine::{ImageDetails, ImageStep};
use occ_image::secrets::LayerSearch;
use serde::Serialize;

pub(crate) use self::compare::{Difference, Expectation};
pub(crate) use self::credentials::Credential;
use self::credentials::Search;
pub(crate) use self::report::{plain, text};
pub(crate) use self::running::{Outcome, Running, Seen, checks};
use crate::redact::Redactor;

/// What an image says its base is (OCI image specification, annotations).
const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image; its JSON form is a promise, and what [`Expectation`] reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Identity {
    /// The name it was asked for by.
    pub(crate) name: String,
    /// Names the engine knows it by.
    pub(crate) tags: Vec<String>,
    /// Names by digest, for what came from a registry.
    pub(crate) digests: Vec<String>,
    /// The engine's id.
    pub(crate) id: String,
    /// Bytes on disk as the engine counts them.
    pub(crate) size: u64,
    /// When it says it was made, RFC 3339.
    pub(crate) created: Option<String>,
    /// Operating system and architecture.
    pub(crate) platform: String,
    /// Who it says made it.
    pub(crate) author: Option<String>,
    /// What it says it was made on.
    pub(crate) base: Option<Base>,
    /// Program that a container starts with.
    pub(crate) entrypoint: Vec<String>,
    /// Arguments of that program.
    pub(crate) command: Vec<String>,
    /// Ports that it says it listens on.
    pub(crate) ports: Vec<String>,
    /// Variables, without the values of secrets.
    pub(crate) environment: Vec<String>,
    /// User that the program runs as.
    pub(crate) user: String,
    /// Folder that the program starts in.
    pub(crate) folder: String,
    /// Folders that get a volume of their own.
    pub(crate) volumes: Vec<String>,
    /// Signal that asks the program to stop.
    pub(crate) stop_signal: Option<String>,
    /// Its health check.
    pub(crate) health_check: Vec<String>,
    /// Labels, without secrets.
    pub(crate) labels: BTreeMap<String, String>,
    /// Digests of its layers, lowest first.
    pub(crate) layers: Vec<String>,
    /// How it was made, the first step first, without secrets.
    pub(crate) history: Vec<Step>,
    /// Where secrets are in what it says of itself, without the secrets.
    pub(crate) credentials: Vec<Credential>,
    /// What was found in the files of its layers; nothing where they were not searched.
    pub(crate) layer_search: Option<LayerSearch>,
    /// The sandbox that runs it, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sandbox: Option<Running>,
}

/// What an image was made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Base {
    /// Its name.
    pub(crate) name: Option<String>,
    /// Its digest, or the key of its contents.
    pub(crate) digest: Option<String>,
    /// Which labels say so.
    pub(crate) from: &'static str,
}

/// One step of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// When, RFC 3339.
    pub(crate) created: Option<String>,
    /// What was done.
    pub(crate) done: String,
    /// Bytes of the layer it made.
    pub(crate) size: u64,
}

impl Identity {
    /// Puts together what was observed under a name.
    pub(crate) fn of(name: &str, details: ImageDetails) -> Self {
        let mut search = Search::new(Redactor::default());
        let environment = details.env.iter().map(|variable| search.variable(variable)).collect();
        let base = Base::of(&details.facts.labels);
        let labels = details.facts.labels.iter();
        let labels = labels.map(|(name, value)| (name.clone(), search.label(name, value)));
        let labels = labels.collect();
        let entrypoint = search.words("entrypoint", &details.entrypoint);
        let command = search.words("command", &details.command);
        let health_check = search.words("health check", &details.health_check);
        let steps = details.history.into_iter().enumerate();
        let history = steps.map(|(index, step)| Step::of(index, step, &mut search)).collect();
        let variant = details.variant.map_or_else(String::new, |variant| format!("/{variant}"));
        Self {
            name: name.to_owned(),
            tags: details.facts.tags,
            digests: details.facts.digests,
            id: details.facts.id.0,
            size: details.facts.size,
            created: details.facts.created,
            platform: format!("{}/{}{variant}", details.os, details.facts.architecture),
            author: details.author,
            base,
            entrypoint,
            command,
            ports: details.ports,
            environment,
            user: details.user.unwrap_or_else(|| "root".to_owned()),
            folder: details.working_dir.unwrap_or_else(|| "/".to_owned()),
            volumes: details.volumes,
            stop_signal: details.stop_signal,
            health_check,
            labels,
            layers: details.facts.layers,
            history,
            credentials: search.found,
            layer_search: None,
            sandbox: None,
        }
    }

    /// Returns every place where a secret is.
    pub(crate) fn places_of_secrets(&self) -> impl Iterator<Item = String> {
        let in_layers = self.layer_search.iter().flat_map(|search| &search.found);
        self.credentials.iter().map(ToString::to_string).chain(in_layers.map(ToString::to_string))
    }

    /// Returns the digests that registries know it by.
    pub(crate) fn manifest_digests(&self) -> impl Iterator<Item = &str> {
        self.digests.iter().filter_map(|name| Some(name.split_once('@')?.1))
    }
}

impl Base {
    fn of(labels: &BTreeMap<String, String>) -> Option<Self> {
        let label = |name: &str| labels.get(name).filter(|value| !value.is_empty()).cloned();
        if let Some(key) = label(occ_image::guest::LABEL_BASE_KEY) {
            let from = occ_image::guest::LABEL_BASE_KEY;
            return Some(Self { name: label(BASE_NAME), digest: Some(key), from });
        }
        let (name, digest) = (label(BASE_NAME), label(BASE_DIGEST));
        let said = name.is_some() || digest.is_some();
        said.then_some(Self { name, digest, from: "org.opencontainers.image.base" })
    }
}

impl Step {
    fn of(index: usize, step: ImageStep, search: &mut Search) -> Self {
        let comment = step.comment.map_or_else(String::new, |comment| format!(" # {comment}"));
        let done = search.text(
            &format!("history, step {}", index + 1),
            &format!("{}{comment}", step.created_by),
        );
        Self { created: step.created.and_then(crate::time::of_seconds), done, size: step.size }
    }
}

#[cfg(test)]
mod tests;
