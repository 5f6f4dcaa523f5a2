//! A plan as Dockerfiles, for people who want to read it, or to build with Docker alone.
//!
//! They make an image that works like the workshop's own and is not the same bytes: Docker keeps times, and
//! what tools of npm need in turn is what the registry has that day. They build with every engine since 20.10,
//! with and without `BuildKit`, and name no place but the addresses of the recipe: whoever builds says where
//! packages come from.

mod base;
mod settings;
mod tools;
mod variant;
mod words;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::guest::LOCAL_REPOSITORY;
use crate::plan::BuildPlan;

/// What Docker is given: two Dockerfiles, one on the other, and the files that they copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfiles {
    files: BTreeMap<String, Vec<u8>>,
}

/// A text that no Dockerfile can hold: it would end the line that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in a Dockerfile")]
pub struct UnwritableText(pub String);

impl Dockerfiles {
    /// Renders a plan, for its platform.
    ///
    /// # Errors
    /// [`UnwritableText`] for a name, an address or a path with a line break in it.
    pub fn new(plan: &BuildPlan) -> Result<Self, UnwritableText> {
        let mut files = variant::files(&plan.guest);
        let texts = [
            ("Dockerfile.base", base::dockerfile(plan)?),
            ("Dockerfile.variant", variant::dockerfile(plan)?),
            (".dockerignore", IGNORE.to_owned()),
            ("ca/README", CERTIFICATES.to_owned()),
            ("base/dpkg.cfg", base::dpkg_options(&plan.base)?),
            ("base/sources", base::sources(&plan.base)?),
        ];
        files.extend(texts.map(|(path, text)| (path.to_owned(), text.into_bytes())));
        Ok(Self { files })
    }

    /// Returns the files by path in the folder.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Writes the files into a folder, which is made. What else is there stays, such as certificates.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for (path, bytes) in self.files() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, bytes)?;
            fs::set_permissions(&path, Permissions::from_mode(0o644))?;
        }
        Ok(())
    }
}

/// Returns the name that the base is given.
fn base_name(plan: &BuildPlan) -> String {
    format!("{LOCAL_REPOSITORY}-base:{}", plan.base.key().short())
}

const IGNORE: &str = "\
*
!base
!ca
!guest
";

const CERTIFICATES: &str = "\
Certificates (*.crt) in this folder are trusted while the images are built, and in them.
";
