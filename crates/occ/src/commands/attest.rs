//! `occ attest`: says where an image comes from, or what is in it, for everybody to verify.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use occ_image::Layout;
use occ_oci::{Digest, Reference};
use occ_release::dependencies;
use occ_trust::{Builder, Label, Provenance, ToSign, sign};
use serde_json::json;

use super::image::{RecipeArgs, or_interrupted, reference};
use super::signing::{SigningArgs, Subjects, failed};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::image_source::ImageSource;
use crate::wiring::VERSION;

/// Arguments of `occ attest`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(false))]
pub(crate) struct AttestArgs {
    /// Name of the image in a registry; it is said of all its platforms
    #[arg(value_name = "REFERENCE")]
    name: String,
    /// Say of what it was built, and by whom (SLSA provenance): only of an image that is in the layout, so that
    /// it was built here
    #[arg(long, group = "what")]
    provenance: bool,
    /// Say what is in it: a CycloneDX document (JSON)
    #[arg(long, value_name = "FILE", group = "what")]
    sbom: Option<PathBuf>,
    /// Folder of the OCI layout where it was built
    #[arg(long, value_name = "DIR", requires = "provenance")]
    layout: Option<PathBuf>,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Show what would be said and sign nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signing: SigningArgs,
}

/// Runs `occ attest`.
pub(crate) fn run(args: &AttestArgs, context: &Context) -> Result<Exit, Failure> {
    let reference = reference(&args.name)?;
    context.block_on(or_interrupted(attest(args, &reference, context), context))
}

async fn attest(
    args: &AttestArgs,
    reference: &Reference,
    context: &Context,
) -> Result<Exit, Failure> {
    let way = context.registries()?;
    let subjects = Subjects::find(&way, reference).await?;
    let label = Label::of(reference.repository().clone());
    let all = subjects.all();
    let provenance = match &args.sbom {
        Some(_) => None,
        None => Some(args.provenance(subjects.manifests[0].digest().digest(), context)?),
    };
    let mut data = json!({
        "changed": !args.dry_run,
        "reference": reference.to_string(),
        "dependencies": provenance.as_ref().map(|one| one.resolved_dependencies.len()),
    });
    if args.dry_run {
        context.terminal.result("occ/attest", &data, &format!("{reference}\n"))?;
        return Ok(Exit::Done);
    }
    let tools = args.signing.tools(&way, context).await?;
    let statement = match (&provenance, &args.sbom) {
        (Some(provenance), _) => {
            let builder = tools.token.as_ref().map_or_else(Builder::local, Builder::of);
            data["builder"] = json!(builder.id());
            ToSign::provenance(&label, &all, provenance, &builder)
        }
        (None, Some(path)) => bill(path, &label, &all)?,
        (None, None) => unreachable!("clap asks for one of them"),
    };
    let bundle = sign(&tools.with(&way), &statement).await.map_err(|error| failed(&error))?;
    data["attached"] = subjects.attach(&bundle).await?;
    data["predicate_type"] = json!(statement.predicate_type());
    context.terminal.say(&format!("attested: {reference}"));
    context.terminal.result("occ/attest", &data, &format!("{}\n", statement.predicate_type()))?;
    Ok(Exit::Done)
}

fn bill(
    path: &PathBuf,
    label: &Label,
    all: &[&occ_registry::RawManifest],
) -> Result<ToSign, Failure> {
    let document =
        fs::read(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    ToSign::bill_of_materials(label, all, &document)
        .map_err(|error| Failure::new(Exit::Refused, format!("{}: {error}", path.display())))
}

impl AttestArgs {
    /// Says of what an image was built, when this machine has built it.
    fn provenance(&self, digest: &Digest, context: &Context) -> Result<Provenance, Failure> {
        let usual = context.env.layout();
        let layout = Layout::open(self.layout.as_ref().unwrap_or(&usual))?;
        let entries = layout.entries()?;
        let entry = entries.iter().find(|entry| entry.digest == *digest).ok_or_else(|| {
            Failure::new(Exit::Refused, format!("this machine did not build {digest}"))
                .hint("provenance is stated where an image is built: occ image build, then occ image push")
        })?;
        let source = self.recipe.read(context)?;
        let lock = source.lock()?;
        let variant = entry.ref_name().unwrap_or_default();
        Ok(Provenance {
            external_parameters: json!({ "recipe": recipe_digest(&source), "variant": variant }),
            internal_parameters: json!({ "lock": Digest::sha256(lock.render().as_bytes()) }),
            resolved_dependencies: dependencies(lock),
            builder_version: BTreeMap::from([("occ".to_owned(), VERSION.to_owned())]),
            invocation_id: None,
            started_on: None,
            finished_on: None,
            byproducts: Vec::new(),
        })
    }
}

fn recipe_digest(source: &ImageSource) -> String {
    source.recipe.request().to_string()
}
