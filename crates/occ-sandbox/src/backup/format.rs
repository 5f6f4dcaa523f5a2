//! What stands in a backup, and under which names.

use occ_image::guest;
use serde::{Deserialize, Serialize};

/// What the first entry says it is.
pub(super) const KIND: &str = "opencode-cloud backup";
/// The form that this program writes, and the newest it reads.
pub(super) const FORMAT: u32 = 1;
/// Name of the first entry.
pub(super) const HEAD: &str = "occ-backup.json";
/// Name of the last entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// Name of the record.
pub(super) const RECORD: &str = "record.json";
/// Name of the settings.
pub(super) const SETTINGS: &str = "settings.json";
/// Bytes of a volume's archive in one entry.
pub(super) const PIECE: usize = 4 << 20;
/// Most bytes of an entry that is read whole.
pub(super) const SMALL: u64 = 4 << 20;

/// The first entry: what this file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Always the same text.
    pub kind: String,
    /// The form of what follows.
    pub format: u32,
    /// The instance it was made of.
    pub instance: String,
    /// When, RFC 3339, UTC.
    pub created_at: String,
    /// Version of the program that made it.
    pub occ_version: String,
    /// Version of opencode that ran.
    pub opencode_version: Option<String>,
    /// Names of the volumes in it, by place.
    pub volumes: Vec<String>,
    /// The folder of the host that was the workspace; it is not in the backup.
    pub folder: Option<String>,
}

/// The last entry: what must have come before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Every part.
    pub parts: Vec<Part>,
    /// SHA-256 of the archive's bytes before this entry.
    pub whole: String,
}

/// One part: an entry, or a volume's archive put together from its pieces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: String,
}

/// What a name in a backup means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Head,
    Record,
    Settings,
    Manifest,
    Piece { place: &'static str, number: u32 },
}

impl Name {
    /// Reads a name; there are no others.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            HEAD => return Some(Self::Head),
            RECORD => return Some(Self::Record),
            SETTINGS => return Some(Self::Settings),
            MANIFEST => return Some(Self::Manifest),
            _ => {}
        }
        let (place, number) = text.strip_prefix("volumes/")?.split_once(".tar/")?;
        let place = guest::PLACES.iter().find(|known| known.name == place)?.name;
        let digits = number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self::Piece { place, number: number.parse().ok().filter(|_| digits)? })
    }
}

/// Returns the name of a volume's archive.
pub(super) fn archive(place: &str) -> String {
    format!("volumes/{place}.tar")
}

/// Returns the name of one piece of it.
pub(super) fn piece(place: &str, number: u32) -> String {
    format!("{}/{number:06}", archive(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_written_is_read_and_no_other() {
        let name = Name::parse(&piece("data", 7));
        assert_eq!(name, Some(Name::Piece { place: "data", number: 7 }));
        for text in [
            "",
            "x",
            "volumes/other.tar/000000",
            "volumes/../x.tar/000000",
            "volumes/data.tar/1",
            "volumes/data.tar/+00001",
            "../record.json",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
