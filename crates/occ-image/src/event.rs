//! News while an image is built.

use std::fmt;

use occ_oci::{Digest, Platform};

use crate::recipe::Architecture;

/// A part of the work: a layer, or the files that layers are made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Packages that are fetched, by the name of their source, such as `npm`.
    Packages(&'static str),
    /// The Debian base for a platform.
    Base(Platform),
    /// The layer of a tool for a platform.
    Tool(String, Platform),
    /// The guest's own files.
    Guest,
    /// The finished images on disk.
    Layout,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packages(source) => write!(f, "packages from {source}"),
            Self::Base(platform) => write!(f, "Debian base ({})", Architecture::from(*platform)),
            Self::Tool(tool, platform) => write!(f, "{tool} ({})", Architecture::from(*platform)),
            Self::Guest => f.write_str("guest files"),
            Self::Layout => f.write_str("images"),
        }
    }
}

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Another build makes what this one needs next; this one goes on when it is done.
    WaitingForOtherBuild,
    /// The part was there already.
    Reused(Part),
    /// A kept layer is damaged and is made again.
    Damaged(Part),
    /// A kept file of somebody else is damaged and is fetched again.
    DamagedFile(Digest),
    /// The registry does not have a package that another one can do without; the lock leaves it out.
    Lacking {
        /// For which tool.
        tool: String,
        /// Package and version.
        package: String,
        /// The architecture that it is for.
        architecture: Architecture,
    },
    /// The part is being made.
    Begin(Part),
    /// What the program at work says it does, in its words.
    Doing {
        /// For which part.
        part: Part,
        /// One line.
        what: String,
    },
    /// Packages installed or fetched so far, of `total` known so far.
    Count {
        /// For which part.
        part: Part,
        /// Done.
        done: u32,
        /// Known so far.
        total: u32,
    },
    /// Bytes of the part so far, of `total`.
    Bytes {
        /// Of which part.
        part: Part,
        /// Written or fetched.
        done: u64,
        /// All, 0 when unknown.
        total: u64,
    },
    /// The part is done.
    Done(Part),
}

/// Receives events; it must not block.
pub type Observer<'a> = &'a (dyn Fn(Event) + Send + Sync);
