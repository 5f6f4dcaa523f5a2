//! An apt of our own: it knows one release of Debian for one architecture, and no installed package.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::sources::{self, Sources};
use crate::cache::{Cache, WorkFolder};
use crate::error::BuildError;
use crate::lock::DebianPin;
use crate::program::Program;
use crate::recipe::Architecture;
use crate::workshop::Workshop;

/// Settings, before those of the machine. An archive that is slow to answer is asked again; one that says
/// nothing at all ends in an error.
const SETTINGS: &str = r#"
APT::Install-Recommends "false";
APT::Update::Error-Mode "any";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"#;

/// Folders that it looks for.
const FOLDERS: [&str; 6] = [
    "etc/apt.conf.d",
    "etc/preferences.d",
    "etc/sources.list.d",
    "lists/partial",
    "cache/archives/partial",
    "files",
];

/// An apt with a root in a work folder.
pub(super) struct Apt<'a> {
    folder: WorkFolder,
    workshop: &'a Workshop,
    cancel: &'a AtomicBool,
}

impl<'a> Apt<'a> {
    /// Sets it up with the machine's sources and ways, and brings the lists of packages.
    pub(super) fn open(
        suite: &str,
        architecture: Architecture,
        workshop: &'a Workshop,
        cache: &Cache<'a>,
    ) -> Result<Self, BuildError> {
        let (_, cancel) = cache.context();
        let sources = sources::observe(suite, workshop, cancel)?;
        let apt = Self { folder: cache.work_folder()?, workshop, cancel };
        for folder in FOLDERS {
            let path = apt.path(folder);
            fs::create_dir_all(&path).map_err(BuildError::at(&path))?;
        }
        apt.write("status", "")?;
        apt.write("etc/sources.list", &(sources.lines.join("\n") + "\n"))?;
        apt.write("apt.conf", &configuration(apt.folder.path(), architecture, &sources))?;
        apt.get()
            .with(|command| {
                command.args(["update", "-q"]);
            })
            .run(|_, _| ())?;
        Ok(apt)
    }

    /// Prepares `apt-get`.
    pub(super) fn get(&self) -> Program<'a> {
        let configuration = self.path("apt.conf");
        Program::new(&self.workshop.programs.apt_get, "apt", self.cancel)
            .with(|command| {
                command.env("APT_CONFIG", configuration);
            })
            .writes_to(self.folder.path())
    }

    /// Keeps packages at versions, where the archive has them.
    pub(super) fn prefer(&self, pins: &[&DebianPin]) -> Result<(), BuildError> {
        let stanza = |pin: &&DebianPin| {
            format!("Package: {}\nPin: version {}\nPin-Priority: 1001\n\n", pin.name, pin.version)
        };
        self.write("etc/preferences", &pins.iter().map(stanza).collect::<String>())
    }

    /// Returns the folder of the lists of packages.
    pub(super) fn lists(&self) -> PathBuf {
        self.path("lists")
    }

    /// Returns an empty folder for files.
    pub(super) fn files(&self) -> PathBuf {
        self.path("files")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), BuildError> {
        let path = self.path(name);
        fs::write(&path, text).map_err(BuildError::at(&path))
    }
}

/// What apt reads before anything else, so that it never looks at the machine's own folders.
fn configuration(root: &Path, architecture: Architecture, sources: &Sources) -> String {
    let root = root.display();
    let options = sources.options.join("\n");
    format!(
        "Dir \"{root}\";\n\
         Dir::Etc \"{root}/etc\";\n\
         Dir::State \"{root}\";\n\
         Dir::State::lists \"{root}/lists\";\n\
         Dir::State::status \"{root}/status\";\n\
         Dir::Cache \"{root}/cache\";\n\
         APT::Architecture \"{architecture}\";\n\
         APT::Architectures {{ \"{architecture}\"; }};\n\
         {SETTINGS}{options}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_ways_come_after_ours_and_win() {
        let sources = Sources {
            lines: Vec::new(),
            options: vec!["Acquire::http::Timeout \"5\";".to_owned()],
        };
        let text = configuration(Path::new("/w"), Architecture::Arm64, &sources);
        assert!(text.starts_with("Dir \"/w\";\n"));
        assert!(text.contains("APT::Architectures { \"arm64\"; };\n"));
        assert!(text.find("Timeout \"30\"") < text.find("Timeout \"5\""));
    }
}
