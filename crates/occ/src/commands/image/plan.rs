//! `occ image plan`: what a build would do, and why.

use clap::Args;
use occ_image::{BuildPlan, LayerState, PlannedLayer, Release};
use occ_oci::Platform;
use serde_json::{Value, json};

use super::selection::Selection;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ image plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    selection: Selection,
}

/// Runs `occ image plan`.
pub(crate) fn run(args: &PlanArgs, context: &Context) -> Result<Exit, Failure> {
    let source = args.selection.recipe.read(context)?;
    let plans = args.selection.plans(&source, &Release::default(), context)?;
    show(&plans, context)
}

/// Prints plans.
pub(super) fn show(plans: &[BuildPlan], context: &Context) -> Result<Exit, Failure> {
    let layers = occ_image::survey(plans, &context.places())?;
    let data = json!({
        "images": plans.iter().map(image).collect::<Vec<_>>(),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    });
    context.terminal.result("occ/image-plan", &data, &text(plans, &layers))?;
    Ok(Exit::Done)
}

fn image(plan: &BuildPlan) -> Value {
    json!({
        "variant": plan.variant,
        "platform": plan.platform,
        "key": plan.key(),
        "base_key": plan.base.key(),
        "local_name": plan.name(),
        "opencode": plan.opencode_version(),
    })
}

fn layer(layer: &PlannedLayer) -> Value {
    let (state, size, forms) = match &layer.state {
        LayerState::Kept { size, forms } => ("kept", Some(size), forms.as_slice()),
        LayerState::Missing => ("missing", None, [].as_slice()),
        LayerState::Damaged => ("damaged", None, [].as_slice()),
    };
    let forms = forms.iter().map(|(form, size)| (form.to_string(), json!(size)));
    json!({
        "layer": layer.name,
        "platforms": layer.platforms,
        "variants": layer.variants,
        "key": layer.key,
        "state": state,
        "size": size,
        "forms": forms.collect::<serde_json::Map<_, _>>(),
        "fetch": layer.fetch,
    })
}

fn text(plans: &[BuildPlan], layers: &[PlannedLayer]) -> String {
    let mut text = String::new();
    for plan in plans {
        let (variant, platform) = (&plan.variant, plan.platform);
        text.push_str(&format!("{variant} for {platform}: {} as {}\n", plan.key(), plan.name()));
    }
    for layer in layers {
        let state = match &layer.state {
            LayerState::Kept { size, forms } => {
                let least = forms.iter().map(|(_, size)| size).min().unwrap_or(size);
                format!("kept, {} MiB, {} MiB stored", size >> 20, least >> 20)
            }
            LayerState::Missing if layer.fetch > 0 => {
                format!("to be made, {} MiB to fetch", layer.fetch >> 20)
            }
            LayerState::Missing => "to be made".to_owned(),
            LayerState::Damaged => "damaged, to be made again".to_owned(),
        };
        let architectures: Vec<_> =
            layer.platforms.iter().map(|it| Platform::architecture(*it)).collect();
        let name = format!("{} ({})", layer.name, architectures.join(", "));
        text.push_str(&format!("  {} {name:<40} {state}\n", layer.key.short()));
    }
    text
}
