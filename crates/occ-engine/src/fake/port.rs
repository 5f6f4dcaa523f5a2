//! The port, answered from memory.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::images::{KeptImage, read_archive};
use super::{FakeEngine, Files, Op, World};
use crate::change::FileChange;
use crate::container::{ContainerId, ContainerSpec, ContainerState, ExitStatus, Phase};
use crate::details::ImageDetails;
use crate::engine::{ArchiveStream, Engine, GuestFile};
use crate::error::Error;
use crate::exec::{ExecIo, ExecSpec};
use crate::facts::{EngineFacts, ImageFacts, VolumeFacts};
use crate::image::{Event, ImageId, Observer};
use crate::logs::{LogStream, LogsQuery};
use crate::stats::Stats;

/// Bytes of an archive that come at once.
const PIECE: usize = 1000;

impl Engine for FakeEngine {
    async fn facts(&self) -> Result<EngineFacts, Error> {
        self.call(Op::Facts, "", |world| Ok(world.facts.clone()))
    }

    async fn image(&self, name: &str) -> Result<Option<ImageFacts>, Error> {
        self.call(Op::Image, name, |world| Ok(world.kept(name).map(|image| image.facts.clone())))
    }

    async fn image_details(&self, name: &str) -> Result<Option<ImageDetails>, Error> {
        self.call(Op::ImageDetails, name, |world| Ok(world.kept(name).map(KeptImage::details)))
    }

    async fn images(&self, label: &str) -> Result<Vec<ImageFacts>, Error> {
        self.call(Op::Images, label, |world| {
            let all = world.images.values().map(|image| &image.facts);
            let labelled = all.filter(|facts| facts.labels.contains_key(label));
            let mut found: Vec<_> = labelled.cloned().collect();
            found.sort_by(|one, other| (&one.tags, &one.id).cmp(&(&other.tags, &other.id)));
            Ok(found)
        })
    }

    async fn load_image(
        &self,
        archive: Box<dyn Read + Send>,
        total: u64,
        observer: Observer<'_>,
    ) -> Result<(), Error> {
        observer(Event::Sent { bytes: total, total });
        observer(Event::Unpacking);
        // Whoever reads may have to wait for what it is still to be given.
        let read = tokio::task::spawn_blocking(|| read_archive(archive)).await;
        let files = read.map_err(io::Error::other).and_then(|read| read);
        self.call(Op::LoadImage, "", |world| {
            let doing = "read the image archive";
            world.load(&files.map_err(|source| Error::Local { doing, source })?)
        })
    }

    async fn save_image(&self, name: &str) -> Result<Option<ArchiveStream>, Error> {
        let archive = self.call(Op::SaveImage, name, |world| world.save(name))?;
        Ok(archive.map(in_pieces))
    }

    async fn tag_image(&self, id: &ImageId, name: &str) -> Result<(), Error> {
        self.call(Op::TagImage, name, |world| world.name_image(id, name))
    }

    async fn remove_image(&self, name: &str) -> Result<(), Error> {
        self.call(Op::RemoveImage, name, |world| world.unname_image(name))
    }

    async fn volume(&self, name: &str) -> Result<Option<VolumeFacts>, Error> {
        self.call(Op::Volume, name, |world| Ok(world.volumes.get(name).cloned()))
    }

    async fn volumes(&self, label: &str) -> Result<Vec<VolumeFacts>, Error> {
        self.call(Op::Volumes, label, |world| {
            let all = world.volumes.values();
            Ok(all.filter(|facts| facts.labels.contains_key(label)).cloned().collect())
        })
    }

    async fn volume_sizes(&self) -> Result<BTreeMap<String, u64>, Error> {
        self.call(Op::VolumeSizes, "", |world| {
            let size = |files: &Files| files.values().map(|bytes| bytes.len() as u64).sum();
            Ok(world.contents.iter().map(|(name, files)| (name.clone(), size(files))).collect())
        })
    }

    async fn create_volume(&self, name: &str, labels: &[(String, String)]) -> Result<bool, Error> {
        self.call(Op::CreateVolume, name, |world| Ok(world.create_volume(name, labels)))
    }

    async fn remove_volume(&self, name: &str) -> Result<(), Error> {
        self.call(Op::RemoveVolume, name, |world| world.destroy_volume(name))
    }

    async fn container(&self, name: &str) -> Result<Option<ContainerState>, Error> {
        self.call(Op::Container, name, |world| {
            Ok(world.find(name).ok().map(|found| found.state.clone()))
        })
    }

