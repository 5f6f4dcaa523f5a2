//! What a package says of itself (npm, package.json).

use std::collections::BTreeMap;
use std::io::Read as _;

use occ_layer::tree::{Kind, LayerTree, normal};
use serde::Deserialize;

use super::published::no_answer;
use crate::error::BuildError;

/// A manifest is read into memory; the largest there are have some ten thousand bytes.
const LONGEST: u64 = 4 << 20;

/// A manifest.
#[derive(Deserialize)]
pub(super) struct Manifest {
    #[serde(default)]
    pub(super) name: String,
    bin: Option<Bin>,
    #[serde(default)]
    scripts: BTreeMap<String, serde_json::Value>,
    gypfile: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Bin {
    One(String),
    Several(BTreeMap<String, serde_json::Value>),
}

impl Manifest {
    /// Reads the manifest of the package in a folder of a tree; `spec` is what it is called in errors.
    pub(super) fn read(tree: &LayerTree, folder: &str, spec: &str) -> Result<Self, BuildError> {
        let path = join(folder, NAME);
        let Some(Kind::File(content)) = tree.get(&path).map(|entry| &entry.kind) else {
            let (whole, part) = (spec.to_owned(), path);
            return Err(BuildError::Incomplete { whole, part });
        };
        let mut text = Vec::new();
        content
            .reader()
            .take(LONGEST)
            .read_to_end(&mut text)
            .map_err(BuildError::at(path.as_ref()))?;
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        serde_json::from_slice(text)
            .map_err(|error| no_answer(spec, &format!("in its {path}, {error}")))
    }

    /// Returns the commands with their files, as paths inside the package; those that lead out of it have
    /// none.
    pub(super) fn commands(&self) -> BTreeMap<String, Option<String>> {
        let inside = |path: &str| normal(path).ok();
        match &self.bin {
            None => BTreeMap::new(),
            Some(Bin::One(path)) => {
                let command = self.name.rsplit('/').next().unwrap_or_default();
                [(command.to_owned(), inside(path))].into()
            }
            Some(Bin::Several(several)) => several
                .iter()
                .map(|(command, path)| (command.clone(), path.as_str().and_then(inside)))
                .collect(),
        }
    }

    /// Returns whether npm would run something when it installs the package.
    ///
    /// SPEC: npm, scripts, "npm install": without a script of its own, a package with a `binding.gyp` is
    /// compiled.
    pub(super) fn has_install_script(&self, has_binding: bool) -> bool {
        let has = |name| self.scripts.get(name).is_some_and(|it| it.as_str() != Some(""));
        ["preinstall", "install", "postinstall"].into_iter().any(has)
            || has_binding && self.gypfile != Some(false)
    }
}

/// Name of a manifest.
pub(super) const NAME: &str = "package.json";

/// Returns a path below a folder; the empty folder is the root.
pub(super) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn commands_are_read_in_both_ways_of_writing_them() {
        let one = manifest(r#"{"name": "@scope/tool", "bin": "./bin/tool.js"}"#);
        assert_eq!(one.commands(), [("tool".to_owned(), Some("bin/tool.js".to_owned()))].into());
        let several = manifest(r#"{"bin": {"a": "a.js", "out": "../../a.js", "odd": 1}}"#);
        let expected = [("a", Some("a.js")), ("out", None), ("odd", None)]
            .map(|(command, path)| (command.to_owned(), path.map(str::to_owned)));
        assert_eq!(several.commands(), expected.into());
        assert!(manifest("{}").commands().is_empty());
    }

    #[test]
    fn scripts_of_installing_are_told_from_others() {
        let runs = |text: &str, binding| manifest(text).has_install_script(binding);
        assert!(!runs(r#"{"scripts": {"test": "jest", "prepare": "husky"}}"#, false));
        for script in ["preinstall", "install", "postinstall"] {
            assert!(runs(&format!(r#"{{"scripts": {{"{script}": "node x.js"}}}}"#), false));
        }
        assert!(!runs(r#"{"scripts": {"install": ""}}"#, false));
        assert!(runs("{}", true));
        assert!(!runs(r#"{"gypfile": false}"#, true));
    }
}
