//! Tools that are a few files of one archive, each with its place.

use occ_layer::tree::{Kind, LayerTree, TreeError};
use occ_layer::{Pick, PickError};

use super::machine::Machine;
use crate::error::BuildError;
use crate::plan::{PlanError, ToolPlan};
use crate::recipe::Architecture;

/// Puts the members that a recipe names where it wants them; `name` is that of the archive in errors.
pub(super) fn place(
    plan: &ToolPlan,
    archive: &LayerTree,
    name: &str,
) -> Result<LayerTree, BuildError> {
    let mut tree = LayerTree::new();
    for (path, member) in plan.files() {
        let executable = is_command(&path) && suits(plan, archive, &member, name)?;
        let pick = Pick { from: member, to: path, executable };
        let picked = archive.take(&pick).map_err(|error| not_picked(error, name))?;
        tree.merge(picked).map_err(|error| twice(error, &plan.tool.name))?;
    }
    Ok(tree)
}

/// Returns whether a path is in a folder of commands. Not every archive remembers what can be executed.
fn is_command(path: &str) -> bool {
    matches!(path.rsplit('/').nth(1), Some("bin" | "sbin"))
}

/// Makes sure that a program is for the machine; what is no file is not asked.
fn suits(
    plan: &ToolPlan,
    archive: &LayerTree,
    member: &str,
    name: &str,
) -> Result<bool, BuildError> {
    let Some(Kind::File(content)) = archive.get(member).map(|entry| &entry.kind) else {
        return Ok(false);
    };
    let architecture = Architecture::from(plan.platform);
    let machine = Machine::of(content).map_err(BuildError::at(member.as_ref()))?;
    if machine.suits(architecture) {
        return Ok(true);
    }
    let reason = format!("its {member} is no program for Linux on {architecture}");
    Err(BuildError::Unsuitable { name: name.to_owned(), reason })
}

fn not_picked(error: PickError, name: &str) -> BuildError {
    match error {
        PickError::Missing(part) => BuildError::Incomplete { whole: name.to_owned(), part },
        PickError::Tree(error) => error.into(),
        other => BuildError::Unsuitable { name: name.to_owned(), reason: other.to_string() },
    }
}

/// Returns the error for a path that one tool brings in two ways.
pub(super) fn twice(error: TreeError, tool: &str) -> BuildError {
    let (first, second) = (tool.to_owned(), tool.to_owned());
    match error {
        TreeError::Duplicate(path) | TreeError::NoFolder { path, .. } => {
            let path = format!("/{path}");
            PlanError::Conflict { path, first, second }.into()
        }
        other => other.into(),
    }
}
