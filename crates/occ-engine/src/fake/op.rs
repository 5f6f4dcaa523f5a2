//! Calls of the port, by name.

use std::fmt;

/// One call of the port, as it is named in `Engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the call of the same name")]
pub enum Op {
    Facts,
    Image,
    RemoteDigest,
    PullImage,
    LoadImage,
    TagImage,
    RemoveImage,
    Volume,
    CreateVolume,
    RemoveVolume,
    Container,
    CreateContainer,
    Upload,
    Download,
    StartContainer,
    StopContainer,
    UnpauseContainer,
    RemoveContainer,
    WaitContainer,
    Logs,
    Exec,
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Facts => "facts",
            Self::Image => "image",
            Self::RemoteDigest => "remote_digest",
            Self::PullImage => "pull_image",
            Self::LoadImage => "load_image",
            Self::TagImage => "tag_image",
            Self::RemoveImage => "remove_image",
            Self::Volume => "volume",
            Self::CreateVolume => "create_volume",
            Self::RemoveVolume => "remove_volume",
            Self::Container => "container",
            Self::CreateContainer => "create_container",
            Self::Upload => "upload",
            Self::Download => "download",
            Self::StartContainer => "start_container",
            Self::StopContainer => "stop_container",
            Self::UnpauseContainer => "unpause_container",
            Self::RemoveContainer => "remove_container",
            Self::WaitContainer => "wait_container",
            Self::Logs => "logs",
            Self::Exec => "exec",
        })
    }
}
