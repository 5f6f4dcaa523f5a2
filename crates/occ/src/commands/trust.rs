//! `occ trust`: whom we believe, and what was seen.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use occ_oci::Repository;
use occ_trust::{
    Expectation, Expectations, Notary, RefreshError, RootService, SigningKey, TrustRoot,
};
use serde_json::json;

use super::image::{or_interrupted, repository};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::trust::notary;

/// Commands about trust.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Show whose signatures are believed, by which trust root, and what was seen signed
    Show,
    /// Expect signatures of a repository from now on, before one was seen
    Pin(RepositoryArgs),
    /// Forget that a repository was seen signed
    ///
    /// An image of it that is not signed, or older than what was seen, is then like one never heard of.
    Forget(RepositoryArgs),
    /// Show the trust root: who may vouch for names; or take another one
    Root(RootArgs),
    /// Make a key to sign with
    Key(KeyArgs),
}

/// Arguments that name a repository.
#[derive(Debug, Args)]
pub(crate) struct RepositoryArgs {
    /// Repository, HOST/PATH
    #[arg(value_name = "REPOSITORY")]
    name: String,
}

/// Arguments of `occ trust root`.
#[derive(Debug, Args)]
pub(crate) struct RootArgs {
    /// Take this one from now on: a `trusted_root.json`, as Sigstore's TUF repository has it
    #[arg(long, value_name = "FILE", conflicts_with = "built_in")]
    import: Option<PathBuf>,
    /// Take the one that is built in again
    #[arg(long)]
    built_in: bool,
    /// Fetch the newest one (TUF); it must be signed by those whom the one before names
    #[arg(long, conflicts_with_all = ["import", "built_in"])]
    refresh: bool,
    /// Where to fetch it, in place of Sigstore's public repository
    #[arg(long, value_name = "URL", requires_all = ["refresh", "tuf_root"])]
    tuf_url: Option<String>,
    /// The first root of that repository that is trusted (`root.json`)
    #[arg(long, value_name = "FILE", requires = "tuf_url")]
    tuf_root: Option<PathBuf>,
}

/// Arguments of `occ trust key`.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Where the key goes; its public half goes beside it, with `.pub` at the end
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

/// Runs `occ trust`.
pub(crate) fn run(command: TrustCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        TrustCommand::Show => show(context),
        TrustCommand::Pin(args) => pin(&repository(&args.name)?, context),
        TrustCommand::Forget(args) => forget(&repository(&args.name)?, context),
        TrustCommand::Root(args) => root(&args, context),
        TrustCommand::Key(args) => key(&args.path, context),
    }
}

fn own(context: &Context) -> Result<Notary, Failure> {
    let mode = context.layers()?.config().verification;
    notary(&context.env, mode).map_err(|error| Failure::of(Exit::Config, &error))
}

fn show(context: &Context) -> Result<Exit, Failure> {
    let notary = own(context)?;
    let (seen, forgotten) = Expectations::load(&notary.memory);
    if let Some(forgotten) = forgotten {
        context.terminal.warn(&forgotten.to_string());
    }
    let file = context.env.trust_policy_file();
    let policy = if file.exists() { file.display().to_string() } else { "built in".to_owned() };
    let seen: Vec<(&str, &Expectation)> = seen.all().collect();
    let data = json!({
        "mode": notary.policy.mode,
        "policy": { "from": policy, "is": notary.policy },
        "root": notary.root.version(),
        "seen": seen.iter().map(|(repository, seen)| json!({ "repository": repository, "is": seen })).collect::<Vec<_>>(),
    });
    let mut lines = vec![
        ("Mode", context.layers()?.get("image_verification").0.as_str().unwrap_or("").to_owned()),
        ("Policy", policy),
    ];
    let identities = notary.policy.identities.iter();
    lines
        .extend(identities.map(|one| ("Believes", format!("{} (by {})", one.subject, one.issuer))));
    lines.extend(notary.policy.keys.iter().map(|key| ("Believes", format!("key {}", key.id()))));
    lines.push(("Trust root", notary.root.version().to_string()));
    lines.extend(seen.iter().map(|(repository, seen)| ("Seen", described(repository, seen))));
    let text = lines.iter().map(|(name, value)| format!("{:<13}{value}\n", format!("{name}:")));
    context.terminal.result("occ/trust", &data, &text.collect::<String>())?;
    Ok(Exit::Done)
}

