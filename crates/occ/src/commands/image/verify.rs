//! `occ image verify`: who signed an image, and what that proves.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use occ_sandbox::Event;
use occ_sandbox::pull::{PullError, Wanted, examine, look};
use occ_trust::{
    Admission, Answer, Asking, Binding, CYCLONE_DX, Identity, Mode, Notary, PROVENANCE, Policy,
    Proof, PublicKey, Rule, Text, TrustRoot, Verdict, slsa_level,
};

use super::named::or_interrupted;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::trust::read_policy;

/// Arguments of `occ image verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Names of the image, all for the same one in different registries
    #[arg(value_name = "REFERENCE", required = true)]
    names: Vec<String>,
    /// Believe whom this policy names, and nobody else
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Believe the owner of this public key, and nobody else
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    key: Option<PathBuf>,
    /// Believe whoever has exactly this name in a certificate, and nobody else
    #[arg(long, value_name = "NAME", requires = "issuer", conflicts_with_all = ["policy", "key"])]
    identity: Option<Rule>,
    /// Who must have vouched for that name
    #[arg(long, value_name = "URL", requires = "identity")]
    issuer: Option<Text>,
    /// Take a signature also when it does not say which repository it is for, as cosign makes them
    #[arg(long, conflicts_with = "policy")]
    unnamed: bool,
    /// Who may vouch for names: a `trusted_root.json`
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
}

/// Runs `occ image verify`.
pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(or_interrupted(verify(args, context), context))
}

async fn verify(args: &VerifyArgs, context: &Context) -> Result<Exit, Failure> {
    let wanted = Wanted::parse(&args.names).map_err(PullError::from)?;
    let intake = context.intake();
    let notary = args.notary(&intake.way()?.notary)?;
    let progress = context.terminal.progress();
    // Nothing is pulled: only what goes wrong is news.
    let tell = |event| match event {
        Event::PullFailed { .. } | Event::Unverified { .. } => progress.show(&event),
        _ => {}
    };
    let looked = look(&wanted, &intake, &tell).await;
    let admission = match looked {
        Ok(looked) => examine(&looked, &notary, crate::time::moment(), &tell).await,
        Err(error) => Err(error),
    };
    progress.clear();
    let admission = admission?;
    let text = report(&admission);
    context.terminal.result("occ/image-verify", &admission.to_json(), &text)?;
    Ok(exit(&admission))
}

impl VerifyArgs {
    /// Returns who judges: strictly, whatever the settings say, because somebody asks.
    fn notary(&self, usual: &Notary) -> Result<Notary, Failure> {
        let wrong = |error: &dyn std::error::Error| Failure::of(Exit::Config, error);
        let policy = match (&self.policy, &self.key, &self.identity, &self.issuer) {
            (Some(path), ..) => {
                read_policy(path).map_err(|error| wrong(&error))?.ok_or_else(|| {
                    Failure::new(Exit::Config, format!("there is no policy: {}", path.display()))
                })?
            }
            (_, Some(path), ..) => {
                let (keys, identities) = (vec![public_key(path)?], Vec::new());
                Policy { keys, identities, ..usual.policy.clone() }
            }
            (_, _, Some(subject), Some(issuer)) => {
                let identities = vec![Identity::new(issuer.clone(), subject.clone())];
                Policy { identities, keys: Vec::new(), ..usual.policy.clone() }
            }
            _ => usual.policy.clone(),
        };
        let root = match &self.trusted_root {
            Some(path) => TrustRoot::from_file(path).map_err(|error| wrong(&error))?,
            None => usual.root.clone(),
        };
        let memory = usual.memory.clone();
        let binding = if self.unnamed { Binding::WhereSigned } else { policy.binding };
        Ok(Notary { policy: Policy { mode: Mode::Enforce, binding, ..policy }, root, memory })
    }
}

/// Reads a public key in PEM form.
fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    let unreadable = |why: String| {
        Failure::new(Exit::Config, format!("cannot read the key {}: {why}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    text.parse().map_err(|error: occ_trust::PolicyError| unreadable(error.to_string()))
}

fn exit(admission: &Admission) -> Exit {
    match &admission.verdict {
        _ if admission.is_admitted() => Exit::Done,
        Some(Verdict::Unknown { .. }) => Exit::Network,
        _ => Exit::Refused,
    }
}

/// Says what was proved, by whom, when, with which trust root, and what was not.
fn report(admission: &Admission) -> String {
    let mut lines = vec![
        ("Image", admission.image.to_string()),
        ("Verdict", admission.verdict.as_ref().map_or("none", Verdict::name).to_owned()),
        ("Says", admission.to_string()),
    ];
    if let Some(Verdict::Verified(proof)) = &admission.verdict {
        lines.extend(proved(proof));
    }
    lines.extend(admission.asked.iter().map(|asking| ("Asked", asked(asking))));
    lines.extend(admission.findings.iter().map(|finding| ("Noticed", finding.to_string())));
    lines.iter().map(|(name, value)| format!("{:<13}{value}\n", format!("{name}:"))).collect()
}

fn proved(proof: &Proof) -> Vec<(&'static str, String)> {
    let mut lines = vec![("Signed by", proof.signer.to_string())];
    lines.extend(proof.times.iter().map(|time| ("Signed at", time.to_string())));
    lines.extend(
        proof.annotations.iter().map(|(name, value)| ("Signed for", format!("{name}={value}"))),
    );
    lines.extend(proof.predicates.iter().map(|kind| ("Proved", kind.clone())));
    lines.push(("Trust root", proof.trust_root.to_string()));
    let of = |kind: &str| proof.attestations.iter().find(|one| one.predicate_type == kind);
    match of(PROVENANCE) {
        Some(provenance) => lines.push(("SLSA level", slsa_level(provenance).to_string())),
        None => lines.push(("Not proved", "where it was built and from what".to_owned())),
    }
    if of(CYCLONE_DX).is_none() {
        lines.push(("Not proved", "what is in it".to_owned()));
    }
    if proof.times.is_empty() {
        lines.push(("Not proved", "when it was signed".to_owned()));
    }
    lines.push(("Not proved", "that it can be built again with the same bytes".to_owned()));
    lines
}

fn asked(asking: &Asking) -> String {
    let answer = match &asking.answer {
        Answer::Nothing => "nothing".to_owned(),
        Answer::Listed { count } => count.to_string(),
        Answer::Failed { why } => format!("no answer: {why}"),
    };
    format!("{}, {}: {answer}", asking.registry, asking.channel)
}
