//! The policy that this program was built with, its cases, and the worked example.

use std::io;

use crate::cases::Cases;
use crate::policy::Policy;

const POLICY: &str = include_str!("../../../policy/default.json");
const CASES: &str = include_str!("../../../policy/default.cases.json");

/// The files of facts that the cases name, by their names there.
pub const EXAMPLES: &[(&str, &str)] = &[(
    "examples/mova-engine.facts.json",
    include_str!("../../../policy/examples/mova-engine.facts.json"),
)];

/// Returns the text of the policy that this program was built with.
pub fn builtin_text() -> &'static str {
    POLICY
}

/// Returns the policy that this program was built with.
///
/// # Panics
/// Never: a test reads it.
pub fn builtin_policy() -> Policy {
    Policy::parse("default.json", POLICY).expect("a test reads it")
}

/// Returns the cases of that policy.
///
/// # Panics
/// Never: a test reads them.
pub fn builtin_cases() -> Cases {
    let known = |name: &str| {
        let found = EXAMPLES.iter().find(|(example, _)| *example == name);
        found.map(|(_, text)| (*text).to_owned()).ok_or(io::ErrorKind::NotFound.into())
    };
    Cases::parse("default.cases.json", CASES, &known).expect("a test reads them")
}
