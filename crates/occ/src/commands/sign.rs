//! `occ sign`: says that an image is ours, for everybody to verify.

use clap::Args;
use occ_oci::{Annotations, Reference};
use occ_trust::{Label, ToSign, attach_legacy, sign, sign_legacy, version_of};
use serde_json::json;

use super::image::{or_interrupted, reference};
use super::signing::{SigningArgs, Subjects, failed};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ sign`.
#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// Name of the image in a registry; all its platforms are signed with it
    #[arg(value_name = "REFERENCE")]
    name: String,
    /// Version that it is; without it the tag, when that is one
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// Number of the release, which grows: a lower one is seen as an attempt to go back
    #[arg(long, value_name = "NUMBER")]
    seq: Option<u64>,
    /// Sign for this tag alone, not for every name that the image has in its repository
    #[arg(long)]
    this_tag: bool,
    /// What else is signed, NAME=VALUE; may be given several times
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = annotation)]
    annotations: Vec<(String, String)>,
    /// Sign in the old form too, for readers that know no other
    #[arg(long)]
    legacy_sig: bool,
    /// Show what would be signed and sign nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signing: SigningArgs,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected".to_owned()),
    }
}

/// Runs `occ sign`.
pub(crate) fn run(args: &SignArgs, context: &Context) -> Result<Exit, Failure> {
    let reference = reference(&args.name)?;
    let label = args.label(&reference)?;
    context.block_on(or_interrupted(sign_it(args, &reference, &label, context), context))
}

impl SignArgs {
    fn label(&self, reference: &Reference) -> Result<Label, Failure> {
        let tag = match reference {
            Reference::Tagged(name) => Some(name.tag.clone()),
            Reference::Pinned(_) if self.this_tag => {
                return Err(Failure::usage("--this-tag needs a name with a tag"));
            }
            Reference::Pinned(_) => None,
        };
        let of_tag = tag.as_ref().and_then(version_of).map(str::to_owned);
        Ok(Label {
            repository: reference.repository().clone(),
            tag: tag.filter(|_| self.this_tag),
            version: self.release.clone().or(of_tag),
            seq: self.seq,
            more: self.annotations.iter().cloned().collect::<Annotations>(),
        })
    }
}

async fn sign_it(
    args: &SignArgs,
    reference: &Reference,
    label: &Label,
    context: &Context,
) -> Result<Exit, Failure> {
    let way = context.registries()?;
    let subjects = Subjects::find(&way, reference).await?;
    let digests: Vec<_> = subjects.manifests.iter().map(|one| one.digest().clone()).collect();
    let mut data = json!({
        "changed": !args.dry_run,
        "reference": reference.to_string(),
        "subjects": digests,
        "version": label.version,
        "seq": label.seq,
    });
    if !args.dry_run {
        let tools = args.signing.tools(&way, context).await?;
        let with = tools.with(&way);
        let bundle = sign(&with, &ToSign::signature(label, &subjects.all()))
            .await
            .map_err(|error| failed(&error))?;
        data["attached"] = subjects.attach(&bundle).await?;
        if args.legacy_sig {
            for manifest in &subjects.manifests {
                let signature =
                    sign_legacy(&with, label, manifest).await.map_err(|error| failed(&error))?;
                attach_legacy(&subjects.client, &signature, manifest).await?;
            }
        }
        context.terminal.say(&format!("signed: {reference}"));
    }
    let text: String = digests.iter().map(|digest| format!("{digest}\n")).collect();
    context.terminal.result("occ/sign", &data, &text)?;
    Ok(Exit::Done)
}
