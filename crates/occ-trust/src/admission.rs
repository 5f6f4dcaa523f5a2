//! What may be run, and why: a proof that only this crate can make.

use std::fmt;

use occ_oci::{Descriptor, Pinned};
use occ_registry::RawManifest;
use serde::Serialize;

use crate::evidence::Asking;
use crate::expectation::Expectation;
use crate::verdict::{Finding, Proof, Verdict};

/// Something that may be run. There are four ways to one, and each can be seen afterwards.
///
/// ```compile_fail
/// use occ_trust::{Admitted, Ground};
/// let forged = Admitted { inner: "image", ground: Ground::LocalBuild };
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Admitted<T> {
    inner: T,
    ground: Ground,
}

/// Why something may be run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "ground", rename_all = "kebab-case")]
pub enum Ground {
    /// It was proved who signed it.
    Verified(Box<Proof>),
    /// It is not signed, no signature is expected, and the mode is `warn`.
    Unsigned,
    /// It was built on this machine.
    LocalBuild,
    /// Somebody said not to verify it.
    UnverifiedByChoice,
}

impl<T> Admitted<T> {
    pub(crate) fn by(ground: Ground, inner: T) -> Self {
        Self { inner, ground }
    }

    /// Admits what was built on this machine.
    pub fn local_build(inner: T) -> Self {
        Self::by(Ground::LocalBuild, inner)
    }

    /// Admits what nobody verifies, because somebody chose that.
    pub fn unverified_by_choice(inner: T) -> Self {
        Self::by(Ground::UnverifiedByChoice, inner)
    }

    /// Returns what may be run.
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// Returns why.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Returns what was proved.
    pub fn proof(&self) -> Option<&Proof> {
        match &self.ground {
            Ground::Verified(proof) => Some(proof),
            _ => None,
        }
    }

    /// Gives up the proof.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

/// A manifest is none of an admitted index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{child} is not listed in {index}")]
pub struct NotListed {
    /// The manifest.
    pub child: String,
    /// The index.
    pub index: String,
}

impl Admitted<Pinned> {
    /// Admits a manifest because the admitted index lists its bytes: `index` must be the very bytes.
    ///
    /// # Errors
    /// [`NotListed`].
    pub fn child(
        &self,
        index: &RawManifest,
        child: &RawManifest,
    ) -> Result<(Self, Descriptor), NotListed> {
        let not_listed = || NotListed {
            child: child.digest().to_string(),
            index: self.inner.digest.to_string(),
        };
        let (listed, _) = index.parts();
        let is_it = |listed: &&Descriptor| {
            listed.digest == *child.digest().digest() && listed.size == child.bytes().len() as u64
        };
        let listed = listed
            .iter()
            .find(is_it)
            .filter(|_| *index.digest() == self.inner.digest)
            .ok_or_else(not_listed)?;
        let pinned =
            Pinned { repository: self.inner.repository.clone(), digest: child.digest().clone() };
        Ok((Self::by(self.ground.clone(), pinned), listed.clone()))
    }
}

/// Why something may not be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// What the verdict says is not enough in this mode.
    Verdict,
    /// It is not signed, and was expected to be.
    ExpectedSigned {
        /// What is remembered.
        expected: Box<Expectation>,
    },
    /// It is verified, and older than what was seen under a name that only moves forward.
    Rollback {
        /// What was seen, a release number or version.
        seen: String,
        /// What was signed.
        signed: String,
    },
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It may be run.
    Admitted(Admitted<Pinned>),
    /// It may not.
    Refused(Refusal),
}

/// Verdict, what was looked at on the way, and the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// What was asked for.
    pub image: Pinned,
    /// What was found out; none when nobody asked.
    pub verdict: Option<Verdict>,
    /// What did not count, and what somebody should know.
    pub findings: Vec<Finding>,
    /// Who was asked.
    pub asked: Vec<Asking>,
    /// What was decided.
    pub decision: Decision,
}

impl Admission {
    /// Returns whether it may be run.
    pub fn is_admitted(&self) -> bool {
        matches!(self.decision, Decision::Admitted(_))
    }

    /// Returns what may be run.
    ///
    /// # Errors
    /// The admission itself, which says why not.
    pub fn admitted(self) -> Result<Admitted<Pinned>, Box<Self>> {
        match self.decision {
            Decision::Admitted(admitted) => Ok(admitted),
            Decision::Refused(_) => Err(Box::new(self)),
        }
    }

    /// Returns the JSON form.
    pub fn to_json(&self) -> serde_json::Value {
        let (decision, why) = match &self.decision {
            Decision::Admitted(admitted) => ("admitted", serde_json::to_value(ground(admitted))),
            Decision::Refused(refusal) => ("refused", serde_json::to_value(refusal)),
        };
        serde_json::json!({
            "image": self.image.to_string(),
            "result": self.verdict,
            "findings": self.findings,
            "asked": self.asked,
            "decision": decision,
            "because": why.unwrap_or_default(),
        })
    }
}

/// The ground without the proof, which stands in the verdict already.
#[derive(Serialize)]
struct Word {
    ground: &'static str,
}

fn ground(admitted: &Admitted<Pinned>) -> Word {
    Word {
        ground: match admitted.ground {
            Ground::Verified(_) => "verified",
            Ground::Unsigned => "unsigned",
            Ground::LocalBuild => "local-build",
            Ground::UnverifiedByChoice => "unverified-by-choice",
        },
    }
}

impl fmt::Display for Admission {
    /// Says in one sentence what came of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = &self.image;
        if let Decision::Refused(refusal) = &self.decision {
            match refusal {
                Refusal::Verdict => {}
                Refusal::ExpectedSigned { expected } => {
                    write!(f, "{image} is not signed, but {} was seen signed", image.repository)?;
                    return expected.signer.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"));
                }
                Refusal::Rollback { seen, signed } => {
                    return write!(f, "{image} is release {signed}, but {seen} was seen before");
                }
            }
        }
        match &self.verdict {
            None => write!(f, "{image} is not verified, by choice"),
            Some(Verdict::Verified(proof)) => write!(f, "{image} is signed by {}", proof.signer),
            Some(Verdict::WrongIdentity { found }) => {
                let found: Vec<_> = found.iter().map(ToString::to_string).collect();
                write!(f, "{image} is signed by {}, whom nobody named", found.join(" and "))
            }
            Some(Verdict::Invalid { reason }) => {
                write!(f, "{image} has no valid signature: {reason}")
            }
            Some(Verdict::Unsigned) => write!(f, "{image} is not signed"),
            Some(Verdict::Unknown { missing }) => {
                write!(
                    f,
                    "whether {image} is signed could not be found out: {}",
                    missing.join("; ")
                )
            }
        }
    }
}
