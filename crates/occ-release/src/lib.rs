//! The press: a release of all variants, for all architectures, in all registries, or nothing.
//!
//! Publishing needs no container engine: what runs an image and what looks for its weaknesses are ports that
//! this crate is handed.
//!
//! | word | is |
//! |---|---|
//! | [`Version`] | what a release is called: the version of opencode, and a letter for a further build of it |
//! | [`Description`] | what a registry's page says, filled in with [`Facts`] of recipe and lock |
//! | [`Hub`] | Docker Hub's own interface, where that page is |
//! | [`Workflow`] | what a [`Forge`] does on a pull request, a push, a tag, and every week |
//! | [`Drift`] | where a file differs from what would be written now |

mod description;
mod drift;
mod template;
mod version;
mod workflow;

pub use description::{
    Description, DescriptionError, Facts, FactsError, Hub, HubError, HubRepository,
    ParseHubRepositoryError, Part as DescriptionPart, TEMPLATE as DESCRIPTION_TEMPLATE,
    TEMPLATE_NAME as DESCRIPTION_TEMPLATE_NAME,
};
pub use drift::Drift;
pub use template::TemplateError;
pub use version::{ParseVersionError, Version};
pub use workflow::{Forge, Workflow, workflows};
