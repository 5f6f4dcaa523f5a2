//! `occ diagnose`: one redacted archive for a bug report.

mod archive;
mod pieces;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use self::archive::Piece;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::time;

/// Arguments of `occ diagnose`.
#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// The archive to write; one with the time in its name, here, unless named
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs `occ diagnose`.
pub(crate) fn run(args: &DiagnoseArgs, context: &Context) -> Result<Exit, Failure> {
    let path = args.file.clone().unwrap_or_else(|| default_name(context));
    let here = context.env.working_dir.as_deref().unwrap_or(Path::new("."));
    let path = here.join(path);
    if path.exists() {
        let message = format!("there is a file already: {}", path.display());
        return Err(Failure::usage(message).hint("name another: occ diagnose FILE"));
    }
    context.terminal.say("Looking around; secrets are taken out");
    let pieces = context.block_on(async { Ok(pieces::collect(context).await) })?;
    let bytes = archive::write(&pieces)?;
    occ_sandbox::replace(&path, &bytes, 0o600)?;
    let contents: Vec<_> = pieces
        .iter()
        .map(|piece| json!({ "name": piece.name, "bytes": piece.bytes.len() }))
        .collect();
    let data = json!({ "path": path, "bytes": bytes.len(), "contents": contents });
    let listed: String = pieces.iter().map(line).collect();
    let text = format!("{}\n{listed}", path.display());
    context.terminal.result("occ/diagnose", &data, &text)?;
    context.terminal.say(&format!("Read it before you send it: tar -xzOf {}", path.display()));
    Ok(Exit::Done)
}

fn line(piece: &Piece) -> String {
    format!("  {:<24} {:>8} bytes\n", piece.name, piece.bytes.len())
}

fn default_name(context: &Context) -> PathBuf {
    let now = time::now().replace(':', "-");
    PathBuf::from(format!("{}-{now}.tar.gz", context.instance.container()))
}
