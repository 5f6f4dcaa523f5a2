//! Where images come from: what that means, and the question.

use super::super::start::names;
use crate::config::{Config, ConfigFile};
use crate::context::Context;
use crate::failure::Failure;
use crate::wiring::SERIES;

/// Where it is to be seen who published which image and when.
const PUBLISHED: &str =
    concat!(env!("CARGO_PKG_REPOSITORY"), "/pkgs/container/opencode-cloud-sandbox");

const QUESTION: &str = "How would you like to get the Docker image?";

const OPTIONS: [&str; 2] =
    ["Pull prebuilt image (~2 min, fast)", "Build from source (30-60 min, customizable/auditable)"];

/// Asks where images come from, and returns the word of `image_source`.
pub(super) async fn ask(config: &Config, context: &Context) -> Result<&'static str, Failure> {
    let terminal = &context.terminal;
    terminal.say("");
    terminal.say(&terminal.paint("1", "Image Source"));
    terminal.say(&explained(config));
    let default = usize::from(!config.prebuilt);
    let chosen = terminal.choose(QUESTION, &OPTIONS, default, &context.cancel).await?;
    Ok(["prebuilt", "build"][chosen])
}

fn explained(config: &Config) -> String {
    let names = names(config).join("\n  else ");
    format!(
        "Prebuilt images are published automatically and verified.\n\
         Build from source compiles everything locally.\n\n\
         With a prebuilt image you trust whoever publishes it, and the registry.\n\
         Version v{SERIES} would be pulled, the newest image that goes with this occ, from\n  {names}\n\
         What was published, and when:\n  {PUBLISHED}\n\
         An image built here is made of files whose hashes this occ knows, and of nothing else.\n"
    )
}

/// Returns how long it takes to get an image, for the summary.
pub(super) fn estimate(source: &str) -> &'static str {
    if source == "build" { "30-60 min to build" } else { "~2 min to pull" }
}

/// Asks at a first start where images come from, when nobody has said so yet, and keeps the answer.
pub(crate) async fn first_source(
    config: &Config,
    context: &Context,
) -> Result<&'static str, Failure> {
    let word = ask(config, context).await?;
    let file = ConfigFile::read(&context.env.config_file())?;
    super::super::config::write(&file.with("image_source", &word.into()), context)?;
    let other = if word == "build" { "prebuilt" } else { "build" };
    context.terminal.say(&format!("Kept. To change: occ config set image_source {other}"));
    Ok(word)
}
