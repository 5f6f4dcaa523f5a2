//! An image in all its details, its configuration and its history asked for side by side; and what became of
//! its files in a container.

use bollard::models::{
    ChangeType, FilesystemChange, ImageConfig, ImageHistoryResponseItem, ImageInspect,
};

use super::{ACT, Docker, LOOK, absent, named, within};
use crate::change::{FileChange, FileChangeKind};
use crate::details::{ImageDetails, ImageStep};
use crate::error::Error;
use crate::facts::ImageFacts;

impl Docker {
    pub(super) async fn observe_changes(&self, container: &str) -> Result<Vec<FileChange>, Error> {
        let asked = self.client.container_changes(named(container)?);
        let changes = match within("comparing a container with its image", ACT, asked).await {
            // What Podman says where there is no such container.
            Err(Error::Refused { status: 500, message })
                if self.observe_container(container).await?.is_none() =>
            {
                return Err(Error::NotFound { message });
            }
            answer => answer?,
        };
        let kind = |kind| match kind {
            ChangeType::_0 => FileChangeKind::Changed,
            ChangeType::_1 => FileChangeKind::Added,
            ChangeType::_2 => FileChangeKind::Removed,
        };
        let change =
            |change: FilesystemChange| FileChange { path: change.path, kind: kind(change.kind) };
        let mut changes: Vec<_> = changes.unwrap_or_default().into_iter().map(change).collect();
        changes.sort();
        Ok(changes)
    }

    pub(super) async fn observe_details(&self, name: &str) -> Result<Option<ImageDetails>, Error> {
        let asked = self.client.image_history(named(name)?);
        let history = async { absent(within("reading an image's history", LOOK, asked).await) };
        let (found, history) = tokio::try_join!(self.inspected(name), history)?;
        // Between the two questions it can have been removed.
        let (Some(found), Some(history)) = (found, history) else { return Ok(None) };
        let facts = self.facts_of(found.clone()).await?;
        Ok(Some(details(facts, found, history)))
    }
}

fn details(
    facts: ImageFacts,
    found: ImageInspect,
    history: Vec<ImageHistoryResponseItem>,
) -> ImageDetails {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let sorted = |names: Option<Vec<String>>| {
        let mut names = names.unwrap_or_default();
        names.sort();
        names
    };
    let run: ImageConfig = found.config.unwrap_or_default();
    ImageDetails {
        facts,
        os: found.os.unwrap_or_default(),
        variant: said(found.variant),
        author: said(found.author),
        entrypoint: run.entrypoint.unwrap_or_default(),
        command: run.cmd.unwrap_or_default(),
        env: run.env.unwrap_or_default(),
        user: said(run.user),
        working_dir: said(run.working_dir),
        ports: sorted(run.exposed_ports),
        volumes: sorted(run.volumes),
        stop_signal: said(run.stop_signal),
        health_check: run.healthcheck.and_then(|check| check.test).unwrap_or_default(),
        // The engine tells the last step first.
        history: history.into_iter().rev().map(step).collect(),
    }
}

fn step(step: ImageHistoryResponseItem) -> ImageStep {
    ImageStep {
        // Before 1970 nothing was built: an engine that knows no time says so like that.
        created: Some(step.created).filter(|created| *created > 0),
        created_by: step.created_by,
        size: step.size.try_into().unwrap_or_default(),
        comment: Some(step.comment).filter(|comment| !comment.is_empty()),
    }
}
