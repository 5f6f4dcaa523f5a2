//! What a layout stores.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Outcome;

/// Sizes in bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Number of images.
    pub(super) images: usize,
    /// All blobs.
    pub(super) all: u64,
    /// Every layer of every image once.
    pub(super) layers: u64,
    /// The layers of every image by itself.
    pub(super) unshared: u64,
}

impl Stored {
    /// Reads a layout (OCI image spec, image layout): an index for each variant, with the images in it.
    pub(super) fn read(layout: &Path) -> Outcome<Self> {
        let mut stored = Self { images: 0, all: 0, layers: 0, unshared: 0 };
        let mut once = BTreeMap::new();
        let index = read(&layout.join("index.json"))?;
        for variant in list(&index, "manifests") {
            let variant = blob(layout, variant)?;
            for image in list(&variant, "manifests") {
                let image = blob(layout, image)?;
                stored.images += 1;
                for layer in list(&image, "layers") {
                    let size = layer["size"].as_u64().ok_or("a layer without size")?;
                    stored.unshared += size;
                    once.insert(layer["digest"].as_str().unwrap_or_default().to_owned(), size);
                }
            }
        }
        stored.layers = once.values().sum();
        for file in fs::read_dir(layout.join("blobs/sha256"))? {
            stored.all += file?.metadata()?.len();
        }
        Ok(stored)
    }
}

fn list<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document[name].as_array().map_or(&[], Vec::as_slice)
}

fn blob(layout: &Path, descriptor: &Value) -> Outcome<Value> {
    let digest = descriptor["digest"].as_str().ok_or("a descriptor without digest")?;
    read(&layout.join("blobs").join(digest.replace(':', "/")))
}

fn read(path: &Path) -> Outcome<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_layer_that_images_share_is_counted_once_and_for_each_of_them() {
        let folder = TempDir::new().expect("a folder");
        let write = |path: &str, value: &Value| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, value.to_string()).expect("written");
        };
        let layer =
            |name: &str, size: u64| json!({ "digest": format!("sha256:{name}"), "size": size });
        let to = |name: &str| json!({ "digest": format!("sha256:{name}") });
        write("index.json", &json!({ "manifests": [to("variant"), to("bill")] }));
        write("blobs/sha256/variant", &json!({ "manifests": [to("one"), to("two")] }));
        write("blobs/sha256/bill", &json!({ "layers": [] }));
        write("blobs/sha256/one", &json!({ "layers": [layer("a", 100), layer("b", 10)] }));
        write("blobs/sha256/two", &json!({ "layers": [layer("a", 100), layer("c", 1)] }));
        let stored = Stored::read(folder.path()).expect("a layout");
        assert_eq!((stored.images, stored.layers, stored.unshared), (2, 111, 211));
    }
}
