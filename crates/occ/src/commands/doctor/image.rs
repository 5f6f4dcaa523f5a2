//! The image: there, ours, and the one that the record names.

use occ_engine::{Docker, Engine as _};
use occ_sandbox::foreign;

use super::Patient;
use super::check::{Check, Verdict};

/// Checks image and record.
pub(super) async fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let Some((engine, _)) = &patient.engine else { return Vec::new() };
    vec![image(patient, engine).await, record(patient)]
}

async fn image(patient: &Patient<'_>, engine: &Docker) -> Check {
    let home = patient.context.home();
    let recorded = home.record().0.map(|record| record.image);
    let named = recorded.or_else(|| home.image_state().0.and_then(|state| state.image_id));
    let Some(id) = named else {
        return Check::ok("image", "none yet; the first occ start gets one");
    };
    match engine.image(&id.0).await {
        Err(error) => Check::failure("image", error.into()),
        Ok(None) => {
            let seen = format!("the engine has lost it: {}", id.0);
            Check::bad("image", Verdict::Warn, seen, "get it again: occ start")
        }
        Ok(Some(facts)) => match foreign(&facts) {
            Some(why) => {
                let seen = format!("it is not for this occ: {why}");
                Check::bad("image", Verdict::Fail, seen, "get one that is: occ start")
            }
            None => Check::ok("image", facts.tags.first().cloned().unwrap_or(id.0)),
        },
    }
}

/// Whether what runs is what was proved healthy.
fn record(patient: &Patient<'_>) -> Check {
    let record = patient.context.home().record().0;
    match (record, &patient.container) {
        (None, None) => Check::ok("record", "none yet"),
        (None, Some(_)) => {
            let seen = "there is a sandbox, and nothing says that it was proved healthy";
            Check::bad("record", Verdict::Warn, seen, "prove it: occ start")
        }
        (Some(_), None) => {
            let seen = "the sandbox's container is gone; its volumes stay";
            Check::bad("record", Verdict::Warn, seen, "make it anew: occ start")
        }
        (Some(record), Some(state)) if record.container != state.id => {
            let seen = "another container runs than the one that was proved healthy";
            Check::bad("record", Verdict::Warn, seen, "prove it: occ start")
        }
        (Some(record), Some(_)) => {
            Check::ok("record", format!("proved healthy at {}", record.proved_at))
        }
    }
}
