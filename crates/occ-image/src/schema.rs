//! The recipe's grammar for editors and other programs.

/// Returns the JSON schema (draft 2020-12) of a recipe, whose TOML is JSON to it. What only the whole recipe
/// tells, such as whether a tool that a feature names is there, it leaves to [`Recipe::parse`].
///
/// [`Recipe::parse`]: crate::Recipe::parse
pub fn recipe_schema() -> &'static str {
    include_str!("../../../image/schema/sandbox.schema.json")
}
