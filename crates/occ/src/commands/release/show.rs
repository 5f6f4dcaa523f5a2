//! A plan of a release, for people and programs.

use occ_image::{LayerState, PlannedLayer, Size, survey};
use occ_release::ReleasePlan;
use serde_json::{Value, json};

use super::wish::Planned;
use crate::context::Context;
use crate::failure::Failure;

/// What moves: bytes of layers that are kept already, and layers that are still to be made.
pub(super) struct Moving {
    known: u64,
    unmade: usize,
    fetch: u64,
}

impl Moving {
    /// Looks at what is kept; layers of a base that is used again do not move.
    pub(super) fn of(planned: &Planned, context: &Context) -> Result<Self, Failure> {
        let reused = matches!(planned.plan.base.decision, occ_release::BaseDecision::Reuse { .. });
        let layers = survey(&planned.builds, &context.places())?;
        let moves = |layer: &&PlannedLayer| !(reused && layer.name.starts_with("base/"));
        let mut moving = Self { known: 0, unmade: 0, fetch: 0 };
        for layer in layers.iter().filter(moves) {
            moving.fetch += layer.fetch;
            match &layer.state {
                LayerState::Kept { forms, .. } => {
                    let own = forms.iter().find(|(form, _)| *form == planned.plan.compression);
                    moving.known += own.map_or(0, |(_, size)| *size);
                }
                LayerState::Missing | LayerState::Damaged => moving.unmade += 1,
            }
        }
        Ok(moving)
    }
}

/// Returns the plan as text.
pub(super) fn text(plan: &ReleasePlan, moving: &Moving) -> String {
    let mut text =
        format!("release {} for occ {}, number {}\n", plan.channel, plan.product, plan.seq);
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<10} {value}\n"));
    for place in &plan.places {
        line("to", &place.to_string());
    }
    line("base", &format!("{}, {}", plan.base.name, plan.base.decision));
    for image in &plan.images {
        let (variant, platform) = (&image.variant, image.platform);
        line("image", &format!("{variant} for {platform}, opencode {}", image.opencode));
    }
    let names = |moves: bool| {
        let tags = plan.tags.iter().filter(|tag| tag.moves == moves);
        tags.map(|tag| tag.tag.to_string()).collect::<Vec<_>>().join(" ")
    };
    line("new names", &names(false));
    line("moving", &names(true));
    for kept in &plan.kept {
        line("stays", &format!("{}: {}", kept.tag, kept.why));
    }
    let unmade = match moving.unmade {
        0 => String::new(),
        more => {
            format!(", and {more} layers that are to be made ({} to fetch)", Size(moving.fetch))
        }
    };
    line("at most", &format!("{} to every registry{unmade}", Size(moving.known)));
    text
}

/// Returns the plan as data.
pub(super) fn data(planned: &Planned, moving: &Moving) -> Value {
    json!({
        "plan": planned.plan,
        "objections": planned.objections.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "is_released": planned.is_there,
        "steps": occ_release::steps(&planned.plan).iter().map(|it| it.step.to_string()).collect::<Vec<_>>(),
        "bytes": moving.known,
        "layers_to_make": moving.unmade,
        "bytes_to_fetch": moving.fetch,
    })
}
