//! With what is signed, and what: shared by `occ sign` and `occ attest`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use occ_oci::Reference;
use occ_registry::{Client, RawManifest, Registries, Secret};
use occ_trust::{
    Ambient, Bundle, IdentityToken, LogKind, Services, SigningKey, SigningWith, attach,
};
use serde_json::{Value, json};

use super::image::resolve;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments that say with what is signed.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signing")]
pub(crate) struct SigningArgs {
    /// Sign with this key (PEM, PKCS #8) in place of a certificate; nothing is logged unless a log is named
    #[arg(long, value_name = "FILE", conflicts_with = "identity_token")]
    key: Option<PathBuf>,
    /// File with the token that says who you are; without it `SIGSTORE_ID_TOKEN`, or that of the CI job
    #[arg(long, value_name = "FILE")]
    identity_token: Option<PathBuf>,
    /// Certificate authority in place of Sigstore's public one
    #[arg(long, value_name = "URL")]
    fulcio_url: Option<String>,
    /// Log in place of Sigstore's public one
    #[arg(long, value_name = "URL")]
    rekor_url: Option<String>,
    /// Version of that log
    #[arg(long, value_name = "NUMBER", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    rekor_version: u8,
    /// Timestamp authority in place of Sigstore's public one
    #[arg(long, value_name = "URL")]
    timestamp_url: Option<String>,
}

/// What is signed with, read.
pub(super) struct Tools {
    key: Option<SigningKey>,
    pub(super) token: Option<IdentityToken>,
    services: Services,
    logged: bool,
}

impl SigningArgs {
    /// Reads the key, or gets a token.
    pub(super) async fn tools(
        &self,
        way: &Registries,
        context: &Context,
    ) -> Result<Tools, Failure> {
        let key = self.key.as_ref().map(|path| {
            let pem = fs::read_to_string(path).map_err(|error| {
                Failure::new(
                    Exit::Config,
                    format!("cannot read the key {}: {error}", path.display()),
                )
            })?;
            SigningKey::from_pem(&Secret::new(pem))
                .map_err(|error| Failure::of(Exit::Config, &error))
        });
        let key = key.transpose()?;
        let token = if key.is_some() { None } else { Some(self.token(way, context).await?) };
        let kind = if self.rekor_version == 2 { LogKind::New } else { LogKind::Old };
        let public = Services::public();
        let services = Services {
            authority: self.fulcio_url.clone().unwrap_or(public.authority),
            log: (self.rekor_url.clone().unwrap_or(public.log.0), kind),
            // Another log has nothing to do with the public authority.
            timestamps: match (&self.timestamp_url, &self.rekor_url) {
                (Some(url), _) => Some(url.clone()),
                (None, Some(_)) => None,
                (None, None) => public.timestamps,
            },
        };
        Ok(Tools { key, token, services, logged: self.rekor_url.is_some() })
    }

    async fn token(&self, way: &Registries, context: &Context) -> Result<IdentityToken, Failure> {
        let wrong = |error| Failure::of(Exit::Config, &error);
        if let Some(path) = &self.identity_token {
            let text = fs::read_to_string(path)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            return IdentityToken::new(&Secret::new(text.trim())).map_err(wrong);
        }
        if let Some(text) = context.env.variable("SIGSTORE_ID_TOKEN") {
            return IdentityToken::new(&Secret::new(text.trim())).map_err(wrong);
        }
        let url = context.env.variable("ACTIONS_ID_TOKEN_REQUEST_URL");
        let request = context.env.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
        match Ambient::of(url.as_deref(), request.as_deref()) {
            Some(ambient) => ambient.token(way).await.map_err(|error| failed(&error)),
            None => Err(Failure::usage("nothing says who signs")
                .hint("with a key: --key FILE (make one: occ trust key FILE)")
                .hint("with a token: --identity-token FILE")
                .hint("in a job of a CI: give it the permission id-token: write")),
        }
    }
}

impl Tools {
    /// Returns what is signed with.
    pub(super) fn with<'a>(&'a self, way: &'a Registries) -> SigningWith<'a> {
        let services = &self.services;
        match (&self.key, &self.token) {
            (Some(key), _) if self.logged => SigningWith::LoggedKey { key, way, services },
            (Some(key), _) => SigningWith::Key(key),
            (None, Some(token)) => SigningWith::Keyless { token, way, services },
            (None, None) => unreachable!("a key or a token was read"),
        }
    }
}

/// Returns what a failure to sign is.
pub(super) fn failed(error: &occ_trust::SignError) -> Failure {
    let exit = match error {
        occ_trust::SignError::Service { .. } => Exit::Network,
        _ => Exit::Failed,
    };
    Failure::of(exit, error)
}

/// An image in a registry with the manifests of all its platforms: what is signed is signed for all of them.
pub(super) struct Subjects {
    pub(super) client: Client,
    pub(super) manifests: Vec<RawManifest>,
}

impl Subjects {
    /// Finds them.
    pub(super) async fn find(way: &Registries, reference: &Reference) -> Result<Self, Failure> {
        let client = way.client(reference.repository())?;
        let root = resolve(&client, reference).await?;
        let (children, _) = root.parts();
        let mut manifests = vec![root.clone()];
        for child in children {
            manifests.push(client.described(child).await?);
        }
        Ok(Self { client, manifests })
    }

    /// Returns all manifests, the one that was named first.
    pub(super) fn all(&self) -> Vec<&RawManifest> {
        self.manifests.iter().collect()
    }

    /// Puts a bundle where everybody finds it.
    pub(super) async fn attach(&self, bundle: &Bundle) -> Result<Value, Failure> {
        // Who looks at the time takes the signed one.
        let attached = attach(&self.client, bundle, &self.all(), crate::time::moment()).await?;
        let one = |one: &occ_trust::Attachment| json!({ "subject": one.subject, "referrer": one.referrer });
        Ok(attached.iter().map(one).collect())
    }
}
