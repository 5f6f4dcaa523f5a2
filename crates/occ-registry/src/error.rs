//! Why a call to a registry failed, told apart by structure (status, errno, what did not match).

use std::path::PathBuf;
use std::time::Duration;

use occ_oci::VerifyingError;

use crate::address::AddressError;
use crate::auth::ChallengeError;
use crate::keychain::KeychainError;
use crate::manifest::ManifestError;

/// Anything that went wrong below.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A call to a registry that failed: whom, about what, and why.
///
/// It holds no credential and no word of the registry beyond its error codes: what a stranger writes
/// may repeat what we sent.
#[derive(Debug, thiserror::Error)]
#[error("{registry}: {what}")]
pub struct Error {
    /// The registry, as it stands in a reference.
    pub registry: String,
    /// What was asked for.
    pub what: String,
    /// Why it failed.
    #[source]
    pub reason: Reason,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// No connection.
    #[error("cannot connect to {to}")]
    Connect {
        /// Host and port.
        to: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The other side could not prove its name, or speaks no TLS.
    #[error("{to} does not prove who it is")]
    Untrusted {
        /// Host and port.
        to: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The authorities that may vouch for a registry cannot be read.
    #[error("cannot use the certificates in {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A proxy is set that cannot be used, or it refuses.
    #[error("the proxy {proxy} does not connect: {problem}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It was silent for too long.
    #[error("nothing came for {} s", after.as_secs_f64())]
    Silent {
        /// How long that was waited for.
        after: Duration,
    },
    /// The call took too long with all its tries.
    #[error("it took longer than {} s", after.as_secs_f64())]
    Deadline {
        /// How long that was waited for.
        after: Duration,
    },
    /// The conversation broke off, or was no HTTP.
    #[error("the conversation broke off")]
    Broken(#[source] Cause),
    /// 401, and there are no credentials, or these are wrong.
    #[error("the credentials are missing or wrong")]
    Unauthorized,
    /// 403: known, and not allowed.
    #[error("access is denied{}", shown(codes))]
    Denied {
        /// Error codes of the registry.
        codes: Vec<String>,
    },
    /// 404 and 410: the registry has nothing of this name.
    #[error("it is not there")]
    NotFound,
    /// 429: too many requests.
    #[error("it is asked too often")]
    Busy {
        /// How long to wait before asking again, when it said so.
        after: Option<Duration>,
    },
    /// 5xx: something is wrong on the other side.
    #[error("it answers {status}")]
    Failing {
        /// HTTP status.
        status: u16,
    },
    /// Any other status than the specification has for a success.
    #[error("it answers {status}{}", shown(codes))]
    Refused {
        /// HTTP status.
        status: u16,
        /// Error codes of the registry.
        codes: Vec<String>,
    },
    /// The answer breaks the specification.
    #[error("{0}")]
    Answer(&'static str),
    /// The answer is larger than anybody needs.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The bytes are not those that were promised.
    #[error("the bytes are not the promised ones")]
    Bytes(#[from] VerifyingError),
    /// The document is no manifest, or more than one at once.
    #[error("the manifest is refused")]
    Manifest(#[from] ManifestError),
    /// A manifest that was listed as being about something else is not.
    #[error("it is not about {subject}")]
    NotAbout {
        /// What it was said to be about.
        subject: String,
    },
    /// Credentials could not be found out.
    #[error("the credentials cannot be read")]
    Keychain(#[from] KeychainError),
    /// The registry asks for credentials in a way that is not understood.
    #[error("its challenge is not understood")]
    Challenge(#[from] ChallengeError),
    /// The registry sends us to another host with our credentials.
    #[error("it wants its credentials sent to {realm}, which is not known to belong to it")]
    ForeignRealm {
        /// Scheme, host and port.
        realm: String,
    },
    /// The registry sends us to a place where we do not go.
    #[error("it leads to an address that is not followed")]
    Address(#[from] AddressError),
    /// The registry leads from an encrypted place to one that is not.
    #[error("it leads to {to}, without encryption")]
    Downgrade {
        /// Scheme, host and port.
        to: String,
    },
    /// The registry wants the bytes of an upload elsewhere.
    #[error("it wants the upload at {to}")]
    ForeignUpload {
        /// Scheme, host and port.
        to: String,
    },
    /// One redirect too many.
    #[error("it leads from place to place")]
    RedirectLoop,
    /// The upload is at another point than the registry.
    #[error("it expects another part of the upload")]
    OutOfStep,
    /// The registry does not know the upload any more.
    #[error("it has forgotten the upload")]
    ForgottenUpload,
    /// What was to be sent cannot be read.
    #[error("what is to be sent cannot be read")]
    Source(#[source] Cause),
    /// Other writers replaced the list of referrers again and again.
    #[error("other writers replace the list of referrers")]
    Contended,
    /// An image that is nested or referred to beyond any use.
    #[error("there are more than {limit} {of}")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Of what.
        of: &'static str,
    },
}

fn shown(codes: &[String]) -> String {
    if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) }
}

impl Reason {
    /// Returns whether the same call may succeed a moment later. A host where nobody listens has answered.
    pub fn may_pass(&self) -> bool {
        if let Self::Connect { source, .. } = self {
            return source.kind() != std::io::ErrorKind::ConnectionRefused;
        }
        matches!(
            self,
            Self::Silent { .. }
                | Self::Broken(_)
                | Self::Busy { .. }
                | Self::Failing { .. }
                | Self::OutOfStep
                | Self::ForgottenUpload
        )
    }

    /// Returns how long the registry asked to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { after } => *after,
            _ => None,
        }
    }

    /// Returns whether the bytes were there and were not the right ones.
    pub fn is_mismatch(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }

    /// Returns whether the registry answered that there is nothing of this name.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound)
    }
}
