//! What a word means that names an image of the engine or a sandbox: one answer for all commands that take such
//! a word.

use occ_engine::{ContainerState, Docker, Engine as _, ImageFacts, ImageId};
use occ_sandbox::{Home, Instance};

use super::{existing_container, own_container};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::identity::plain;

/// What is meant.
pub(super) enum Target {
    /// A sandbox, with what a command about it is given.
    Sandbox(Box<Context>, Box<ContainerState>),
    /// An image, with the word it was asked for by.
    Image(String, Box<ImageFacts>),
}

/// An image of the engine, as it is asked for.
pub(super) enum Asked {
    /// By a name that somebody gave.
    Name(String),
    /// By its id, whatever its names are.
    Id(ImageId),
}

impl Target {
    /// Finds what a word means: a sandbox of this name first, then an image of the engine; the sandbox without
    /// a word.
    pub(super) async fn find(
        word: Option<&str>,
        engine: &Docker,
        context: &Context,
    ) -> Result<Self, Failure> {
        let Some(word) = word else {
            let state = existing_container(engine, context).await?;
            return Ok(Self::Sandbox(Box::new(context.of(&context.instance)), Box::new(state)));
        };
        if let Ok(instance) = word.parse::<Instance>() {
            let context = context.of(&instance);
            if let Some(state) = own_container(engine, &context).await? {
                return Ok(Self::Sandbox(Box::new(context), Box::new(state)));
            }
        }
        if let Some(image) = engine.image(word).await? {
            return Ok(Self::Image(word.to_owned(), Box::new(image)));
        }
        let word = plain(word);
        let says = format!("there is neither a sandbox nor an image of the engine: {word}");
        Err(Failure::new(Exit::Failed, says)
            .hint("see which there are: occ ls, occ image ls")
            .hint(format!("bring one from a registry: occ image pull {word}")))
    }

    /// Returns the name by which it is reported.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sandbox(_, state) => state.name.clone(),
            Self::Image(_, image) => image.tags.first().unwrap_or(&image.id.0).clone(),
        }
    }

    /// Returns how its image is asked for.
    pub(super) fn image(&self) -> Asked {
        match self {
            Self::Sandbox(_, state) => Asked::Id(state.image.clone()),
            Self::Image(word, _) => Asked::Name(word.clone()),
        }
    }

    /// Returns where files about it are: those of its instance, or of the one that this command is about.
    pub(super) fn home(&self, context: &Context) -> Home {
        match self {
            Self::Sandbox(own, _) => own.home(),
            Self::Image(..) => context.home(),
        }
    }
}
