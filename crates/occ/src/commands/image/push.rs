//! `occ image push`: from a layout or the engine to registries.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use occ_image::{EntryName, Layout, LayoutError, Selector, Size};
use occ_oci::{Descriptor, Tagged};
use occ_registry::{Client, FileSource, MANIFEST_LIMIT, Pushed, RawManifest};
use occ_sandbox::Event;
use serde_json::json;

use super::named::{may_stand_for, or_interrupted, reference};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// How deep indexes may be in indexes.
const DEPTH: usize = 4;

/// Arguments of `occ image push`.
#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Image of the layout with all its platforms: a variant or a digest
    #[arg(value_name = "IMAGE")]
    image: Selector,
    /// Names that it gets, HOST/PATH:TAG each
    #[arg(value_name = "REFERENCE", required = true)]
    names: Vec<String>,
    /// Folder of the OCI layout
    #[arg(long, value_name = "DIR")]
    layout: Option<PathBuf>,
    /// Show what would be sent and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `occ image push`.
pub(crate) fn run(args: &PushArgs, context: &Context) -> Result<Exit, Failure> {
    let read = |name: &String| {
        reference(name)?;
        name.parse::<Tagged>().map_err(|error| Failure::usage(format!("{name}: {error}")))
    };
    let names: Vec<Tagged> = args.names.iter().map(read).collect::<Result<_, _>>()?;
    let usual = context.env.layout();
    let layout = Layout::open(args.layout.as_ref().unwrap_or(&usual))?;
    let root = entry(&layout, &args.image)?;
    context.block_on(or_interrupted(push(&layout, &root, &names, args.dry_run, context), context))
}

/// Returns the entry of a layout that is meant: the list of all its platforms, where no platform is named.
fn entry(layout: &Layout, selector: &Selector) -> Result<Descriptor, Failure> {
    if selector.platform.is_some() {
        return Err(Failure::usage("an image is pushed with all its platforms")
            .hint("one of them alone is named by its digest"));
    }
    let entries = layout.entries()?;
    let is_it = |entry: &&Descriptor| match &selector.entry {
        EntryName::Name(name) => entry.ref_name() == Some(name),
        EntryName::Digest(digest) => entry.digest == *digest,
    };
    if let Some(entry) = entries.iter().find(is_it) {
        return Ok(entry.clone());
    }
    if let EntryName::Digest(digest) = &selector.entry {
        let images = layout.images()?;
        if let Some(image) = images.into_iter().find(|image| image.descriptor.digest == *digest) {
            return Ok(image.descriptor);
        }
    }
    let known = entries.iter().filter_map(Descriptor::ref_name).map(str::to_owned).collect();
    Err(LayoutError::Unknown { wanted: selector.entry.to_string(), known }.into())
}

async fn push(
    layout: &Layout,
    root: &Descriptor,
    names: &[Tagged],
    dry_run: bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let registries = context.registries()?;
    let manifest = read(layout, root)?;
    let clients = names.iter().map(|name| registries.client(&name.repository));
    let clients: Vec<Client> = clients.collect::<Result<_, _>>()?;
    // Nothing is sent anywhere when one of the names must not move.
    for (client, name) in clients.iter().zip(names) {
        may_stand_for(client, &name.tag, manifest.digest()).await?;
    }
    let mut sent = 0;
    if !dry_run {
        for (client, name) in clients.iter().zip(names) {
            sent += Push::new(layout, client, context)?.all(&manifest, name).await?;
        }
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let data = json!({
        "changed": !dry_run, "digest": manifest.digest(), "names": names, "bytes": sent,
    });
    let lines = names.iter().map(|name| format!("{name}  {}\n", manifest.digest()));
    if !dry_run {
        context.terminal.say(&format!("pushed: {} sent", Size(sent)));
    }
    context.terminal.result("occ/image-push", &data, &lines.collect::<String>())?;
    Ok(Exit::Done)
}

/// Reads a manifest of a layout.
fn read(layout: &Layout, descriptor: &Descriptor) -> Result<RawManifest, Failure> {
    if descriptor.size > MANIFEST_LIMIT as u64 {
        let (what, size) = (descriptor.digest.to_string(), descriptor.size);
        return Err(LayoutError::TooLarge { what, size, limit: MANIFEST_LIMIT as u64 }.into());
    }
    let mut bytes = Vec::new();
    layout.blob(descriptor)?.read_to_end(&mut bytes)?;
    let parsed = RawManifest::parse(bytes, descriptor.media_type.clone());
    parsed.map_err(|error| Failure::of(Exit::Refused, &error))
}

/// One push to one repository.
struct Push<'a> {
    layout: &'a Layout,
    client: &'a Client,
    context: &'a Context,
    /// What the layout has about other manifests.
    about: Vec<RawManifest>,
    sent: AtomicU64,
}

