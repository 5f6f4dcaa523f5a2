//! The dictionary: words of the OCI specifications as types that cannot be wrong.
//!
//! Everything here is pure. Text becomes a type once, at the door ([`std::str::FromStr`]), and inside
//! the house nobody checks again. This crate is also the shortest complete example of our manner:
//! read [`Digest`], then [`Reference`], then their tests.
//!
//! | word | is |
//! |---|---|
//! | [`Digest`] | algorithm and hexadecimal digits, valid by construction |
//! | [`LayerDigest`], [`DiffId`], [`ManifestDigest`] | the same text, three meanings that do not mix |
//! | [`Host`], [`Repository`], [`Tag`] | parts of a name |
//! | [`Tagged`], [`Pinned`], [`Reference`] | a name that may move, one that cannot, either of the two |
//! | [`Platform`] | operating system and processor architecture |
//! | [`MediaType`], [`Descriptor`] | what a blob is, and how it is found |
//! | [`Manifest`], [`Index`], [`ImageConfig`] | the documents that make blobs an image |
//! | [`Verifying`] | a reader that ends in an error if the bytes are not the promised ones |

mod digest;
mod hasher;
mod image_config;
mod manifest;
mod media_type;
mod name;
mod platform;
mod reference;
mod verifying;

pub use digest::{Algorithm, DiffId, Digest, LayerDigest, ManifestDigest, ParseDigestError};
pub use hasher::{Hasher, Sha256Writer};
pub use image_config::{History, ImageConfig, RootFs, RunConfig};
pub use manifest::{
    ANNOTATION_REF_NAME, Annotations, DescribedPlatform, Descriptor, Index, Manifest,
};
pub use media_type::{MediaType, ParseMediaTypeError};
pub use name::{Host, ParseNameError, Repository, Tag};
pub use platform::{ParsePlatformError, Platform};
pub use reference::{ParseReferenceError, Pinned, Reference, Tagged};
pub use verifying::{Verifying, VerifyingError};
