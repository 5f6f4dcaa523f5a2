//! What is done about releases afterwards: `occ release abandon`, `verify`, `rollback` and `diff`.

use clap::Args;
use occ_release::{
    AbandonError, Channel, Journal, Made, Receipt, ReleaseDiff, RollbackError, Source, VerifyError,
    Wish, abandon, build_plans, fetch_receipt, notes, plan_rollback, roll_back, verify_release,
};
use serde_json::json;

use super::super::image::RecipeArgs;
use super::super::signing::SigningArgs;
use super::hands::{Hands, Skipped};
use super::run::{begun, failed};
use super::wish::{Grounds, PlaceArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ release abandon`.
#[derive(Debug, Args)]
pub(crate) struct AbandonArgs {
    /// The release; without it the only one that was begun and is not done
    #[arg(value_name = "VERSION")]
    version: Option<String>,
}

/// Arguments of `occ release verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The release
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    places: PlaceArgs,
    /// Read every byte, not only whether it is there
    #[arg(long)]
    whole: bool,
    /// Build it again from recipe and lock, and compare
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    recipe: RecipeArgs,
}

/// Arguments of `occ release rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The release that the names that move go back to
    #[arg(value_name = "VERSION")]
    version: String,
    #[command(flatten)]
    places: PlaceArgs,
    /// Show what would move and move nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    signing: SigningArgs,
}

/// Arguments of `occ release diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier release
    #[arg(value_name = "FROM")]
    from: String,
    /// The later one
    #[arg(value_name = "TO")]
    to: String,
    #[command(flatten)]
    places: PlaceArgs,
}

fn channel(text: &str) -> Result<Channel, Failure> {
    text.parse().map_err(|error| Failure::of(Exit::Usage, &error))
}

async fn receipt(grounds: &Grounds, channel: Channel) -> Result<Receipt, Failure> {
    match fetch_receipt(&grounds.places[0], &channel).await? {
        Some((_, receipt)) => Ok(receipt),
        None => Err(Failure::of(Exit::Failed, &VerifyError::NoReceipt(channel))),
    }
}

/// Runs `occ release abandon`.
pub(super) fn give_up(args: &AbandonArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let record = begun(args.version.as_deref(), context)?;
        let channel = record.plan.channel;
        let grounds = Grounds::of(&record.plan.places, context)?;
        let mut journal = Journal::open(&record.folder).map_err(|error| failed(&error))?;
        let abandoned = abandon(&mut journal, &grounds.places, crate::time::moment()).await;
        let abandoned = abandoned.map_err(|error| match error {
            AbandonError::Registry(error) => error.into(),
            AbandonError::Journal(error) => failed(&error),
            AbandonError::Released(_) => Failure::of(Exit::Refused, &error)
                .hint("move the names back to an earlier one: occ release rollback VERSION"),
        })?;
        for name in &abandoned.moved_back {
            context.terminal.say(&format!("moved back: {name}"));
        }
        for left in &abandoned.left {
            context.terminal.warn(&format!("stays, and nobody finds it but by its digest: {left}"));
        }
        // Its name can be used again.
        drop(journal);
        let kept = record.folder.with_file_name(format!("given-up-{}-{channel}", record.plan.seq));
        std::fs::rename(&record.folder, kept)?;
        context
            .terminal
            .say(&format!("given up: {channel}, {} manifests removed", abandoned.removed));
        let data = json!({
            "changed": true, "release": channel, "removed": abandoned.removed,
            "moved_back": abandoned.moved_back, "left": abandoned.left,
        });
        context.terminal.result("occ/release-abandon", &data, &format!("{channel}\n"))?;
        Ok(Exit::Done)
    })
}

/// Runs `occ release verify`.
pub(super) fn verify(args: &VerifyArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let (grounds, channel) = (args.places.grounds(context)?, channel(&args.version)?);
        let verified = verify_release(&grounds.places, &channel, grounds.trust(), args.whole).await;
        let verified = verified.map_err(|error| match error {
            VerifyError::Registry(error) => error.into(),
            VerifyError::NoReceipt(_) => Failure::of(Exit::Failed, &error),
        })?;
        let differences = if args.rebuild {
            Some(rebuilt(&verified.receipt, args, context).await?)
        } else {
            None
        };
        let mut text = String::new();
        for checked in &verified.checked {
            let word = if checked.holds { "ok" } else { "WRONG" };
            text.push_str(&format!(
                "{word:<6} {:<45} {:<28} {}\n",
                checked.place.to_string(),
                checked.what,
                checked.found
            ));
        }
        for difference in differences.iter().flatten() {
            text.push_str(&format!("WRONG  rebuilt: {difference}\n"));
        }
        let is_same = differences.as_ref().map(Vec::is_empty);
        if is_same == Some(true) {
            text.push_str("ok     rebuilt from recipe and lock to the same digests\n");
        }
        let holds = verified.holds() && is_same != Some(false);
        let data = json!({
            "release": channel, "holds": holds, "receipt": verified.envelope,
            "checked": verified.checked, "rebuilt": differences.as_ref().map(|differences| {
                json!({ "same": differences.is_empty(), "differences": differences })
            }),
        });
        context.terminal.result("occ/release-verify", &data, &text)?;
        Ok(if holds { Exit::Done } else { Exit::Refused })
    })
}

