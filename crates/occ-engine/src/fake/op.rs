//! Calls of the port, by name.

use std::fmt;

/// One call of the port, as it is named in `Engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the call of the same name")]
pub enum Op {
    Facts,
    Image,
    ImageDetails,
    Images,
    LoadImage,
    SaveImage,
    TagImage,
    RemoveImage,
    Volume,
    Volumes,
    VolumeSizes,
    CreateVolume,
    RemoveVolume,
    Container,
    Containers,
    CreateContainer,
    Upload,
    Download,
    Changes,
    ReadArchive,
    WriteArchive,
    RenameContainer,
    StartContainer,
    StopContainer,
    PauseContainer,
    UnpauseContainer,
    RemoveContainer,
    Stats,
    WaitContainer,
    Logs,
    Exec,
}

impl Op {
    /// Returns whether the call takes space on the engine's disk.
    pub(super) fn writes(self) -> bool {
        matches!(
            self,
            Self::LoadImage
                | Self::CreateVolume
                | Self::CreateContainer
                | Self::Upload
                | Self::WriteArchive
                | Self::StartContainer
        )
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Facts => "facts",
            Self::Image => "image",
            Self::ImageDetails => "image_details",
            Self::Images => "images",
            Self::LoadImage => "load_image",
            Self::SaveImage => "save_image",
            Self::TagImage => "tag_image",
            Self::RemoveImage => "remove_image",
            Self::Volume => "volume",
            Self::Volumes => "volumes",
            Self::VolumeSizes => "volume_sizes",
            Self::CreateVolume => "create_volume",
            Self::RemoveVolume => "remove_volume",
            Self::Container => "container",
            Self::Containers => "containers",
            Self::CreateContainer => "create_container",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Changes => "changes",
            Self::ReadArchive => "read_archive",
            Self::WriteArchive => "write_archive",
            Self::RenameContainer => "rename_container",
            Self::StartContainer => "start_container",
            Self::StopContainer => "stop_container",
            Self::PauseContainer => "pause_container",
            Self::UnpauseContainer => "unpause_container",
            Self::RemoveContainer => "remove_container",
            Self::Stats => "stats",
            Self::WaitContainer => "wait_container",
            Self::Logs => "logs",
            Self::Exec => "exec",
        })
    }
}
