//! `occ identity`: which image it is, and whether a sandbox runs what it should.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use occ_engine::{ContainerState, Docker, Engine, ImageId};
use occ_image::guest;
use occ_image::secrets::{LayerSearch, search};
use occ_oci::Digest;
use occ_sandbox::drift;
use serde_json::json;

use super::image::or_interrupted;
use super::target::{Asked, Target};
use super::{saved, start, status};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::identity::{
    Difference, Expectation, Identity, Outcome, Running, Seen, checks, plain, text,
};
use crate::own_image::{OwnImage, labelled};

/// Arguments of `occ identity`.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// An image of the container engine by name or id, or a sandbox by its instance's name; the sandbox
    /// without it
    #[arg(value_name = "IMAGE|INSTANCE")]
    what: Option<String>,
    #[command(flatten)]
    search: SearchArgs,
    /// Compare with what this command printed with --json before, or with a digest; end with 3 on any difference
    #[arg(long, value_name = "FILE|DIGEST")]
    expect: Option<String>,
}

/// How far secrets are searched for.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct SearchArgs {
    /// Search the files of all layers for secrets too, also those that a later layer removes; the engine exports
    /// the whole image for it
    #[arg(long)]
    search_layers: bool,
}

impl SearchArgs {
    /// Searches nothing but what an image says of itself.
    pub(super) const SHALLOW: Self = Self { search_layers: false };
}

/// Runs `occ identity`.
pub(crate) fn run(args: &IdentityArgs, context: &Context) -> Result<Exit, Failure> {
    let expectation = args.expect.as_deref().map(expectation).transpose()?;
    let looking = async {
        let engine = context.engine()?;
        let target = Target::find(args.what.as_deref(), &engine, context).await?;
        let (mut identity, own) = identify(&target.image(), args.search, &engine, context).await?;
        if let Target::Sandbox(context, state) = &target {
            identity.sandbox = Some(running(state, own.as_ref(), &engine, context).await?);
        }
        Ok(identity)
    };
    let identity = context.block_on(or_interrupted(looking, context))?;
    let differences =
        expectation.map(|expected| expected.differences(&identity)).unwrap_or_default();
    let data = json!({ "identity": identity, "differences": differences });
    let text = text(&identity) + &differences.iter().map(line).collect::<String>();
    context.terminal.result("occ/identity", &data, &text)?;
    Ok(exit(&identity, &differences, context))
}

fn exit(identity: &Identity, differences: &[Difference], context: &Context) -> Exit {
    let checks = identity.sandbox.iter().flat_map(|sandbox| &sandbox.checks);
    let failed: Vec<&str> = checks
        .filter(|check| check.outcome == Outcome::Differs)
        .map(|check| check.name)
        .chain(differences.iter().map(|difference| difference.field.as_str()))
        .collect();
    if failed.is_empty() {
        return Exit::Done;
    }
    context.terminal.say(&format!("not as it should be: {}", failed.join(", ")));
    Exit::Refused
}

fn line(difference: &Difference) -> String {
    let Difference { field, expected, found } = difference;
    let said = format!("{field}: expected {expected}, found {found}");
    format!("{:<13}{}\n", "Difference:", plain(&said))
}

/// Reads what is expected: a digest, or a file.
fn expectation(text: &str) -> Result<Expectation, Failure> {
    if text.parse::<Digest>().is_ok() {
        return Ok(Expectation::Digest(text.to_owned()));
    }
    let path = PathBuf::from(text);
    let unreadable = |why: String| {
        Failure::new(Exit::Config, format!("cannot read the expectation {text}: {why}"))
            .hint("save one: occ identity --json > identity.json")
    };
    let saved = fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    Expectation::saved(&saved).map_err(|error| unreadable(error.to_string()))
}

/// Looks at an image, and at what recipe and lock say of it.
pub(super) async fn identify(
    image: &Asked,
    search: SearchArgs,
    engine: &Docker,
    context: &Context,
) -> Result<(Identity, Option<OwnImage>), Failure> {
    let (Asked::Name(asked) | Asked::Id(ImageId(asked))) = image;
    let details = engine.image_details(asked).await?.ok_or_else(|| absent(asked))?;
    let name = match image {
        Asked::Name(name) => name.clone(),
        Asked::Id(_) => {
            let named = details.facts.digests.first().or(details.facts.tags.first());
            named.cloned().unwrap_or_else(|| asked.clone())
        }
    };
    let mut identity = Identity::of(&name, details);
    if search.search_layers {
        identity.layer_search = Some(search_layers(&identity, engine, context).await?);
    }
    let own = OwnImage::find(&identity, context).await?;
    Ok((identity, own))
}

fn absent(name: &str) -> Failure {
    Failure::new(Exit::Failed, format!("the engine has no image {}", plain(name)))
        .hint("see which it has: occ image ls")
        .hint("or bring it: occ image pull REFERENCE")
}

/// Has the engine export an image, and searches its layers while they come.
async fn search_layers(
    identity: &Identity,
    engine: &impl Engine,
    context: &Context,
) -> Result<LayerSearch, Failure> {
    let Identity { id, name, size, .. } = identity;
    // Docker writes all of it to its own disk first.
    context.terminal.say(&format!("The engine exports {}, which may take minutes", plain(name)));
    let archive = engine.save_image(id).await?.ok_or_else(|| absent(id))?;
    let what = format!("Searching the layers of {}", plain(name));
    saved::take(archive, (what, *size), context, search).await
}

async fn running(
    state: &ContainerState,
    own: Option<&OwnImage>,
    engine: &Docker,
    context: &Context,
) -> Result<Running, Failure> {
    let name = &state.name;
    let (binary, changes) =
        tokio::try_join!(engine.download(name, guest::OPENCODE), engine.changes(name))?;
    let foreign = || Err("the image is none of ours".to_owned());
    let drift =
        match start::StartSettings::standing(context).and_then(|settings| settings.wish(context)) {
            Ok((spec, _)) => Ok(drift(&spec, state)),
            Err(failure) => Err(failure.message),
        };
    let seen = Seen {
        container: state.clone(),
        record: context.home().record().0,
        binary: binary.map(|bytes| Digest::sha256(&bytes)),
        locked: own.map_or_else(foreign, |own| own.binary.clone()),
        labelled: labelled(&state.labels),
        changes,
        drift,
    };
    Ok(Running {
        instance: context.instance.name().to_owned(),
        container: name.clone(),
        container_id: state.id.0.clone(),
        state: status::phase(Some(state)),
        checks: checks(&seen),
    })
}
