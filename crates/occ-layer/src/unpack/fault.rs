//! What a member can have that is not taken from strangers.

/// Why a member is refused. Reads on after the member's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No name at all, or only the name of the whole for something that is no folder.
    #[error("has no name of its own")]
    Nameless,
    /// The name is not Unicode.
    #[error("has a name or target that is not UTF-8")]
    NotUtf8,
    /// A control character, NUL or a backslash in the name.
    #[error("has a control character or backslash in its name or target")]
    Unprintable,
    /// Longer than Linux can open: 255 bytes for a part, 4096 for the whole.
    #[error("has too long a name or target")]
    TooLong,
    /// The name begins with `/`.
    #[error("has an absolute path")]
    Absolute,
    /// The name has `..` in it.
    #[error("has a path with '..' in it")]
    Climbs,
    /// The name ends with `/` and the member is no folder, or the other way round in a zip archive.
    #[error("is a folder by its name or by its kind, not by both")]
    Contradiction,
    /// The symbolic link is absolute, empty, climbs too high, or has `..` after a name.
    #[error("is a symbolic link to {0:?}, which may lead out of the archive")]
    SymlinkOut(String),
    /// The hard link leads to what is no file of this archive.
    #[error("is a hard link to {0:?}, which is no file of the archive")]
    HardlinkOut(String),
    /// A device, pipe or socket.
    #[error("is a device, pipe or socket")]
    Special,
    /// Set-user-id, set-group-id or sticky, on a file or folder.
    #[error("has a set-id or sticky bit")]
    SetId,
    /// Something that is no file has contents.
    #[error("has contents and is no file")]
    Contents,
    /// A sparse file, which stands packed in the archive.
    #[error("is a sparse file")]
    Sparse,
    /// A kind of tar entry that is not known here.
    #[error("is of the unknown kind {0:?}")]
    Kind(char),
    /// An encrypted member of a zip archive.
    #[error("is encrypted")]
    Encrypted,
    /// A member of a zip archive that is neither stored nor deflated.
    #[error("is compressed with method {0}, which is not read here")]
    Compression(u16),
    /// A second member with this path.
    #[error("is there twice")]
    Duplicate,
    /// Another path differs only in upper and lower case.
    #[error("differs from {0:?} only in upper and lower case")]
    CaseCollision(String),
    /// The member lies in what is a file.
    #[error("lies in {0:?}, which is no folder")]
    InFile(String),
    /// The member lies behind a symbolic link.
    #[error("lies behind the symbolic link {0:?}")]
    BehindSymlink(String),
}
