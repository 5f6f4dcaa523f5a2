//! Formats of archives, told from their file names.

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A tar archive (POSIX ustar and pax, GNU tar).
    Tar,
    /// A tar archive in gzip (RFC 1952), of one or more members.
    TarGz,
    /// A tar archive in xz.
    TarXz,
    /// A tar archive in Zstandard (RFC 8878).
    TarZst,
    /// A zip archive (APPNOTE.TXT), stored or deflated.
    Zip,
    /// No archive: the file itself is the one member.
    Plain,
}

impl Format {
    /// Returns the format that a file of this name has by custom; a name that says nothing is [`Self::Plain`].
    pub fn of_file_name(name: &str) -> Self {
        const ENDINGS: [(&str, Format); 7] = [
            (".tar", Format::Tar),
            (".tar.gz", Format::TarGz),
            (".tgz", Format::TarGz),
            (".tar.xz", Format::TarXz),
            (".tar.zst", Format::TarZst),
            (".zip", Format::Zip),
            (".whl", Format::Zip),
        ];
        ENDINGS
            .iter()
            .find(|(ending, _)| name.ends_with(ending))
            .map_or(Self::Plain, |(_, format)| *format)
    }
}
