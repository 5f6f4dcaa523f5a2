//! The notary: who signed an image, under which name, when, and what that proves; and the signing.
//!
//! Looking ([`discover`]), thinking ([`judge`]) and what comes of it ([`Admission`]) are three things. What
//! is found is believed only as far as it can be verified with the trust root that is at hand: no network is
//! used for that. The verdict is one of five and never yes or no.
//!
//! | word | is |
//! |---|---|
//! | [`Policy`] | whom we believe, by exact names, and how strict we are |
//! | [`TrustRoot`] | who may vouch for names: built in, from a file, or stored |
//! | [`Asked`] | what somebody asked for: a name and the bytes that it stood for |
//! | [`Evidence`] | what registries have about these bytes, as it came |
//! | [`Verdict`] | what was found out |
//! | [`Expectations`] | what is remembered: seen signed by whom, and how new |
//! | [`Admitted`] | what may be run, with the reason |
//! | [`Notary`] | all of that in one go |
//! | [`Release`] | giving images their tags, last of all |
//! | [`ToSign`], [`SigningWith`], [`Bundle`] | what is signed, with what, and what comes of it |

mod admission;
mod asked;
mod check;
mod crypto;
mod discover;
mod envelope;
mod evidence;
mod expectation;
mod file;
mod json;
mod judge;
mod legacy;
mod notary;
mod policy;
mod refresh;
mod release;
mod root;
mod sign;
mod statement;
mod verdict;

pub use admission::{Admission, Admitted, Decision, Ground, NotListed, Refusal};
pub use asked::{Asked, is_version_tag, version_of};
pub use check::{Stated, verify_statement};
pub use discover::discover;
pub use evidence::{
    Answer, Asking, Channel, Content, Entry, Evidence, LARGEST_ENTRY, LARGEST_EVIDENCE,
    MOST_ENTRIES,
};
pub use expectation::{Expectation, Expectations, Forgotten};
pub use judge::{Case, judge};
pub use notary::{Examined, Notary};
pub use policy::{Binding, Claims, Identity, Mode, Policy, PolicyError, PublicKey, Rule, Text};
pub use refresh::{RefreshError, RootService};
pub use release::{Release, ReleaseError, Title, stands_for};
pub use root::{RootError, RootSource, RootVersion, TrustRoot};
pub use sign::{
    Ambient, Attachment, BUILD_TYPE, Builder, Bundle, IdentityToken, KeyError, LOCAL_BUILDER,
    Label, LegacySignature, LogKind, NotABill, Provenance, Resource, Services, SignError,
    SigningKey, SigningWith, ToSign, attach, attach_all, attach_legacy, referrer, sign,
    sign_legacy, slsa_level,
};
pub use statement::{CYCLONE_DX, PROVENANCE, SIGNATURE};
pub use verdict::{
    ANNOTATION_REF, ANNOTATION_SEQ, ANNOTATION_VERSION, Attestation, Code, Finding, Proof, Reason,
    Signer, Verdict,
};
