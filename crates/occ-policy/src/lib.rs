//! Where an image may be used: facts about it, rules over them, a verdict for every environment.
//!
//! Pure: no file, no clock, no network. [`Facts`] come from outside, each with its [`Origin`]; a [`Policy`]
//! is read from text, strictly; [`Policy::judge`] is the one judge. A fact that is not known never approves
//! anything, and taking a fact away never turns a refusal into an approval.

mod builtin;
mod cases;
mod catalogue;
mod condition;
mod document;
mod fact;
mod facts;
mod policy;
mod schema;
mod truth;
mod verdict;

pub use builtin::{EXAMPLES, builtin_cases, builtin_policy, builtin_text};
pub use cases::{Case, Cases, Expected, ReadFacts, Tested};
pub use catalogue::{CATALOGUE, FactName, Kind, Known, UnknownFact};
pub use condition::{Condition, Decider, Outcome, Test, Wanted};
pub use document::{DocumentError, Field, Problem, fields};
pub use fact::{Fact, Origin, Value};
pub use facts::Facts;
pub use policy::{Environment, Note, Policy, Rule, UnknownEnvironment};
pub use schema::{cases_schema, facts_schema, policy_schema};
pub use truth::Truth;
pub use verdict::{Ruled, Verdict};
