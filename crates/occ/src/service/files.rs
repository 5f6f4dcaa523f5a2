//! The file that tells a manager of a service: whose it is, writing, removing.

use std::fs;
use std::io;
use std::path::Path;

use occ_sandbox::FileError;

use super::Service;

/// What stands where a service's file would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing.
    Absent,
    /// Exactly this.
    Same,
    /// Ours, of other settings or of another version.
    Ours,
    /// Somebody else's.
    Foreign,
}

/// Looks at what stands there; `text` is what should.
pub(crate) fn standing(path: &Path, service: &Service, text: &str) -> Result<Standing, FileError> {
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => Ok(Standing::Same),
        Ok(found) => {
            let mark = service.mark();
            let found = String::from_utf8_lossy(&found);
            // A whole number: user 1 does not own what user 10 made.
            let ours = found.match_indices(&mark).any(|(at, _)| {
                !found[at + mark.len()..].starts_with(|next: char| next.is_ascii_digit())
            });
            Ok(if ours { Standing::Ours } else { Standing::Foreign })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::Absent),
        Err(error) => Err(FileError::wrap("read", path)(error)),
    }
}

/// Writes the file; its folder is made where it is missing.
pub(crate) fn write(path: &Path, text: &str, service: &Service) -> Result<(), FileError> {
    let folder = path.parent().expect("a service's file is in a folder");
    fs::create_dir_all(folder).map_err(FileError::wrap("create the folder", folder))?;
    // The machine's manager runs as root; others may read what it runs, as of every service.
    let mode = if service.scope == super::Scope::System { 0o644 } else { 0o600 };
    occ_sandbox::replace(path, text.as_bytes(), mode)
}

/// Removes the file; that it is gone already is as good.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::wrap("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scope, sample::nasty};
    use super::*;

    #[test]
    fn only_what_was_made_for_this_user_is_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.service");
        let service = nasty(Scope::User);
        let look = || standing(&path, &service, "wished").expect("readable");
        assert_eq!(look(), Standing::Absent);
        write(&path, "wished", &service).expect("writable");
        assert_eq!(look(), Standing::Same);
        for (text, expected) in [
            (format!("# {}; and so on", service.mark()), Standing::Ours),
            (format!("# {}0; and so on", service.mark()), Standing::Foreign),
            ("[Unit]".to_owned(), Standing::Foreign),
        ] {
            write(&path, &text, &service).expect("writable");
            assert_eq!(look(), expected, "{text}");
        }
        remove(&path).expect("removable");
        remove(&path).expect("removing what is gone succeeds");
    }
}
