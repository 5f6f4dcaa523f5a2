//! `occ version`.

use occ_image::guest;
use occ_sandbox::ImageBuilder as _;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::wiring::VERSION;

/// Runs `occ version`.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let workshop = context.workshop(&context.layers()?.config())?;
    let data = json!({
        "version": VERSION,
        "guest_contract": guest::CONTRACT_VERSION,
        "image": workshop.name(),
        "opencode": workshop.opencode_version(),
    });
    let text = format!(
        "occ {VERSION}\nguest contract {}\nbuilds {} with opencode {}\n",
        guest::CONTRACT_VERSION,
        workshop.name(),
        workshop.opencode_version()
    );
    context.terminal.result("occ/version", &data, &text)?;
    Ok(Exit::Done)
}