fn described(repository: &str, seen: &Expectation) -> String {
    let by = match &seen.signer {
        Some(signer) => format!("signed by {signer}"),
        None => "to be signed".to_owned(),
    };
    let version = seen.version.as_ref().map_or_else(String::new, |version| format!(", {version}"));
    format!("{repository}: {by}{version}, last at {}", seen.last)
}

fn pin(repository: &Repository, context: &Context) -> Result<Exit, Failure> {
    let now = crate::time::moment();
    own(context)?.change(|seen| seen.pin(repository, now))?;
    context.terminal.say(&format!("signatures are expected from now on: {repository}"));
    let data = json!({ "repository": repository.to_string(), "expected": true });
    context.terminal.result("occ/trust-pin", &data, "")?;
    Ok(Exit::Done)
}

fn forget(repository: &Repository, context: &Context) -> Result<Exit, Failure> {
    let forgotten = own(context)?.change(|seen| seen.forget(repository))?;
    match &forgotten {
        Some(seen) => {
            let seen = described(&repository.to_string(), seen);
            context.terminal.say(&format!("forgotten: {seen}"));
        }
        None => context.terminal.say(&format!("nothing was known of {repository}")),
    }
    let data = json!({ "repository": repository.to_string(), "forgotten": forgotten });
    context.terminal.result("occ/trust-forget", &data, "")?;
    Ok(Exit::Done)
}

fn root(args: &RootArgs, context: &Context) -> Result<Exit, Failure> {
    let path = context.env.trust_root_file();
    let wrong = |error| Failure::of(Exit::Config, &error);
    if let Some(file) = &args.import {
        TrustRoot::store(&read(file)?, &path, crate::time::moment()).map_err(wrong)?;
    }
    if args.built_in && path.exists() {
        fs::remove_file(&path)?;
    }
    if args.refresh {
        context.block_on(or_interrupted(refresh(args, &path, context), context))?;
    }
    let root = TrustRoot::stored(&path).map_err(wrong)?.unwrap_or_else(TrustRoot::embedded);
    let text = format!("{}\n", root.version());
    context.terminal.result("occ/trust-root", &json!(root.version()), &text)?;
    Ok(Exit::Done)
}

async fn refresh(args: &RootArgs, path: &Path, context: &Context) -> Result<(), Failure> {
    let service = match (&args.tuf_url, &args.tuf_root) {
        (Some(url), Some(file)) => {
            let first = read(file)?.into();
            RootService { url: url.clone(), first }
        }
        _ => RootService::public(),
    };
    let folder = context.env.trust_updates_dir();
    let now = crate::time::moment();
    let done = TrustRoot::refresh(&context.registries()?, &service, (path, &folder), now).await;
    done.map(drop).map_err(|error| {
        let exit = match &error {
            RefreshError::Update { .. } => Exit::Network,
            RefreshError::Root(_) => Exit::Config,
        };
        Failure::of(exit, &error)
            .hint("the trust root at hand is as good as before: occ trust root")
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

fn key(path: &Path, context: &Context) -> Result<Exit, Failure> {
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    let public = PathBuf::from(public);
    let (key, secret) =
        SigningKey::generate().map_err(|error| Failure::of(Exit::Failed, &error))?;
    // A key that is there is never written over.
    let new = |path: &Path, mode: u32, text: &str| {
        let mut file = fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(mode).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
        })
    };
    new(path, 0o600, secret.expose())?;
    new(&public, 0o644, &key.public().pem())?;
    let data = json!({ "key": path, "public": public, "id": key.public().id() });
    let text = format!("{}\n{}\n", path.display(), public.display());
    context.terminal.result("occ/trust-key", &data, &text)?;
    Ok(Exit::Done)
}
