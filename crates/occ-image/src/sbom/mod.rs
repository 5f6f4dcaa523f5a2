//! The bill of materials of an image: every file of others that goes into it (`CycloneDX` 1.6, JSON).
//!
//! It follows from the plan alone, and so do its bytes: nothing in it is random, and its time is the image's.

mod bom;
mod license;
mod purl;

use std::collections::{BTreeMap, BTreeSet};

use occ_oci::Digest;

use crate::guest::LOCAL_REPOSITORY;
use crate::image::json;
use crate::lock::PackagePin;
use crate::plan::{BuildPlan, ToolPlan};
use crate::recipe::{Architecture, Source};

use bom::{Bom, Component, Distribution, Hash, Kind, Metadata, Tools, property, urn_of};
use purl::Purl;

/// Property of a component: a layer that has it.
pub(crate) const LAYER: &str = "opencode-cloud:layer";
/// Property of a component: the tool whose own package it is.
pub(crate) const TOOL: &str = "opencode-cloud:tool";
/// Property of a component: where in its layer it is unpacked.
const PATH: &str = "opencode-cloud:path";

/// Returns the bill of materials of an image that a plan makes.
pub(crate) fn render(plan: &BuildPlan) -> Vec<u8> {
    let key = plan.key();
    let mut parts = Parts::new(key.to_string());
    parts.debian(plan);
    for tool in &plan.tools {
        parts.tool(tool);
    }
    let version = &plan.release.version;
    let mut image = Component::new(Kind::Container, &key.to_string(), LOCAL_REPOSITORY, version);
    image.properties = vec![
        property("opencode-cloud:build-key", &key.to_string()),
        property("opencode-cloud:base-key", &plan.base.key().to_string()),
        property("opencode-cloud:platform", &plan.platform.to_string()),
        property("opencode-cloud:variant", &plan.variant),
    ];
    let builder = Component::new(Kind::Application, "occ", "occ", env!("CARGO_PKG_VERSION"));
    let metadata = Metadata {
        timestamp: plan.release.created.clone(),
        tools: Tools { components: vec![builder] },
        component: image,
    };
    json(&Bom::new(urn_of(key.hex()), metadata, parts.components, parts.dependencies))
}

/// Components by reference, and which of them brought which others.
struct Parts {
    image: String,
    components: BTreeMap<String, Component>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Parts {
    fn new(image: String) -> Self {
        let dependencies = BTreeMap::from([(image.clone(), BTreeSet::new())]);
        Self { image, components: BTreeMap::new(), dependencies }
    }

    fn debian(&mut self, plan: &BuildPlan) {
        let system = Purl::new("generic", &["debian"], &plan.base.suite).to_string();
        let mut debian =
            Component::new(Kind::OperatingSystem, &system, "debian", release_of(&plan.base.suite));
        debian.properties.push(property("opencode-cloud:suite", &plan.base.suite));
        self.depends(&self.image.clone(), &system);
        self.components.insert(system, debian);
        let distro = format!("debian-{}", release_of(&plan.base.suite));
        for group in &plan.base.groups {
            for pin in &group.packages {
                let purl = Purl::new("deb", &["debian", &pin.name], &pin.version)
                    .with("arch", pin.architecture.map_or("all", Architecture::name))
                    .with("distro", &distro)
                    .to_string();
                let component = Component::new(Kind::Library, &purl, &pin.name, &pin.version)
                    .purl(purl.clone())
                    .hash(&pin.digest);
                let layer = format!("base: {}", group.group);
                let reference = self.add(component, &pin.digest, [property(LAYER, &layer)]);
                self.depends(&self.image.clone(), &reference);
            }
        }
    }

    fn tool(&mut self, plan: &ToolPlan) {
        let layer = property(LAYER, &format!("tool: {}", plan.tool.name));
        let own = property(TOOL, &plan.tool.name);
        if let Some((url, digest)) = plan.address() {
            let purl = Purl::new("generic", &[&plan.tool.name], &plan.version)
                .with("checksum", &digest.to_string())
                .with("download_url", &url)
                .to_string();
            let mut component =
                Component::new(Kind::Application, &purl, &plan.tool.name, &plan.version)
                    .purl(purl.clone())
                    .hash(digest);
            component.external_references.push(Distribution::new(url));
            let reference = self.add(component, digest, [layer, own]);
            self.depends(&self.image.clone(), &reference);
            return;
        }
        let mut root: Option<String> = None;
        for pin in &plan.packages {
            let path = pin.path.as_deref().map(|path| property(PATH, path));
            let own = root.is_none().then(|| own.clone());
            let properties = [Some(layer.clone()), path, own].into_iter().flatten();
            let kind = if root.is_none() { Kind::Application } else { Kind::Library };
            let component = package(kind, &plan.tool.source, pin);
            let reference = self.add(component, &pin.digest, properties);
            match &root {
                None => {
                    self.depends(&self.image.clone(), &reference);
                    root = Some(reference);
                }
                Some(root) => self.depends(&root.clone(), &reference),
            }
        }
    }

    /// Adds a component, or more properties to one that is there, and returns its reference. Trees of npm
    /// packages have the same package at many paths.
    fn add(
        &mut self,
        mut component: Component,
        digest: &Digest,
        properties: impl IntoIterator<Item = bom::Property>,
    ) -> String {
        let other = |known: &Component| known.hashes != [Hash::of(digest)];
        if self.components.get(&component.bom_ref).is_some_and(other) {
            component.bom_ref = format!("{}#{}", component.bom_ref, digest.short());
        }
        let reference = component.bom_ref.clone();
        let known = self.components.entry(reference.clone()).or_insert(component);
        for property in properties {
            if !known.properties.contains(&property) {
                known.properties.push(property);
            }
        }
        reference
    }

    fn depends(&mut self, on: &str, what: &str) {
        if on != what {
            self.dependencies.entry(on.to_owned()).or_default().insert(what.to_owned());
        }
    }
}

fn package(kind: Kind, source: &Source, pin: &PackagePin) -> Component {
    let normal = pin.name.to_lowercase().replace('_', "-");
    let purl = match source {
        Source::Npm { .. } => {
            Purl::new("npm", &pin.name.split('/').collect::<Vec<_>>(), &pin.version)
        }
        // SPEC: purl types, pypi: small letters, hyphens for underscores.
        Source::Pypi { .. } => Purl::new("pypi", &[&normal], &pin.version),
        Source::Crates { .. } => Purl::new("cargo", &[&pin.name], &pin.version),
        Source::Url { .. } => Purl::new("generic", &[&pin.name], &pin.version),
    }
    .to_string();
    Component::new(kind, &purl, &pin.name, &pin.version)
        .purl(purl.clone())
        .hash(&pin.digest)
        .license(pin.license.as_deref())
}

/// Scanners know releases of Debian by number.
fn release_of(suite: &str) -> &str {
    match suite {
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        other => other,
    }
}
