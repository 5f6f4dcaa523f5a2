//! Laying a tool's packages out.

use std::path::Path;

use occ_layer::Pick;
use occ_layer::tree::{Entry, Kind, LayerTree};

use super::manifest::{Manifest, join};
use super::needs::folder;
use super::reviewed::Review;
use super::tarball;
use crate::cache::Cache;
use crate::error::BuildError;
use crate::event::{Event, Part};
use crate::lock::PackagePin;
use crate::plan::ToolPlan;
use crate::recipe::Architecture;
use crate::tools::command_path;
use crate::tools::files::{place, twice};
use crate::tools::gather::Gather;

/// Where trees of packages are, each in a folder of its tool's name.
const HOME: &str = "usr/local/lib/opencode-cloud";

/// Lays out a tool from npm.
pub(in crate::tools) fn tree(
    plan: &ToolPlan,
    cache: &Cache<'_>,
    spool: &Path,
) -> Result<LayerTree, BuildError> {
    let own = plan.packages.first().ok_or_else(|| BuildError::Incomplete {
        whole: plan.tool.name.clone(),
        part: "packages".to_owned(),
    })?;
    if plan.tool.commands.is_empty() {
        return place(plan, &tarball::open(own, cache, spool)?, &own.spec());
    }
    Layout::new(plan, cache).tree(own, spool)
}

struct Layout<'a> {
    plan: &'a ToolPlan,
    cache: &'a Cache<'a>,
    home: String,
    tree: LayerTree,
    /// Files that were left out because they are for other machines.
    foreign: u32,
}

impl<'a> Layout<'a> {
    fn new(plan: &'a ToolPlan, cache: &'a Cache<'a>) -> Self {
        let home = format!("{HOME}/{}", plan.tool.name);
        Self { plan, cache, home, tree: LayerTree::new(), foreign: 0 }
    }

    fn tree(mut self, own: &PackagePin, spool: &Path) -> Result<LayerTree, BuildError> {
        let mut gather = Gather::new(spool)?;
        for pin in &self.plan.packages {
            let mut package = self.package(pin, spool)?;
            gather.take(&mut package)?;
            self.add(package)?;
        }
        for pin in &self.plan.packages {
            self.link_parts(pin)?;
        }
        for command in &self.plan.tool.commands {
            self.link_command(command, own)?;
        }
        if self.foreign > 0 {
            let part = Part::Tool(self.plan.tool.name.clone(), self.plan.platform);
            let what = format!("left out {} files for other machines", self.foreign);
            (self.cache.context().0)(Event::Doing { part, what });
        }
        Ok(self.tree)
    }

    /// Reads one package, in its place.
    fn package(&mut self, pin: &PackagePin, spool: &Path) -> Result<LayerTree, BuildError> {
        let package = tarball::open(pin, self.cache, spool)?;
        tarball::refuse_scripts(&package, pin)?;
        let architecture = Architecture::from(self.plan.platform);
        let (mut package, foreign) = tarball::without_foreign(&package, architecture)?;
        tarball::make_executable(&mut package, pin)?;
        self.foreign += foreign;
        let pick = Pick { from: String::new(), to: self.place(pin)?, executable: false };
        package
            .take(&pick)
            .map_err(|error| BuildError::Unsuitable { name: pin.spec(), reason: error.to_string() })
    }

    /// Returns the folder of a package.
    fn place(&self, pin: &PackagePin) -> Result<String, BuildError> {
        let path = pin.path.as_deref().filter(|path| path.starts_with("node_modules/"));
        path.map(|path| join(&self.home, path)).ok_or_else(|| BuildError::Unsuitable {
            name: pin.spec(),
            reason: "the lock does not say where it goes".to_owned(),
        })
    }

    /// Does what a reviewed install script would do.
    fn link_parts(&mut self, pin: &PackagePin) -> Result<(), BuildError> {
        let Some(review) = Review::of(&pin.name) else { return Ok(()) };
        let (place, architecture) = (self.place(pin)?, Architecture::from(self.plan.platform));
        for (at, package, file) in review.links(architecture) {
            // Beside the package, or further up, as Node.js looks for it.
            let target = ancestors(&place, &self.home)
                .map(|folder| format!("{folder}/node_modules/{package}/{file}"))
                .find(|path| self.tree.get(path).is_some())
                .ok_or_else(|| BuildError::Incomplete {
                    whole: pin.spec(),
                    part: format!("{package}/{file}"),
                })?;
            let link = join(&place, at);
            let text = relative(&link, &target);
            if let Some(entry) = self.tree.get_mut(&link) {
                *entry = Entry::new(Kind::Symlink(text), 0o777);
            }
            if let Some(entry) = self.tree.get_mut(&target) {
                entry.mode = 0o755;
            }
        }
        Ok(())
    }

    /// Puts a command of the tool's own package on the path.
    fn link_command(&mut self, command: &str, own: &PackagePin) -> Result<(), BuildError> {
        let place = join(&self.home, &folder(&own.name));
        let mut commands = Manifest::read(&self.tree, &place, &own.spec())?.commands();
        let whole = own.spec();
        let file = match commands.remove(command) {
            Some(Some(file)) => join(&place, &file),
            Some(None) => {
                let reason = format!("its command {command} is not inside it");
                return Err(BuildError::Unsuitable { name: whole, reason });
            }
            None => {
                let part = format!("command {command}");
                return Err(BuildError::Incomplete { whole, part });
            }
        };
        if self.tree.get(&file).is_none() {
            let part = file[place.len() + 1..].to_owned();
            return Err(BuildError::Incomplete { whole, part });
        }
        let path = command_path(command);
        let text = relative(path.trim_start_matches('/'), &file);
        let mut link = LayerTree::new();
        link.insert(&path, Entry::new(Kind::Symlink(text), 0o777))?;
        self.add(link)
    }

    fn add(&mut self, part: LayerTree) -> Result<(), BuildError> {
        self.tree.merge(part).map_err(|error| twice(error, &self.plan.tool.name))
    }
}

/// Returns the folders above a package, the nearest first, up to the tool's own.
fn ancestors<'a>(place: &'a str, home: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = place.rmatch_indices("/node_modules/").map(|(at, _)| &place[..at]);
    starts.filter(move |folder| folder.starts_with(home))
}

/// Returns the text of a link at one path that leads to another.
fn relative(link: &str, target: &str) -> String {
    let common = |(a, b): &(&str, &str)| a == b;
    let shared = link.split('/').zip(target.split('/')).take_while(common).count();
    let up = link.split('/').count() - 1 - shared;
    let down = target.split('/').skip(shared);
    std::iter::repeat_n("..", up).chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_climb_only_as_far_as_they_must() {
        assert_eq!(relative("usr/local/bin/a", "usr/local/lib/a/a.js"), "../lib/a/a.js");
        assert_eq!(relative("a/b/link", "a/b/file"), "file");
        assert_eq!(relative("a/link", "b"), "../b");
    }

    #[test]
    fn packages_look_beside_themselves_and_then_further_up() {
        let place = "home/node_modules/a/node_modules/@s/b";
        let found: Vec<_> = ancestors(place, "home").collect();
        assert_eq!(found, ["home/node_modules/a", "home"]);
    }
}
