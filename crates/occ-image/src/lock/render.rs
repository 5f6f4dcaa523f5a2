//! Writing a lock: one line per file of somebody else, so that a difference reads well.

use super::{DebianPin, Lock, PackagePin};
use crate::recipe::Architecture;

const HEAD: &str = "\
# Which exact files of others go into the images. `occ image lock` writes this; do not edit it.
";

pub(super) fn render(lock: &Lock, version: u32) -> String {
    let checksum = lock.checksum();
    format!("{HEAD}version = {version}\nchecksum = \"{checksum}\"\n{}", body(lock))
}

/// Everything that the checksum covers.
pub(super) fn body(lock: &Lock) -> String {
    let mut text = format!("recipe = \"{}\"\n", lock.recipe);
    for group in &lock.debian {
        text.push_str(&format!(
            "\n[[debian]]\narchitecture = \"{}\"\ngroup = {}\npackages = [\n",
            group.architecture,
            quoted(&group.group)
        ));
        group.packages.iter().for_each(|pin| text.push_str(&debian(pin)));
        text.push_str("]\n");
    }
    for tool in lock.tools.values() {
        text.push_str(&format!(
            "\n[[tool]]\nname = {}\nsource = {}\npackages = [\n",
            quoted(&tool.name),
            quoted(&tool.source)
        ));
        tool.packages.iter().for_each(|pin| text.push_str(&package(pin)));
        text.push_str("]\n");
    }
    text
}

fn debian(pin: &DebianPin) -> String {
    let mut line = Line::new(&pin.name, &pin.version);
    line.maybe("architecture", pin.architecture.map(Architecture::name));
    line.end(pin.size, &pin.digest)
}

fn package(pin: &PackagePin) -> String {
    let mut line = Line::new(&pin.name, &pin.version);
    line.maybe("architecture", pin.architecture.map(Architecture::name));
    line.maybe("path", pin.path.as_deref());
    line.maybe("file", pin.file.as_deref());
    line.maybe("license", pin.license.as_deref());
    line.end(pin.size, &pin.digest)
}

struct Line(String);

impl Line {
    fn new(name: &str, version: &str) -> Self {
        Self(format!("  {{ name = {}, version = {}", quoted(name), quoted(version)))
    }

    fn maybe(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.0.push_str(&format!(", {key} = {}", quoted(value)));
        }
    }

    fn end(self, size: u64, digest: &occ_oci::Digest) -> String {
        format!("{}, size = {size}, digest = \"{digest}\" }},\n", self.0)
    }
}

/// TOML's basic strings take what JSON's do.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
