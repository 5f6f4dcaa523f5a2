//! The press: a release of all variants, for all architectures, in all registries, or nothing.
//!
//! Publishing needs no container engine: what runs an image and what looks for its weaknesses are ports that
//! this crate is handed.
//!
//! | word | is |
//! |---|---|
//! | [`Version`], [`Channel`] | what a release is called: the version of opencode and a letter, or `edge` |
//! | [`Wish`] | what somebody wants released |
//! | [`look`], [`Standing`] | what registries have before |
//! | [`ReleasePlan`], [`lint`] | everything that is decided, as data; what must not be wrong with it |
//! | [`steps`], [`Step`] | what is done, and what waits for what |
//! | [`Journal`] | what was done, on disk |
//! | [`Press`], [`Ports`] | doing it, with what is needed from outside |
//! | [`Receipt`] | what was published, with its proofs |
//! | [`Turn`] | one release at a time |
//! | [`Description`] | what a registry's page says, filled in with [`Facts`] of recipe and lock |
//! | [`Hub`] | Docker Hub's own interface, where that page is |
//! | [`Workflow`] | what a [`Forge`] does on a pull request, a push, a tag, and every week |
//! | [`Drift`] | where a file differs from what would be written now |
//! | [`survey`], [`Survey`] | what a registry has of releases |
//! | [`plan_retention`], [`retire`] | which releases go, and their going |
//! | [`plan_sync`], [`synchronize`] | making one registry equal to another |
//! | [`growth`], [`report`] | how large images were; all of it as one page |

mod abandon;
mod base;
mod channel;
mod description;
mod diff;
mod drift;
mod error;
mod event;
mod history;
mod journal;
mod lint;
mod look;
mod made;
mod notes;
mod perform;
mod plan;
mod ports;
mod queue;
mod read_back;
mod receipt;
mod report;
mod retention;
mod retire;
mod rollback;
mod run;
mod statements;
mod step;
mod survey;
mod sync;
mod tags;
mod template;
mod verification;
mod version;
mod workflow;

pub use abandon::{AbandonError, Abandoned, abandon};
pub use base::{BaseDecision, BaseSeen, decide_base};
pub use channel::Channel;
pub use description::{
    Description, DescriptionError, Facts, FactsError, Hub, HubError, HubRepository,
    ParseHubRepositoryError, Part as DescriptionPart, TEMPLATE as DESCRIPTION_TEMPLATE,
    TEMPLATE_NAME as DESCRIPTION_TEMPLATE_NAME,
};
pub use diff::{ImageDiff, ReleaseDiff};
pub use drift::Drift;
pub use error::StepError;
pub use event::{Event, Observer};
pub use history::{GROWTH_THRESHOLD, Growth, GrowthPoint, growth};
pub use journal::{Ended, Entry, Journal, JournalError, Record};
pub use lint::{Measure, Objection, lint};
pub use look::{BaseError, Trust, base_layers, look};
pub use made::{Made, MadeImage, Subject};
pub use notes::{changelog, notes};
pub use plan::{
    Before, PLAN_FORMAT, PlannedBase, PlannedImage, ReleasePlan, Source, Standing, Wish, base_name,
    build_plans, to_the_second,
};
pub use ports::{Judged, Ports, Scanned, Smoked, Staged, Weakness};
pub use queue::{TURN, Turn, TurnError};
pub use read_back::{ReadBack, ReadBackError, read_back};
pub use receipt::{
    Gap, ProofOf, RECEIPT_FORMAT, RECEIPT_TYPE, Receipt, ReceiptBase, ReceiptImage, ReceiptLayer,
    ReceiptVariant, Tried, fetch_receipt,
};
pub use report::{Reported, report};
pub use retention::{KeptRelease, Removal, RetentionPlan, RetentionRules, plan_retention};
pub use retire::{Attachments, Refusal, Retired, retire};
pub use rollback::{Return, RollbackError, RollbackPlan, plan_rollback, roll_back};
pub use run::{Press, Stopped};
pub use statements::dependencies;
pub use step::{Planned, Step, steps};
pub use survey::{Published, Survey, survey};
pub use sync::{
    Lacking, SyncError, SyncObjection, SyncPlan, SyncTag, Synced, plan_sync, synchronize,
};
pub use tags::{KeptTag, PlannedTag, receipt_tag, released};
pub use template::TemplateError;
pub use verification::{Checked, Verification, VerifyError, verify_release};
pub use version::{ParseVersionError, Version};
pub use workflow::{Forge, Workflow, workflows};
