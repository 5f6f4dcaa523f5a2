//! The notary against registries and signers that cheat, and against other people's signatures and readers.

mod attacks_discovery;
mod attacks_keys;
mod attacks_names;
mod attacks_publishing;
mod attacks_signature;
mod bed;
mod expectation;
mod judging;
mod others;
mod policy;
mod refreshing;
mod signing;