impl<'a> Push<'a> {
    fn new(layout: &'a Layout, client: &'a Client, context: &'a Context) -> Result<Self, Failure> {
        let mut about = Vec::new();
        for entry in layout.entries()?.iter().filter(|entry| entry.media_type.is_manifest()) {
            let manifest = read(layout, entry)?;
            if manifest.subject().is_some() {
                about.push(manifest);
            }
        }
        Ok(Self { layout, client, context, about, sent: AtomicU64::new(0) })
    }

    /// Sends everything, and then lets the tag stand for it; returns the bytes that were sent.
    async fn all(&self, root: &RawManifest, name: &Tagged) -> Result<u64, Failure> {
        let progress = self.context.terminal.progress();
        let what = format!("Pushing to {}", self.client.host());
        let told = |done| progress.show(&Event::Copied { what: what.clone(), done, total: 0 });
        let sent = self.manifest(root, DEPTH, &told).await;
        progress.clear();
        sent?;
        if !may_stand_for(self.client, &name.tag, root.digest()).await? {
            self.client.tag(root, &name.tag).await?;
        }
        Ok(self.sent.load(Ordering::Relaxed))
    }

    /// Sends what a manifest lists and needs, itself, and what is about it.
    fn manifest<'b>(
        &'b self,
        manifest: &'b RawManifest,
        depth: usize,
        told: &'b (dyn Fn(u64) + Send + Sync),
    ) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + 'b>> {
        Box::pin(async move {
            let (listed, needed) = manifest.parts();
            for child in listed {
                if depth == 0 {
                    let message = format!("{} has lists in lists without end", manifest.digest());
                    return Err(Failure::new(Exit::Refused, message));
                }
                self.manifest(&read(self.layout, child)?, depth - 1, told).await?;
            }
            for blob in needed {
                self.blob(blob, told).await?;
            }
            match manifest.subject() {
                Some(_) => drop(self.client.attach(manifest).await?),
                None => self.client.push_manifest(manifest).await?,
            }
            let is_about = |other: &&RawManifest| {
                let subject = other.subject().map(|subject| &subject.digest);
                subject == Some(manifest.digest().digest())
            };
            for other in self.about.iter().filter(is_about) {
                if depth > 0 {
                    self.manifest(other, depth - 1, told).await?;
                }
            }
            Ok(())
        })
    }

    async fn blob(
        &self,
        blob: &Descriptor,
        told: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Failure> {
        // What is missing or no file is told in the layout's own words.
        drop(self.layout.blob(blob)?);
        let digest = &blob.digest;
        let folder = self.layout.folder().join("blobs").join(digest.algorithm().name());
        let mut source = FileSource::new(File::open(folder.join(digest.hex()))?);
        if self.client.push_blob(blob, &mut source, None).await? == Pushed::Uploaded {
            told(self.sent.fetch_add(blob.size, Ordering::Relaxed) + blob.size);
        }
        Ok(())
    }
}
