//! The operations that a provenance document promises, and what they are in opencode's interface.
//!
//! Documents name `POST /session/:id/file.read` and `file.list`, which the server never had under these names.
//! This is the one table that says how each is asked for, and the version it was tried with.

use std::fmt;

use crate::ServerLine;

/// Something an engine is promised to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Hear what happens, as it happens.
    Event,
    /// Begin a session.
    SessionCreate,
    /// Run a shell command in a session.
    SessionShell,
    /// Read a file of the workspace.
    FileRead,
    /// List a folder of the workspace.
    FileList,
}

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// HTTP method.
    pub method: &'static str,
    /// Path; what stands for a value has a colon, as in `:id`.
    pub path: &'static str,
    /// The version of the server that it was tried with.
    pub tested_with: &'static str,
}

impl Operation {
    /// All of them, in the order documents name them.
    pub const ALL: [Self; 5] =
        [Self::Event, Self::SessionCreate, Self::SessionShell, Self::FileRead, Self::FileList];

    /// Returns the name, such as `file.read`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::SessionCreate => "session.create",
            Self::SessionShell => "session.shell",
            Self::FileRead => "file.read",
            Self::FileList => "file.list",
        }
    }

    /// Returns what a provenance document calls it.
    pub const fn promised(self) -> &'static str {
        match self {
            Self::Event => "GET /event",
            Self::SessionCreate => "POST /session",
            Self::SessionShell => "POST /session/:id/shell",
            Self::FileRead => "POST /session/:id/file.read",
            Self::FileList => "POST /session/:id/file.list",
        }
    }

    /// Returns what it does, in a few words.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Event => "events of the server as they happen; begins with server.connected",
            Self::SessionCreate => "begin a session",
            Self::SessionShell => "run a shell command in a session",
            Self::FileRead => "read a file of the workspace",
            Self::FileList => "list a folder of the workspace",
        }
    }

    /// Returns how a server of this line is asked for it.
    pub const fn request(self, line: ServerLine) -> Request {
        let ServerLine::V1 = line;
        let (method, path) = match self {
            Self::Event => ("GET", "/event"),
            Self::SessionCreate => ("POST", "/session"),
            Self::SessionShell => ("POST", "/session/:id/shell"),
            Self::FileRead => ("GET", "/file/content?path=:path"),
            Self::FileList => ("GET", "/file?path=:path"),
        };
        Request { method, path, tested_with: "1.18.33" }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}
