//! A registry on this machine whose bytes are counted, and which can go back to what it was.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::Outcome;
use crate::bench::registry::{end, free_port, serve};
use crate::bench::sandbox::output;

/// Where blobs are in a registry's folder (distribution, filesystem driver).
const BLOBS: &str = "data/docker/registry/v2/blobs";

/// The distribution project's registry; dropped, it is stopped.
pub(super) struct Place {
    folder: PathBuf,
    port: u16,
    child: Child,
}

/// Bytes of registries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bytes {
    /// What came in as blobs and manifests.
    pub(super) sent: u64,
    /// What was read back.
    pub(super) read: u64,
    /// What the disk has.
    pub(super) stored: u64,
}

impl Place {
    /// Starts an empty one in a folder, which is made.
    pub(super) fn start(folder: PathBuf) -> Outcome<Self> {
        fs::create_dir_all(folder.join("data"))?;
        let port = free_port()?;
        let child = serve(&folder, port)?;
        Ok(Self { folder, port, child })
    }

    /// Returns the name of a repository here.
    pub(super) fn repository(&self, name: &str) -> String {
        format!("localhost:{}/bench/{name}", self.port)
    }

    /// Returns what was sent, read and stored so far.
    pub(super) fn bytes(&self) -> Outcome<Bytes> {
        count(&self.folder)
    }

    /// Keeps what there is under a name, to go back to.
    pub(super) fn keep(&self, name: &str) -> Outcome {
        copy(&self.folder.join("data"), &self.folder.join(name))
    }

    /// Goes back to what was kept.
    pub(super) fn go_back(&mut self, name: &str) -> Outcome {
        end(&mut self.child);
        copy(&self.folder.join(name), &self.folder.join("data"))?;
        self.child = serve(&self.folder, self.port)?;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Bytes {
    /// Returns what came since.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(before.sent),
            read: self.read.saturating_sub(before.read),
            stored: self.stored.saturating_sub(before.stored),
        }
    }
}

impl std::iter::Sum for Bytes {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            sent: sum.sent + one.sent,
            read: sum.read + one.read,
            stored: sum.stored + one.stored,
        })
    }
}

/// Counts in the folder of a registry.
fn count(folder: &Path) -> Outcome<Bytes> {
    let log = BufReader::new(fs::File::open(folder.join("access.log"))?);
    let mut bytes = Bytes::default();
    for line in log.lines() {
        bytes.read += answered(&line?).unwrap_or(0);
    }
    let blobs = folder.join(BLOBS);
    walk(&folder.join("data"), &mut |path, entry| {
        if entry.is_file() && path.starts_with(&blobs) {
            bytes.sent += entry.len();
        }
        // In blocks of 512 bytes (stat(2)): a name takes one too.
        bytes.stored += entry.blocks() * 512;
    })?;
    Ok(bytes)
}

/// Makes one folder what another is. Blobs are never written again and may be links; names are.
fn copy(from: &Path, to: &Path) -> Outcome {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    output(Command::new("cp").args(["-a", "--link"]).arg(from).arg(to))?;
    let names = "docker/registry/v2/repositories";
    if to.join(names).exists() {
        fs::remove_dir_all(to.join(names))?;
        output(Command::new("cp").arg("-a").arg(from.join(names)).arg(to.join(names)))?;
    }
    Ok(())
}

fn walk(folder: &Path, tell: &mut dyn FnMut(&Path, &fs::Metadata)) -> Outcome {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        tell(&path, &metadata);
        if metadata.is_dir() {
            walk(&path, tell)?;
        }
    }
    Ok(())
}

/// Returns the bytes that a line of a registry's log says were answered (the common log format of Apache): the
/// number behind request and status.
fn answered(line: &str) -> Option<u64> {
    let after = line.split('"').nth(2)?;
    after.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_was_answered_is_read_from_the_log() {
        let line =
            r#"127.0.0.1 - - [29/Nov/2026:21:00:00 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "occ""#;
        assert_eq!(answered(line), Some(2));
        assert_eq!(answered("time=\"2026\" level=error msg=\"no\""), None);
        assert_eq!(answered(""), None);
    }

    #[test]
    fn what_is_kept_stays_and_bytes_are_counted() {
        let folder = TempDir::new().expect("a folder");
        let data = folder.path().join("data");
        let blob = folder.path().join(BLOBS).join("sha256/aa/one/data");
        let name = data.join("docker/registry/v2/repositories/bench/link");
        let write = |path: &Path, text: &str| {
            fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
            fs::write(path, text).expect("written");
        };
        write(&folder.path().join("access.log"), "a - - [] \"GET /v2/\" 200 7 \"\"\nelse\n");
        write(&blob, "12345");
        write(&name, "old");
        let before = count(folder.path()).expect("counted");
        assert_eq!((before.sent, before.read), (5, 7));
        copy(&data, &folder.path().join("kept")).expect("kept");
        // As a registry does it: into the file that is there.
        write(&name, "new");
        write(&folder.path().join(BLOBS).join("sha256/bb/two/data"), "1234567890");
        let more = count(folder.path()).expect("counted").since(before);
        assert_eq!((more.sent, more.read), (10, 0));
        assert!(more.stored >= 512, "{more:?}");
        copy(&folder.path().join("kept"), &data).expect("back");
        assert_eq!(fs::read_to_string(&name).expect("there"), "old");
        assert_eq!(count(folder.path()).expect("counted").sent, 5);
    }
}
