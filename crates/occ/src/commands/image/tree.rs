//! `occ image tree`: what a name in a registry stands for: the list, its platforms, and what refers to them.

use std::pin::Pin;

use clap::Args;
use occ_image::Size;
use occ_oci::{Descriptor, ManifestDigest};
use occ_registry::{Client, Document, RawManifest};
use serde::Serialize;
use serde_json::json;

use super::named::{or_interrupted, reference, resolve};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Most manifests that are shown.
const MOST: usize = 500;
/// Most steps from the root.
const DEPTH: usize = 6;

/// Arguments of `occ image tree`.
#[derive(Debug, Args)]
pub(crate) struct TreeArgs {
    /// Name of the image in a registry
    #[arg(value_name = "REFERENCE")]
    name: String,
}

/// One manifest; its JSON form is a promise.
#[derive(Debug, Serialize)]
struct Node {
    /// `index`, `image` or `artifact`.
    kind: &'static str,
    digest: ManifestDigest,
    /// Bytes of the manifest and of what it needs itself.
    size: u64,
    platform: Option<String>,
    /// What kind of artifact it is.
    artifact_type: Option<String>,
    /// What it lists.
    manifests: Vec<Self>,
    /// What is about it.
    referrers: Vec<Self>,
}

/// Runs `occ image tree`.
pub(crate) fn run(args: &TreeArgs, context: &Context) -> Result<Exit, Failure> {
    let reference = reference(&args.name)?;
    let shown = async {
        let client = context.registries()?.client(reference.repository())?;
        let root = resolve(&client, &reference).await?;
        let mut walk = Walk { client: &client, left: MOST, skipped: Vec::new() };
        let node = walk.node(&root, None, 0).await?;
        Ok((node, walk.skipped))
    };
    let (root, skipped) = context.block_on(or_interrupted(shown, context))?;
    for skipped in &skipped {
        context.terminal.warn(skipped);
    }
    let data = json!({ "reference": reference.to_string(), "root": root, "skipped": skipped });
    let mut text = format!("{reference}\n");
    draw(&root, "", Edge::Only, &mut text);
    context.terminal.result("occ/image-tree", &data, &text)?;
    Ok(Exit::Done)
}

struct Walk<'a> {
    client: &'a Client,
    left: usize,
    /// What is listed and not shown: why.
    skipped: Vec<String>,
}

impl Walk<'_> {
    fn node<'b>(
        &'b mut self,
        manifest: &'b RawManifest,
        listed: Option<&'b Descriptor>,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Node, Failure>> + 'b>> {
        Box::pin(async move {
            let (children, blobs) = manifest.parts();
            let (kind, artifact_type) = kind(manifest);
            let platform = listed.and_then(|listed| listed.platform.as_ref());
            let own = manifest.bytes().len() as u64;
            let mut node = Node {
                kind,
                digest: manifest.digest().clone(),
                size: own + blobs.iter().map(|blob| blob.size).sum::<u64>(),
                platform: platform.map(ToString::to_string),
                artifact_type,
                manifests: Vec::new(),
                referrers: Vec::new(),
            };
            for child in children {
                if self.may_go_on(&child.digest, depth) {
                    let manifest = self.client.described(child).await?;
                    node.manifests.push(self.node(&manifest, Some(child), depth + 1).await?);
                }
            }
            for listed in self.client.referrers(manifest.digest()).await?.listed {
                if !self.may_go_on(&listed.digest, depth) {
                    continue;
                }
                match self.client.referrer(manifest.digest(), &listed).await {
                    Ok(referrer) => {
                        node.referrers.push(self.node(&referrer, None, depth + 1).await?);
                    }
                    // Anybody who may push can list what is not so.
                    Err(error) if !error.reason.may_pass() => {
                        let why = Failure::from(error);
                        self.skipped.push([vec![why.message], why.causes].concat().join(": "));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(node)
        })
    }

    fn may_go_on(&mut self, digest: &occ_oci::Digest, depth: usize) -> bool {
        let may = self.left > 0 && depth < DEPTH;
        if may {
            self.left -= 1;
        } else {
            self.skipped.push(format!("left out, because there is too much of it: {digest}"));
        }
        may
    }
}

fn kind(manifest: &RawManifest) -> (&'static str, Option<String>) {
    match manifest.document() {
        Document::Index(_) => ("index", None),
        Document::Manifest(document) => match &document.artifact_type {
            None if document.config.media_type.is_image_config() => ("image", None),
            None => ("artifact", Some(document.config.media_type.to_string())),
            Some(kind) => ("artifact", Some(kind.to_string())),
        },
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Only,
    More,
    Last,
}

fn draw(node: &Node, indent: &str, edge: Edge, text: &mut String) {
    let (mark, further) = match edge {
        Edge::Only => ("", ""),
        Edge::More => ("├─ ", "│  "),
        Edge::Last => ("└─ ", "   "),
    };
    let what = node.artifact_type.as_deref().or(node.platform.as_deref()).unwrap_or(node.kind);
    text.push_str(&format!("{indent}{mark}{what}  {}  {}\n", node.digest, Size(node.size)));
    let inner = format!("{indent}{further}");
    let children: Vec<_> = node.manifests.iter().chain(&node.referrers).collect();
    for (number, child) in children.iter().enumerate() {
        let edge = if number + 1 == children.len() { Edge::Last } else { Edge::More };
        draw(child, &inner, edge, text);
    }
}
