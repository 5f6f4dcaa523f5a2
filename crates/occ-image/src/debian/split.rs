//! Which layer of a base a path belongs to: the one of the package that owns it, or the last.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;

use occ_layer::tree::{Entry, Kind, LayerTree};

use super::tree::missing;
use crate::error::BuildError;
use crate::lock::DebianGroup;

/// The entries of a base by path.
type Entries = BTreeMap<String, Entry>;

/// What dpkg keeps about packages: `NAME[:ARCHITECTURE].WHAT`.
const INFO: &str = "var/lib/dpkg/info/";

/// Divides the tree of a base among its groups; the last layer has what no package owns, which the packages'
/// scripts made. Every path is in one of them, and a folder also wherever something in it is.
///
/// # Errors
/// [`BuildError::Incomplete`] where a package of a group is not installed.
pub(super) fn split(tree: LayerTree, groups: &[DebianGroup]) -> Result<Vec<LayerTree>, BuildError> {
    let entries = tree.ordered()?;
    let owners = Owners::read(&entries, groups)?;
    let mut layers = vec![Entries::new(); groups.len() + 1];
    for (path, entry) in &entries {
        if !matches!(entry.kind, Kind::Folder) {
            add(&mut layers[owners.of(path, entry)], path, &entries);
        }
    }
    // Folders with nothing in them, or nothing that any layer has.
    for (path, entry) in &entries {
        if !layers.iter().any(|layer| layer.contains_key(path)) {
            add(&mut layers[owners.of(path, entry)], path, &entries);
        }
    }
    layers.into_iter().map(tree_of).collect()
}

/// Adds an entry and the folders it is in, as they are.
fn add(layer: &mut Entries, path: &str, entries: &Entries) {
    let parents = path.match_indices('/').map(|(slash, _)| &path[..slash]);
    for path in parents.chain([path]) {
        if !layer.contains_key(path) {
            layer.insert(path.to_owned(), entries[path].clone());
        }
    }
}

fn tree_of(entries: Entries) -> Result<LayerTree, BuildError> {
    let mut tree = LayerTree::new();
    for (path, entry) in entries {
        tree.insert(&path, entry)?;
    }
    Ok(tree)
}

/// Numbers of the groups that own things.
struct Owners<'a> {
    packages: HashMap<&'a str, usize>,
    paths: HashMap<String, usize>,
    nobody: usize,
}

impl<'a> Owners<'a> {
    fn read(entries: &Entries, groups: &'a [DebianGroup]) -> Result<Self, BuildError> {
        let packages = groups.iter().enumerate().flat_map(|(number, group)| {
            group.packages.iter().map(move |pin| (pin.name.as_str(), number))
        });
        let mut owners =
            Self { packages: packages.collect(), paths: HashMap::new(), nobody: groups.len() };
        let real = Real::read(entries)?;
        let mut installed = HashMap::new();
        for (path, entry) in entries.range(INFO.to_owned()..) {
            let Some(file) = path.strip_prefix(INFO) else { break };
            let Some(name) = file.strip_suffix(".list") else { continue };
            let name = name.split(':').next().unwrap_or(name);
            let Some((name, number)) = owners.packages.get_key_value(name) else { continue };
            installed.insert(*name, *number);
            for line in text(path, entry)?.lines() {
                let owner = owners.paths.entry(real.path(line, name)).or_insert(*number);
                *owner = (*owner).min(*number);
            }
        }
        match owners.packages.keys().find(|name| !installed.contains_key(*name)) {
            Some(name) => Err(missing(&format!("package {name}"))),
            None => Ok(owners),
        }
    }

    fn of(&self, path: &str, entry: &Entry) -> usize {
        // Other names of a file are where the file is.
        let path = if let Kind::Hardlink(target) = &entry.kind { target } else { path };
        if let Some(file) = path.strip_prefix(INFO) {
            let name = file.rsplit_once('.').map_or(file, |(name, _)| name);
            let name = name.split(':').next().unwrap_or(name);
            return self.packages.get(name).copied().unwrap_or(self.nobody);
        }
        let source = compiled_from(path);
        let owner = self.paths.get(source.as_deref().unwrap_or(path));
        owner.copied().unwrap_or(self.nobody)
    }
}

