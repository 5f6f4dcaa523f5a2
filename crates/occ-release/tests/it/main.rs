//! What is told about a release, and what runs it.

mod ci;
mod hub;
