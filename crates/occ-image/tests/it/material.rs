//! What the tests of finished images are made of: a recipe, its lock, and images with layers as small as can
//! be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use occ_image::{
    Architecture, Blob, BuildPlan, DebianGroup, DebianPin, Image, Layer, Layout, LayoutError, Lock,
    PackagePin, Recipe, Release, Target, ToolLock,
};
use occ_layer::tree::{Content, Entry, Kind, LayerTree};
use occ_layer::{Compression, pack};
use occ_oci::{Algorithm, Digest, Hasher, Platform};
use tempfile::TempDir;

pub(crate) const RECIPE: &str = r#"
version = 1

[base]
distribution = "debian"
suite = "trixie"
exclude = ["/usr/share/man/*"]
include = ["/usr/share/doc/*/copyright"]

[[base.group]]
name = "system"
packages = ["hello"]

[[base.group]]
name = "extra"
packages = ["tree"]

[system]
shell = "/bin/bash"
lang = "C.UTF-8"
timezone = "UTC"

[tool.prettier]
source = "npm"
commands = ["prettier"]

[tool.uv]
source = "pypi"
files = { "/usr/local/bin/uv" = "uv-{version}.data/scripts/uv" }

[tool.nextest]
source = "crates"
package = "cargo-nextest"
files = { "/usr/local/bin/cargo-nextest" = "bin/cargo-nextest" }

[tool.jet]
source = "url"
version = "1.2.3"
url = "https://tools.test/jet-{version}-{arch}"
files = { "/usr/local/bin/jet" = "jet-{version}-{arch}" }
sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

[feature]
node = ["prettier"]
python = ["uv"]
rust = ["nextest"]
jets = ["jet"]

[variant]
base = ["node", "python"]
full = ["node", "python", "rust", "jets"]
"#;

pub(crate) fn recipe() -> Recipe {
    Recipe::parse("recipe.toml", RECIPE, &|_| panic!("it names no files")).unwrap()
}

pub(crate) fn debian_pin(
    name: &str,
    version: &str,
    architecture: Option<Architecture>,
) -> DebianPin {
    let digest = Digest::sha256(format!("{name} {version}").as_bytes());
    DebianPin { name: name.to_owned(), version: version.to_owned(), architecture, size: 10, digest }
}

pub(crate) fn pin(name: &str, version: &str, license: Option<&str>) -> PackagePin {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(format!("{name} {version}").as_bytes());
    PackagePin {
        name: name.to_owned(),
        version: version.to_owned(),
        architecture: None,
        path: None,
        file: None,
        size: 10,
        digest: hasher.finish(),
        license: license.map(str::to_owned),
    }
}

fn at(path: &str, pin: PackagePin) -> PackagePin {
    PackagePin { path: Some(path.to_owned()), ..pin }
}

/// A lock with one of each kind of package.
pub(crate) fn lock(recipe: &Recipe) -> Lock {
    let mut debian = Vec::new();
    for architecture in [Architecture::Amd64, Architecture::Arm64] {
        let own = |name, version| debian_pin(name, version, Some(architecture));
        for (group, packages) in [
            ("system", vec![own("libstdc++6", "14.2.0-19"), own("hello", "1:2.10-5~1")]),
            ("extra", vec![debian_pin("tree-data", "2.2.1-1", None), own("tree", "2.2.1-1")]),
        ] {
            debian.push(DebianGroup { architecture, group: group.to_owned(), packages });
        }
    }
    let tool = |name: &str, source: &str, packages| {
        let tool = ToolLock { name: name.to_owned(), source: source.to_owned(), packages };
        (name.to_owned(), tool)
    };
    let tools = BTreeMap::from([
        tool(
            "prettier",
            "npm",
            vec![
                at("node_modules/prettier", pin("prettier", "3.5.0", Some("MIT"))),
                at("node_modules/@a/b", pin("@a/b", "1.0.0", Some("(MIT OR Apache-2.0)"))),
                at("node_modules/c/node_modules/@a/b", pin("@a/b", "1.0.0", None)),
                at("node_modules/c", pin("c", "2.0.0-rc.1", Some("SEE LICENSE IN file"))),
            ],
        ),
        tool("uv", "pypi", vec![pin("UV_Tool", "0.8.0", None)]),
        tool("nextest", "crates", vec![pin("cargo-nextest", "0.9.1", Some("Apache-2.0 OR MIT"))]),
    ]);
    Lock { recipe: recipe.request(), debian, tools }
}

pub(crate) fn plan(variant: &str, platform: Platform) -> BuildPlan {
    let recipe = recipe();
    let lock = lock(&recipe);
    let release = Release { version: "1.0.0".to_owned(), ..Release::default() };
    BuildPlan::new(&recipe, &lock, &Target::new(platform, variant), &release).unwrap()
}

/// A folder for layers, as the cache is one, and beside it one for a layout.
pub(crate) struct Shelf {
    pub(crate) folder: TempDir,
    layers: AtomicUsize,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        Self::in_folder(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    pub(crate) fn in_folder(folder: &Path) -> Self {
        let folder = TempDir::new_in(folder).unwrap();
        fs::create_dir(folder.path().join("layers")).unwrap();
        Self { folder, layers: AtomicUsize::new(0) }
    }

    pub(crate) fn layout(&self) -> PathBuf {
        self.folder.path().join("layout")
    }

    pub(crate) fn layer(&self, entries: &[(&str, Entry)], compression: Compression) -> Layer {
        let mut tree = LayerTree::new();
        for (path, entry) in entries {
            tree.insert(path, entry.clone()).unwrap();
        }
        let number = self.layers.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.path().join(format!("layers/{number}"));
        let file = File::create(&path).unwrap();
        let packed = pack(tree, file, compression, NonZeroUsize::MIN).unwrap();
        let blob = Blob { compression, digest: packed.blob.digest, size: packed.blob.size, path };
        let key = plan("base", Platform::LinuxAmd64).guest_key();
        Layer { key, diff_id: packed.diff_id, size: packed.size, blob }
    }

    /// Makes an image of a plan; each layer has its number in its history.
    pub(crate) fn image_of(plan: &BuildPlan, layers: Vec<Layer>) -> Image {
        let named = layers.into_iter().enumerate();
        Image::assemble(
            plan,
            named.map(|(at, layer)| (layer, format!("layer {at}"))).collect(),
            None,
        )
    }

    /// Makes an image of three layers in the three compressions, the topmost of which says `text`.
    pub(crate) fn image(&self, variant: &str, platform: Platform, text: &str) -> Image {
        let layers = vec![
            self.layer(&[("etc/base", file(&"base".repeat(3000)))], Compression::Zstd),
            self.layer(&[("etc/none", file("none"))], Compression::None),
            self.layer(&[("etc/text", file(text))], Compression::Gzip),
        ];
        Self::image_of(&plan(variant, platform), layers)
    }

    pub(crate) fn both(&self, variant: &str, text: &str) -> Vec<Image> {
        Platform::ALL.map(|platform| self.image(variant, platform, text)).into()
    }

    pub(crate) fn write(&self, images: &[Image]) -> Result<Layout, LayoutError> {
        write(&self.layout(), images)
    }
}

pub(crate) fn write(folder: &Path, images: &[Image]) -> Result<Layout, LayoutError> {
    Layout::write(folder, images, &|_| (), &AtomicBool::new(false))
}

pub(crate) fn file(text: &str) -> Entry {
    Entry::new(Kind::File(Content::Bytes(text.into())), 0o644)
}

/// Returns all names below a folder, sorted, folders with a slash.
pub(crate) fn walk(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(walk(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
            names.push(format!("{name}/"));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}