/// Returns the source of a compiled Python module (PEP 3147): `a/__pycache__/b.cpython-313.pyc` is from `a/b.py`.
fn compiled_from(path: &str) -> Option<String> {
    let (folder, file) = path.rsplit_once("/__pycache__/")?;
    let name = file.strip_suffix(".pyc")?;
    let name = name.split_once(".cpython-").map_or(name, |(name, _)| name);
    Some(format!("{folder}/{name}.py"))
}

/// Where the paths of packages really are.
struct Real {
    /// Links at the top, `bin` to `usr/bin`.
    links: HashMap<String, String>,
    /// Diverted paths, with where they are and the package that has the place (dpkg-divert(1)).
    diverted: HashMap<String, (String, String)>,
}

impl Real {
    fn read(entries: &Entries) -> Result<Self, BuildError> {
        let mut links = HashMap::new();
        for (path, entry) in entries {
            if let Kind::Symlink(target) = &entry.kind
                && !path.contains('/')
            {
                links.insert(path.clone(), target.trim_start_matches('/').to_owned());
            }
        }
        let mut real = Self { links, diverted: HashMap::new() };
        let file = "var/lib/dpkg/diversions";
        if let Some(entry) = entries.get(file) {
            let text = text(file, entry)?;
            let lines: Vec<&str> = text.lines().collect();
            for three in lines.chunks_exact(3) {
                let (from, to) = (real.without_links(three[0]), real.without_links(three[1]));
                real.diverted.insert(from, (to, three[2].to_owned()));
            }
        }
        Ok(real)
    }

    /// Returns where a path from the list of a package is.
    fn path(&self, listed: &str, package: &str) -> String {
        let path = self.without_links(listed);
        match self.diverted.get(&path) {
            Some((to, by)) if by != package => to.clone(),
            _ => path,
        }
    }

    fn without_links(&self, listed: &str) -> String {
        let path = listed.trim_start_matches('/');
        match path.split_once('/') {
            Some((top, rest)) => match self.links.get(top) {
                Some(target) => format!("{target}/{rest}"),
                None => path.to_owned(),
            },
            None => path.to_owned(),
        }
    }
}

