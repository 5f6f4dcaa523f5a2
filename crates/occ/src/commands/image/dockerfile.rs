//! `occ image dockerfile`: the same image as two Dockerfiles, to read or to build with.

use std::path::PathBuf;

use clap::Args;
use occ_image::{Dockerfiles, Release};
use serde_json::json;

use super::selection::Selection;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image dockerfile`.
#[derive(Debug, Args)]
pub(crate) struct DockerfileArgs {
    #[command(flatten)]
    selection: Selection,
    /// Folder for the Dockerfiles and what they copy; without it they are printed
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Runs `occ image dockerfile`.
pub(crate) fn run(args: &DockerfileArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.selection.recipe.read(context)?;
    let plans = args.selection.plans(&source, &Release::default(), context)?;
    let [plan] = plans.as_slice() else {
        return Err(Failure::usage("Dockerfiles are for one variant and one platform"));
    };
    let files = Dockerfiles::new(plan).map_err(|error| Failure::of(Exit::Config, &error))?;
    let names: Vec<&str> = files.files().map(|(name, _)| name).collect();
    let text = match &args.output {
        Some(folder) => {
            files.write(folder)?;
            names.iter().map(|name| format!("{}\n", folder.join(name).display())).collect()
        }
        None => files
            .files()
            .filter(|(name, _)| name.starts_with("Dockerfile"))
            .map(|(name, bytes)| format!("# {name}\n{}\n", String::from_utf8_lossy(bytes)))
            .collect::<String>(),
    };
    let data = json!({ "folder": args.output, "files": names });
    context.terminal.result("occ/image-dockerfile", &data, &text)?;
    Ok(Exit::Done)
}
