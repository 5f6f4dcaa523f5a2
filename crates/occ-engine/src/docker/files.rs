//! Files on their way into a container and out of it, as archives.

use std::io::{self, Read as _};

use bollard::body_full;
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::TryStreamExt as _;

use super::failure::broken;
use super::{ACT, Docker, absent, named, within};
use crate::engine::GuestFile;
use crate::error::Error;

impl Docker {
    pub(super) async fn put_files(
        &self,
        container: &str,
        files: &[GuestFile],
    ) -> Result<(), Error> {
        let archive = archive(files)
            .map_err(|source| Error::Local { doing: "pack files for the sandbox", source })?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let body = body_full(archive.into());
        let asked = self.client.upload_to_container(named(container)?, Some(options), body);
        within("putting files into a container", ACT, asked).await
    }

    pub(super) async fn get_file(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        const DOING: &str = "getting a file out of a container";
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let asked = self.client.download_from_container(named(container)?, Some(options));
        let pieces = asked.try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        match absent(within(DOING, ACT, pieces).await)? {
            Some(archive) => plain_file(path, &archive).map(Some),
            None => self.absent_path(container).await,
        }
    }
}

/// Returns the contents of the only entry.
fn plain_file(path: &str, archive: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |error| broken("unpacking a file of a container", error);
    let mut archive = tar::Archive::new(archive);
    if let Some(entry) = archive.entries().map_err(failed)?.next() {
        let mut entry = entry.map_err(failed)?;
        if entry.header().entry_type() == tar::EntryType::Regular {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(failed)?;
            return Ok(bytes);
        }
    }
    Err(Error::Refused { status: 400, message: format!("{path} is not a plain file") })
}

/// Returns a tar archive whose paths start at the container's root.
fn archive(files: &[GuestFile]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.owner.0.into());
        header.set_gid(file.owner.1.into());
        header.set_mtime(0);
        let folder = file.path.ends_with('/');
        header.set_entry_type(if folder {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        let path = file.path.trim_start_matches('/');
        archive.append_data(&mut header, path, file.bytes.as_slice())?;
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> GuestFile {
        GuestFile { path: path.to_owned(), bytes: b"x".to_vec(), mode: 0o400, owner: (1000, 1001) }
    }

    #[test]
    fn an_archive_carries_owner_and_mode_under_a_path_from_the_root() {
        let bytes = archive(&[file("/run/secret")]).expect("an archive");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entry = archive.entries().expect("entries").next().expect("one").expect("readable");
        let header = entry.header();
        assert_eq!(entry.path().expect("a path").to_str(), Some("run/secret"));
        assert_eq!(header.mode().ok(), Some(0o400));
        assert_eq!((header.uid().ok(), header.gid().ok()), (Some(1000), Some(1001)));
    }

    #[test]
    fn a_path_that_climbs_is_not_packed() {
        assert!(archive(&[file("/run/../etc/shadow")]).is_err());
    }
}