fn text(path: &str, entry: &Entry) -> Result<String, BuildError> {
    let Kind::File(content) = &entry.kind else { return Err(missing(path)) };
    let mut text = String::new();
    let at = std::path::Path::new(path);
    content.reader().read_to_string(&mut text).map_err(BuildError::at(at))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use occ_layer::tree::Content;
    use occ_oci::Digest;
    use proptest::prelude::*;

    use super::*;
    use crate::lock::DebianPin;
    use crate::recipe::Architecture;

    fn group(name: &str, packages: &[&str]) -> DebianGroup {
        let pin = |name: &&str| DebianPin {
            name: (*name).to_owned(),
            version: "1".to_owned(),
            architecture: None,
            size: 0,
            digest: Digest::sha256(b""),
        };
        DebianGroup {
            architecture: Architecture::Amd64,
            group: name.to_owned(),
            packages: packages.iter().map(pin).collect(),
        }
    }

    fn file(text: &str) -> Entry {
        Entry::new(Kind::File(Content::Bytes(text.into())), 0o644)
    }

    fn tree(entries: Vec<(String, Entry)>) -> LayerTree {
        let mut tree = LayerTree::new();
        for (path, entry) in entries {
            tree.insert(&path, entry).expect("one of each");
        }
        tree
    }

    fn lists(packages: &[(&str, &str)]) -> Vec<(String, Entry)> {
        packages.iter().map(|(name, list)| (format!("{INFO}{name}.list"), file(list))).collect()
    }

    fn paths(layers: Vec<LayerTree>) -> Vec<Vec<String>> {
        let files = |layer: LayerTree| {
            let entries = layer.ordered().expect("links lead somewhere");
            let files = entries.into_iter().filter(|(_, it)| !matches!(it.kind, Kind::Folder));
            files
                .map(|(path, _)| path)
                .filter(|path| path.strip_suffix(".list").is_none())
                .collect()
        };
        layers.into_iter().map(files).collect()
    }

    #[test]
    fn a_path_is_in_the_layer_of_its_package_wherever_the_package_thinks_it_is() {
        let mut entries = lists(&[
            ("one:amd64", "/.\n/bin\n/bin/sh\n/etc/conf\n/usr/lib/a.py\n/usr/bin/link\n"),
            ("two", "/usr/bin\n/usr/bin/vi\n/usr/share/empty\n"),
            ("three", "/usr/bin/vi\n"),
            ("stranger", "/etc/stranger\n"),
        ]);
        let link = |target: &str| Entry::new(Kind::Symlink(target.to_owned()), 0o777);
        let hard = |target: &str| Entry::new(Kind::Hardlink(target.to_owned()), 0o644);
        entries.extend(
            [
                ("bin", link("usr/bin")),
                ("usr/bin/sh", file("sh")),
                ("usr/bin/vi", file("vi of three")),
                ("usr/bin/vi.two", file("vi of two")),
                ("usr/bin/link", hard("usr/bin/vi.two")),
                ("usr/share/empty", Entry::new(Kind::Folder, 0o700)),
                ("usr/lib/a.py", file("")),
                ("usr/lib/__pycache__/a.cpython-313.pyc", file("")),
                ("usr/lib/__pycache__/b.cpython-313.pyc", file("")),
                ("etc/conf", file("")),
                ("etc/stranger", file("")),
                ("etc/made", file("")),
                ("var/lib/dpkg/diversions", file("/usr/bin/vi\n/usr/bin/vi.two\nthree\n")),
                ("var/lib/dpkg/info/two.postinst", file("")),
                ("var/lib/dpkg/info/format", file("1\n")),
            ]
            .map(|(path, entry)| (path.to_owned(), entry)),
        );
        let groups = [group("a", &["one"]), group("b", &["two", "three"])];
        let layers = split(tree(entries), &groups).expect("all is installed");
        let mode = layers[1].clone().ordered().expect("no links")["usr/share/empty"].mode;
        assert_eq!(mode, 0o700);
        let [a, b, configured] = paths(layers).try_into().expect("three");
        assert_eq!(
            a,
            [
                "bin",
                "etc/conf",
                "usr/bin/link",
                "usr/bin/sh",
                "usr/bin/vi.two",
                "usr/lib/__pycache__/a.cpython-313.pyc",
                "usr/lib/a.py",
            ]
        );
        assert_eq!(b, ["usr/bin/vi", "var/lib/dpkg/info/two.postinst"]);
        assert_eq!(
            configured,
            [
                "etc/made",
                "etc/stranger",
                "usr/lib/__pycache__/b.cpython-313.pyc",
                "var/lib/dpkg/diversions",
                "var/lib/dpkg/info/format",
            ]
        );
    }

    #[test]
    fn a_package_that_is_not_installed_is_an_error() {
        let entries = lists(&[("one", "/.\n")]);
        let error = split(tree(entries), &[group("a", &["one", "two"])]).expect_err("no two");
        assert_eq!(error.to_string(), "the Debian base has no package two");
    }

    proptest! {
        #[test]
        fn every_path_is_in_one_layer_with_its_folders_as_they_are(
            files in prop::collection::btree_map("[a-c]{1,2}(/[d-f]{1,2}){0,3}/g", 0..4_usize, 1..20),
            modes in prop::collection::vec(0o700..0o777_u32, 8),
        ) {
            let names = ["p0", "p1", "p2"];
            let list = |number: usize| {
                let own = files.iter().filter(|(_, owner)| **owner == number);
                own.map(|(path, _)| format!("/{path}\n")).collect::<String>()
            };
            let texts: Vec<String> = (0..3).map(list).collect();
            let mut entries = lists(&[0, 1, 2].map(|it| (names[it], texts[it].as_str())));
            entries.extend(files.keys().map(|path| (path.clone(), file(path))));
            let folders: BTreeSet<&str> = files
                .keys()
                .flat_map(|path| path.match_indices('/').map(|(slash, _)| &path[..slash]))
                .collect();
            entries.extend(folders.iter().map(|path| {
                ((*path).to_owned(), Entry::new(Kind::Folder, modes[path.len() % 8]))
            }));
            let groups = names.map(|name| group(name, &[name]));
            let layers = split(tree(entries), &groups).expect("all is installed");
            let mut seen = BTreeSet::new();
            for (number, layer) in layers.into_iter().enumerate() {
                for (path, entry) in layer.ordered().expect("no links") {
                    match entry.kind {
                        Kind::Folder if folders.contains(path.as_str()) => {
                            prop_assert_eq!(entry.mode, modes[path.len() % 8]);
                        }
                        Kind::File(_) if !path.starts_with("var/") => {
                            prop_assert_eq!(files[&path], number);
                            prop_assert!(seen.insert(path));
                        }
                        _ => {}
                    }
                }
            }
            prop_assert_eq!(seen.len(), files.len());
        }
    }
}