/// Builds a release again, and returns what is not the same.
async fn rebuilt(
    receipt: &Receipt,
    args: &VerifyArgs,
    context: &Context,
) -> Result<Vec<String>, Failure> {
    let source = args.recipe.read(context)?;
    let lock = source.lock()?;
    let is_same = source.recipe.request() == receipt.recipe
        && occ_oci::Digest::sha256(lock.render().as_bytes()) == receipt.lock;
    if !is_same {
        let revision = receipt.revision.as_deref().unwrap_or("an unknown commit");
        return Err(Failure::new(
            Exit::Refused,
            format!("{} was made of another recipe or lock than are here", receipt.channel),
        )
        .hint(format!("it was made from {revision}: check that out")));
    }
    let wish = Wish {
        channel: receipt.channel,
        product: receipt.product.clone(),
        created: receipt.created,
        seq: receipt.seq,
        revision: receipt.revision.clone(),
        branch: receipt.branch.clone(),
        run_url: receipt.run_url.clone(),
        places: receipt.places.clone(),
        variants: receipt.variants.iter().map(|variant| variant.name.clone()).collect(),
        platforms: receipt.base.images.iter().map(|image| image.platform).collect(),
        compression: receipt.compression.parse().map_err(|_| {
            Failure::new(Exit::Failed, format!("{} is an unknown compression", receipt.compression))
        })?,
        promote: true,
    };
    let builds = build_plans(&wish, &Source { recipe: &source.recipe, lock })?;
    // Nothing that was kept is used: what an earlier build left could hide a difference.
    let elsewhere = occ_image::work_folder(&context.env.cache_dir)?;
    let mut places = context.places();
    places.cache_dir = elsewhere.path().to_owned();
    let form = wish.compression;
    let images = context
        .work(move |observer, cancel| {
            occ_image::build(&builds, Some(form), &places, observer, cancel)
        })
        .await?;
    let made = Made::of(images).map_err(|error| Failure::of(Exit::Failed, &error))?;
    let mut differences = Vec::new();
    for (name, digest) in made.digests() {
        let wanted = of_receipt(receipt, &name);
        if wanted.as_ref() != Some(&digest) {
            let wanted = wanted.map_or_else(|| "nothing".to_owned(), |it| it.to_string());
            differences.push(format!("{name} is {digest} and was {wanted}"));
        }
    }
    Ok(differences)
}

/// Returns the digest of a list, or of an image by `NAME@PLATFORM`.
fn of_receipt(receipt: &Receipt, name: &str) -> Option<occ_oci::ManifestDigest> {
    let Some((subject, platform)) = name.split_once('@') else {
        return receipt.digest_of(name).cloned();
    };
    let variant = receipt.variants.iter().find(|variant| variant.name == subject);
    let images = variant.map_or(&receipt.base.images, |variant| &variant.images);
    let image = images.iter().find(|image| image.platform.to_string() == platform)?;
    Some(image.digest.clone())
}

/// Runs `occ release rollback`.
pub(super) fn go_back(args: &RollbackArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let (grounds, channel) = (args.places.grounds(context)?, channel(&args.version)?);
        let receipt = receipt(&grounds, channel).await?;
        let plan = plan_rollback(&receipt, &grounds.places, crate::time::moment()).await?;
        let mut text = String::new();
        for one in &plan.returns {
            let from = one.from.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            text.push_str(&format!("{}:{}  {from} -> {}\n", one.place, one.tag, one.to));
        }
        let changes = !plan.returns.is_empty() && !args.dry_run;
        if changes {
            let skipped = Skipped { smoke: true, scan: true };
            let hands = Hands::new(context, &grounds.way, &args.signing, skipped);
            roll_back(&plan, &receipt, &grounds.places, grounds.trust(), &hands)
                .await
                .map_err(not_back)?;
            record(&plan, context)?;
        }
        let said = match (plan.returns.len(), changes) {
            (0, _) => format!("every name stands for {channel} already"),
            (_, false) => "nothing was moved".to_owned(),
            (number, true) => format!("back to {channel}: {number} names moved"),
        };
        context.terminal.say(&said);
        let data = json!({ "changed": changes, "release": channel, "seq": plan.seq, "returns": plan.returns });
        context.terminal.result("occ/release-rollback", &data, &text)?;
        Ok(Exit::Done)
    })
}

/// Writes down that names went back: a line of JSON in the folder of releases.
fn record(plan: &occ_release::RollbackPlan, context: &Context) -> Result<(), Failure> {
    use std::io::Write as _;
    let folder = super::wish::folder(context);
    std::fs::create_dir_all(&folder)?;
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(context.env.rollbacks())?;
    let mut line = serde_json::to_vec(plan).map_err(std::io::Error::from)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(file.sync_data()?)
}

fn not_back(error: RollbackError) -> Failure {
    match error {
        RollbackError::Registry(error) => error.into(),
        RollbackError::Sign(_) => Failure::of(Exit::Failed, &error),
        RollbackError::Tags(_) => Failure::of(Exit::Refused, &error),
        RollbackError::Half { .. } => Failure::of(Exit::Failed, &error)
            .hint("move them by hand, or go back once more when the registry answers"),
    }
}

/// Runs `occ release diff`.
pub(super) fn diff(args: &DiffArgs, context: &Context) -> Result<Exit, Failure> {
    context.block_on(async {
        let grounds = args.places.grounds(context)?;
        let from = receipt(&grounds, channel(&args.from)?).await?;
        let to = receipt(&grounds, channel(&args.to)?).await?;
        let diff = ReleaseDiff::new(&from, &to);
        let data = serde_json::to_value(&diff).map_err(std::io::Error::from)?;
        context.terminal.result("occ/release-diff", &data, &notes(&to, Some(&from)))?;
        Ok(Exit::Done)
    })
}
