//! Versions of the Docker Engine API, and the one agreed on with an engine.

use std::fmt;

use crate::error::Error;

/// A version of the API, such as 1.41.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion(pub(super) u32, pub(super) u32);

/// Docker Engine 20.10.
pub(super) const OLDEST: ApiVersion = ApiVersion(1, 41);

/// What the request and answer types used here describe.
pub(super) const NEWEST: ApiVersion = ApiVersion(1, 53);

impl ApiVersion {
    /// Reads `1.41`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }

    /// Returns the version to speak with an engine whose newest is `self`.
    ///
    /// Every engine speaks its own newest version, so only an engine newer than this program can
    /// still refuse: then [`NEWEST`] has to be tried.
    pub(super) fn agree(self) -> Result<Agreement, Error> {
        match self {
            engine if engine < OLDEST => Err(outside(engine.to_string())),
            engine if engine <= NEWEST => Ok(Agreement::Settled(engine)),
            _ => Ok(Agreement::Try(NEWEST)),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// How far two sides have come in agreeing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Both speak it.
    Settled(ApiVersion),
    /// We speak it and the engine may have given it up.
    Try(ApiVersion),
}

/// Returns the error for an engine that offers only `engine`.
pub(super) fn outside(engine: String) -> Error {
    Error::Version { engine, oldest: OLDEST.to_string(), newest: NEWEST.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_known_to_both_is_agreed_on() {
        let agree = |text| ApiVersion::parse(text).expect("a version").agree();
        assert_eq!(agree("1.41").expect("20.10"), Agreement::Settled(OLDEST));
        assert_eq!(agree("1.52").expect("29"), Agreement::Settled(ApiVersion(1, 52)));
        assert_eq!(agree("1.60").expect("the future"), Agreement::Try(NEWEST));
        let error = agree("1.40").expect_err("19.03").to_string();
        assert_eq!(error, "the container engine's API 1.40 is outside 1.41 to 1.53");
    }

    #[test]
    fn numbers_are_compared_and_not_letters() {
        assert!(ApiVersion::parse("1.9") < ApiVersion::parse("1.41"));
        assert_eq!(ApiVersion::parse("1"), None);
        assert_eq!(ApiVersion::parse("1.x"), None);
    }
}