    async fn containers(&self, label: &str) -> Result<Vec<ContainerState>, Error> {
        self.call(Op::Containers, label, |world| {
            let all = world.containers.iter().map(|found| &found.state);
            let mut found: Vec<_> =
                all.filter(|state| state.labels.contains_key(label)).cloned().collect();
            found.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(found)
        })
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId, Error> {
        self.call(Op::CreateContainer, &spec.name, |world| world.create(spec))
    }

    async fn upload(&self, container: &str, files: &[GuestFile]) -> Result<(), Error> {
        self.call(Op::Upload, container, |world| {
            world.find(container)?;
            for file in files {
                world.put(container, file.clone())?;
                world.notice(container, &file.path);
            }
            Ok(())
        })
    }

    async fn download(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        self.call(Op::Download, container, |world| world.get(container, path))
    }

    async fn changes(&self, container: &str) -> Result<Vec<FileChange>, Error> {
        self.call(Op::Changes, container, |world| world.changes(container))
    }

    async fn read_archive(
        &self,
        container: &str,
        path: &str,
    ) -> Result<Option<ArchiveStream>, Error> {
        let archive = self.call(Op::ReadArchive, container, |world| world.pack(container, path))?;
        Ok(archive.map(in_pieces))
    }

    async fn write_archive(
        &self,
        container: &str,
        path: &str,
        archive: Box<dyn Read + Send>,
    ) -> Result<(), Error> {
        self.call(Op::WriteArchive, container, |world| world.unpack(container, path, archive))
    }

    async fn rename_container(&self, container: &str, new_name: &str) -> Result<(), Error> {
        let subject = format!("{container} {new_name}");
        self.call(Op::RenameContainer, &subject, |world| world.rename(container, new_name))
    }

    async fn start_container(&self, container: &str) -> Result<(), Error> {
        self.call(Op::StartContainer, container, |world| world.start(container))
    }

    async fn stop_container(&self, container: &str, _grace: Duration) -> Result<(), Error> {
        self.call(Op::StopContainer, container, |world| world.stop(container))
    }

    async fn pause_container(&self, container: &str) -> Result<(), Error> {
        self.call(Op::PauseContainer, container, |world| world.freeze(container))
    }

    async fn unpause_container(&self, container: &str) -> Result<(), Error> {
        self.call(Op::UnpauseContainer, container, |world| world.unpause(container))
    }

    async fn remove_container(&self, container: &str) -> Result<(), Error> {
        self.call(Op::RemoveContainer, container, |world| {
            world.remove(container);
            Ok(())
        })
    }

    async fn stats(&self, container: &str) -> Result<Option<Stats>, Error> {
        self.call(Op::Stats, container, |world| world.used(container))
    }

    async fn wait_container(&self, container: &str) -> Result<ExitStatus, Error> {
        let mut changes = self.changes.subscribe();
        let mut ended = self.call(Op::WaitContainer, container, |world| world.ended(container))?;
        loop {
            if let Some(exit) = ended {
                return Ok(exit);
            }
            self.next_change(&mut changes).await;
            ended = self.look(|world| match world.ended(container) {
                // Removed by force while we waited: killed first.
                Err(_) => Ok(Some(ExitStatus { code: 137, oom_killed: false, error: None })),
                ended => ended,
            })?;
        }
    }

    async fn logs(&self, container: &str, query: &LogsQuery) -> Result<LogStream, Error> {
        let (first, seen) = self.call(Op::Logs, container, |world| {
            let found = world.find(container)?;
            Ok((found.read(query, None), found.written()))
        })?;
        let first = stream::iter(first.into_iter().map(Ok));
        if !query.follow {
            return Ok(Box::pin(first));
        }
        let start = (self.clone(), container.to_owned(), query.clone(), seen);
        let rest = stream::try_unfold(start, |(engine, container, query, seen)| async move {
            let mut changes = engine.changes.subscribe();
            loop {
                let (news, written, alive) = engine.look(|world| {
                    let Ok(found) = world.find(&container) else {
                        return Ok((vec![], seen, false));
                    };
                    Ok((found.read(&query, Some(seen)), found.written(), found.is_alive()))
                })?;
                if !news.is_empty() {
                    let news = stream::iter(news.into_iter().map(Ok::<_, Error>));
                    return Ok(Some((news, (engine, container, query, written))));
                }
                if !alive {
                    return Ok(None);
                }
                engine.next_change(&mut changes).await;
            }
        });
        Ok(Box::pin(futures_util::StreamExt::chain(
            first,
            futures_util::TryStreamExt::try_flatten(rest),
        )))
    }

    async fn exec(&self, container: &str, spec: &ExecSpec, io: ExecIo<'_>) -> Result<i64, Error> {
        let subject = format!("{container} {}", spec.command.join(" "));
        let program =
            self.call(Op::Exec, &subject, |world| match world.find(container)?.state.phase {
                Phase::Running => Ok(world.program.clone()),
                _ => Err(Error::Conflict { message: format!("{container} is not running") }),
            })?;
        let ExecIo { stdin, mut stdout, mut stderr, size: _ } = io;
        let mut input = Vec::new();
        if let Some(mut stdin) = stdin {
            let read = stdin.read_to_end(&mut input).await;
            read.map_err(|source| Error::Local { doing: "read the program's input", source })?;
        }
        let ran = program(spec, &input);
        let writing = |source| Error::Local { doing: "write the program's output", source };
        stdout.write_all(&ran.stdout).await.map_err(writing)?;
        stdout.flush().await.map_err(writing)?;
        stderr.write_all(&ran.stderr).await.map_err(writing)?;
        stderr.flush().await.map_err(writing)?;
        Ok(ran.code)
    }
}

/// Returns an archive as it would come from a daemon.
fn in_pieces(archive: Vec<u8>) -> ArchiveStream {
    let archive = Bytes::from(archive);
    let starts = (0..archive.len()).step_by(PIECE);
    let piece = move |start| Ok(archive.slice(start..archive.len().min(start + PIECE)));
    Box::pin(stream::iter(starts.map(piece)))
}

impl FakeEngine {
    /// Looks again without a new call.
    fn look<T>(&self, look: impl FnOnce(&World) -> Result<T, Error>) -> Result<T, Error> {
        let world = self.lock();
        world.present()?;
        look(&world)
    }

    async fn next_change(&self, changes: &mut tokio::sync::watch::Receiver<u64>) {
        // The sender lives in `self`, so the channel cannot be closed here.
        let _open = changes.changed().await;
    }
}
