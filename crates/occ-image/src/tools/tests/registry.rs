//! An npm registry of our own.

use std::collections::BTreeMap;

use base64::Engine as _;
use occ_oci::{Algorithm, Digest, Hasher};
use serde_json::{Value, json};

use super::packed::tar_gz;
use super::server::{Answer, Server};
use super::shop::Shop;

/// A version of a package.
pub(super) struct Package {
    manifest: Value,
    files: Vec<(String, Vec<u8>)>,
    /// The folder that everything is in.
    root: &'static str,
}

impl Package {
    pub(super) fn new(name: &str, version: &str) -> Self {
        let manifest = json!({ "name": name, "version": version, "license": "MIT" });
        Self { manifest, files: Vec::new(), root: "package" }
    }

    /// Sets fields of its manifest.
    pub(super) fn with(mut self, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        for (name, value) in fields {
            self.manifest[name] = value;
        }
        self
    }

    /// Adds a file; a name that ends in `*` is executable.
    pub(super) fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), contents.into()));
        self
    }

    pub(super) fn root(mut self, root: &'static str) -> Self {
        self.root = root;
        self
    }

    fn tarball(&self) -> Vec<u8> {
        let manifest = ("package.json".to_owned(), self.manifest.to_string().into_bytes());
        let files: Vec<(String, &[u8])> = self
            .files
            .iter()
            .chain([&manifest])
            .map(|(name, contents)| (format!("{}/{name}", self.root), contents.as_slice()))
            .collect();
        tar_gz(&files.iter().map(|(name, contents)| (name.as_str(), *contents)).collect::<Vec<_>>())
    }

    fn name(&self) -> &str {
        self.manifest["name"].as_str().unwrap()
    }

    fn version(&self) -> &str {
        self.manifest["version"].as_str().unwrap()
    }

    fn tarball_path(&self) -> String {
        format!("/tarballs/{}-{}.tgz", self.name().replace('/', "-"), self.version())
    }
}

/// The registry.
pub(super) struct Registry {
    pub(super) server: Server,
    packages: BTreeMap<String, Value>,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self { server: Server::new(), packages: BTreeMap::new() }
    }

    /// Returns a workshop that has only this registry.
    pub(super) fn shop(&self) -> Shop {
        let mut shop = Shop::new();
        shop.set("npm_config_registry", self.server.url("/"));
        shop.set("npm_config_userconfig", shop.folder.path().join("npmrc").display());
        shop.set("npm_config_fetch_retries", 0);
        shop
    }

    /// Publishes a version, which becomes the latest, and returns the path of its file.
    pub(super) fn publish(&mut self, package: &Package) -> String {
        let path = self.announce(package);
        self.server.set(&path, Answer::ok(package.tarball()));
        path
    }

    /// Names a version without having its file.
    pub(super) fn announce(&mut self, package: &Package) -> String {
        let integrity = integrity(&sha512(&package.tarball()));
        let path = package.tarball_path();
        let mut version = package.manifest.clone();
        version["dist"] = json!({ "tarball": self.server.url(&path), "integrity": integrity });
        let scripts = ["preinstall", "install", "postinstall"];
        if scripts.iter().any(|script| package.manifest["scripts"][script].is_string()) {
            version["hasInstallScript"] = true.into();
        }
        self.put(package, version);
        path
    }

    /// Publishes a version with another digest than its file has.
    pub(super) fn publish_with_digest_of(&mut self, package: &Package, other: &[u8]) -> String {
        let path = self.publish(package);
        let mut version = self.packages[package.name()]["versions"][package.version()].clone();
        version["dist"]["integrity"] = integrity(&sha512(other)).into();
        self.put(package, version);
        path
    }

    fn put(&mut self, package: &Package, version: Value) {
        let name = package.name().to_owned();
        let listing = self
            .packages
            .entry(name.clone())
            .or_insert_with(|| json!({ "name": name, "dist-tags": {}, "versions": {} }));
        listing["dist-tags"]["latest"] = package.version().into();
        listing["versions"][package.version()] = version;
        let path = format!("/{}", name.replace('/', "%2f"));
        self.server.set(&path, Answer::json(listing));
    }
}

pub(super) fn sha512(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

fn integrity(digest: &Digest) -> String {
    let digits = digest.hex().as_bytes().chunks(2);
    let raw: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(raw))
}
