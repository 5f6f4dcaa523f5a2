//! A difference as people read it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Difference, FileChange, FileState, Inventory, PackageChange, Side};
use crate::size::{Growth, Size};

/// With more changed files than this, folders are counted.
const SINGLE: usize = 20;
/// How many parts of a path a counted folder has.
const DEPTH: usize = 2;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, .. } = self;
        if self.identical {
            return writeln!(f, "both are {}", before.digest);
        }
        writeln!(f, "- {}\n+ {}", Named(before), Named(after))?;
        let (size, unpacked) =
            (Growth(before.size, after.size), Growth(before.unpacked, after.unpacked));
        writeln!(
            f,
            "\nsize {} ({size}), unpacked {} ({unpacked})",
            Size(after.size),
            Size(after.unpacked)
        )?;
        self.show_layers(f)?;
        self.show_packages(f)?;
        if !self.settings.is_empty() {
            writeln!(f, "\nsettings")?;
        }
        for setting in &self.settings {
            show_change(f, &setting.name, setting.before.as_ref(), setting.after.as_ref())?;
        }
        self.show_files(f)
    }
}

/// A side with its name.
struct Named<'a>(&'a Side);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) {}", self.0.entry, self.0.platform, self.0.digest)
    }
}

/// `  ~ NAME BEFORE -> AFTER`, or with one of them what came or went.
fn show_change(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    before: Option<impl fmt::Display>,
    after: Option<impl fmt::Display>,
) -> fmt::Result {
    match (before, after) {
        (Some(before), Some(after)) => writeln!(f, "  ~ {name} {before} -> {after}"),
        (Some(before), None) => writeln!(f, "  - {name} {before}"),
        (None, Some(after)) => writeln!(f, "  + {name} {after}"),
        (None, None) => Ok(()),
    }
}

impl Difference {
    fn show_layers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layers = &self.layers;
        let (shared, all) = (layers.shared.len(), layers.shared.len() + layers.added.len());
        writeln!(f, "layers {shared} of {all} are in both, {} to fetch", Size(layers.to_fetch))?;
        for (sign, own) in [('-', &layers.removed), ('+', &layers.added)] {
            for layer in own {
                let digest = layer.diff_id.digest().short();
                writeln!(f, "  {sign} {digest} {:>9}  {}", Size(layer.size), layer.history)?;
            }
        }
        Ok(())
    }

    fn show_packages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inventory {
            Inventory::Unknown => return writeln!(f, "\nnothing says which packages are in them"),
            Inventory::Dpkg if self.packages.is_empty() => {
                return writeln!(f, "\nthe packages of Debian are the same");
            }
            Inventory::Sbom if self.packages.is_empty() => {
                return writeln!(f, "\nall packages are the same");
            }
            Inventory::Sbom | Inventory::Dpkg => {}
        }
        let mut kind = None;
        for change in &self.packages {
            if kind.replace(&change.kind) != Some(&change.kind) {
                writeln!(f, "\n{}", change.kind.plural())?;
            }
            let PackageChange { name, before, after, .. } = change;
            let versions =
                |versions: &[String]| (!versions.is_empty()).then(|| versions.join(", "));
            show_change(f, name, versions(before), versions(after))?;
        }
        Ok(())
    }

    fn show_files(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.files.is_empty() {
            return writeln!(f, "\nall files are the same");
        }
        let all = Count::of(&self.files);
        writeln!(f, "\nfiles {all}")?;
        if f.alternate() || self.files.len() <= SINGLE {
            for FileChange { path, before, after } in &self.files {
                let (before, after) = (before.as_ref(), after.as_ref());
                match (before.map(ToString::to_string), after.map(ToString::to_string)) {
                    (Some(same), Some(other)) if same == other => {
                        writeln!(f, "  ~ {path} {same}, other bytes")?;
                    }
                    (before, after) => show_change(f, path, before, after)?,
                }
            }
            return Ok(());
        }
        let mut folders: BTreeMap<String, Count> = BTreeMap::new();
        for change in &self.files {
            let parts: Vec<&str> = change.path.split('/').collect();
            let folder = parts[..DEPTH.min(parts.len() - 1)].join("/");
            folders.entry(folder).or_default().add(change);
        }
        folders.iter().try_for_each(|(folder, count)| writeln!(f, "    /{folder} {count}"))
    }
}

/// How many paths came, went and changed, and their bytes.
#[derive(Default)]
struct Count {
    added: usize,
    removed: usize,
    changed: usize,
    before: u64,
    after: u64,
}

impl Count {
    fn of(files: &[FileChange]) -> Self {
        let mut count = Self::default();
        for change in files {
            count.add(change);
        }
        count
    }

    fn add(&mut self, change: &FileChange) {
        match (&change.before, &change.after) {
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
            _ => self.changed += 1,
        }
        let size = |state: &Option<FileState>| state.as_ref().map_or(0, |state| state.size);
        self.before += size(&change.before);
        self.after += size(&change.after);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { added, removed, changed, before, after } = self;
        let numbers = [("added", added), ("removed", removed), ("changed", changed)];
        let numbers = numbers.iter().filter(|(_, number)| **number > 0);
        let numbers: Vec<String> =
            numbers.map(|(what, number)| format!("{number} {what}")).collect();
        write!(f, "{} ({})", numbers.join(", "), Growth(*before, *after))
    }
}

impl fmt::Display for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind, self.mode, self.owner)?;
        match (&self.target, self.kind) {
            (Some(target), _) => write!(f, " {target}"),
            (None, "file") => write!(f, " {}", Size(self.size)),
            (None, _) => Ok(()),
        }
    }
}
