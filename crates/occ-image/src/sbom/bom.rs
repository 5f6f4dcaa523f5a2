//! The document's form: the fields that we write (`CycloneDX` 1.6, JSON).

use std::collections::{BTreeMap, BTreeSet};

use occ_oci::{Algorithm, Digest};
use serde::Serialize;

use super::license::License;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bom {
    #[serde(rename = "bomFormat")]
    format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
    dependencies: Vec<Dependency>,
}

impl Bom {
    pub(super) fn new(
        serial_number: String,
        metadata: Metadata,
        components: BTreeMap<String, Component>,
        dependencies: BTreeMap<String, BTreeSet<String>>,
    ) -> Self {
        let dependency = |(reference, depends_on)| Dependency { reference, depends_on };
        Self {
            format: "CycloneDX",
            spec_version: "1.6",
            serial_number,
            version: 1,
            metadata,
            components: components.into_values().collect(),
            dependencies: dependencies.into_iter().map(dependency).collect(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Metadata {
    pub(super) timestamp: String,
    pub(super) tools: Tools,
    pub(super) component: Component,
}

/// What wrote the document.
#[derive(Serialize)]
pub(super) struct Tools {
    pub(super) components: Vec<Component>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Application,
    Container,
    Library,
    OperatingSystem,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Component {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(rename = "bom-ref")]
    pub(super) bom_ref: String,
    name: String,
    version: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<License>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) external_references: Vec<Distribution>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) properties: Vec<Property>,
}

impl Component {
    pub(super) fn new(kind: Kind, bom_ref: &str, name: &str, version: &str) -> Self {
        Self {
            kind,
            bom_ref: bom_ref.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            hashes: Vec::new(),
            licenses: Vec::new(),
            purl: None,
            external_references: Vec::new(),
            properties: Vec::new(),
        }
    }

    pub(super) fn purl(self, purl: String) -> Self {
        Self { purl: Some(purl), ..self }
    }

    pub(super) fn hash(self, digest: &Digest) -> Self {
        Self { hashes: vec![Hash::of(digest)], ..self }
    }

    pub(super) fn license(self, stated: Option<&str>) -> Self {
        Self { licenses: stated.into_iter().map(License::of).collect(), ..self }
    }
}

#[derive(PartialEq, Eq, Serialize)]
pub(super) struct Hash {
    alg: &'static str,
    content: String,
}

impl Hash {
    pub(super) fn of(digest: &Digest) -> Self {
        let alg = match digest.algorithm() {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        };
        Self { alg, content: digest.hex().to_owned() }
    }
}

/// Where a component comes from.
#[derive(Serialize)]
pub(super) struct Distribution {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

impl Distribution {
    pub(super) fn new(url: String) -> Self {
        Self { kind: "distribution", url }
    }
}

#[derive(Clone, PartialEq, Eq, Serialize)]
pub(super) struct Property {
    name: String,
    value: String,
}

pub(super) fn property(name: &str, value: &str) -> Property {
    Property { name: name.to_owned(), value: value.to_owned() }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    #[serde(rename = "ref")]
    reference: String,
    depends_on: BTreeSet<String>,
}

/// Returns a serial number that follows from a key (RFC 9562, version 8: whatever its maker likes).
pub(super) fn urn_of(hex: &str) -> String {
    let digits = |from: usize, to: usize| &hex[from..to];
    let variant = match &hex[16..17] {
        "0" | "4" | "8" | "c" => '8',
        "1" | "5" | "9" | "d" => '9',
        "2" | "6" | "a" | "e" => 'a',
        _ => 'b',
    };
    format!(
        "urn:uuid:{}-{}-8{}-{variant}{}-{}",
        digits(0, 8),
        digits(8, 12),
        digits(13, 16),
        digits(17, 20),
        digits(20, 32)
    )
}
