//! What an archive may become at most.

/// Bounds for one archive. They are held against what really comes out, never against what a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression, with the headers of a tar archive.
    pub unpacked_bytes: u64,
    /// Members of any kind.
    pub entries: u64,
}

impl Default for Limits {
    /// Returns 2 GiB and 200 000 members: several times the largest toolchain.
    fn default() -> Self {
        Self { unpacked_bytes: 2 << 30, entries: 200_000 }
    }
}

/// Room for all names and link texts of one archive, in bytes: they are what stays in memory.
pub(super) const NAMES: u64 = 64 << 20;

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// [`Limits::unpacked_bytes`].
    Bytes,
    /// [`Limits::entries`].
    Entries,
    /// Bytes of names and link texts, 64 MiB at most.
    Names,
}

impl std::fmt::Display for Measure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Bytes => "bytes",
            Self::Entries => "members",
            Self::Names => "bytes of names",
        })
    }
}
