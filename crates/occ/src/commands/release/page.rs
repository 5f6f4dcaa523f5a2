//! A file that is made by the program: written, or compared with what would be written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use occ_release::Drift;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// A file and what must be in it.
pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// What is done with pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// They are written.
    Write,
    /// It is said which would be written.
    Show,
    /// They are compared; one that differs is a failure.
    Check,
}

/// Pages that one command makes.
pub(super) struct Pages {
    pub(super) all: Vec<Page>,
    /// The command that writes them.
    pub(super) mend: String,
    /// Schema of the result.
    pub(super) schema: &'static str,
}

/// A page that is not what would be written, and why.
struct Stale<'a> {
    page: &'a Page,
    why: String,
}

impl Pages {
    /// Does with them what is wished.
    pub(super) fn handle(&self, way: Way, context: &Context) -> Result<Exit, Failure> {
        let stale = self.stale()?;
        if way == Way::Write {
            stale.iter().try_for_each(|stale| write(stale.page))?;
        }
        if way == Way::Check && !stale.is_empty() {
            return Err(self.drifted(&stale));
        }
        let verb = if way == Way::Write { "written" } else { "would be written" };
        let paths = stale.iter().map(|stale| stale.page.path.display().to_string());
        let paths: Vec<String> = paths.collect();
        let text = match paths.as_slice() {
            [] => "everything is as it would be written\n".to_owned(),
            paths => paths.iter().map(|path| format!("{verb}: {path}\n")).collect(),
        };
        let data = json!({
            "changed": way == Way::Write && !paths.is_empty(),
            "files": self.all.iter().map(|page| &page.path).collect::<Vec<_>>(),
            "stale": paths,
        });
        context.terminal.result(self.schema, &data, &text)?;
        Ok(Exit::Done)
    }

    fn stale(&self) -> Result<Vec<Stale<'_>>, Failure> {
        let mut stale = Vec::new();
        for page in &self.all {
            let why = match read(&page.path)? {
                None => Some("it is not there".to_owned()),
                Some(found) => Drift::between(&found, &page.text).map(|drift| drift.to_string()),
            };
            stale.extend(why.map(|why| Stale { page, why }));
        }
        Ok(stale)
    }

    fn drifted(&self, stale: &[Stale<'_>]) -> Failure {
        let files = if stale.len() == 1 { "a file is" } else { "files are" };
        let mut failure =
            Failure::new(Exit::Failed, format!("{files} not what would be written now"));
        let told = |stale: &Stale<'_>| format!("{}: {}", stale.page.path.display(), stale.why);
        failure.causes = stale.iter().map(told).collect();
        failure.hint(&self.mend)
    }
}

fn read(path: &Path) -> Result<Option<String>, Failure> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable("read", path, &error)),
    }
}

fn write(page: &Page) -> Result<(), Failure> {
    let folder = page.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    let written = made.and_then(|()| fs::write(&page.path, &page.text));
    written.map_err(|error| unusable("write", &page.path, &error))
}

fn unusable(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot {verb} {}: {error}", path.display()))
}
