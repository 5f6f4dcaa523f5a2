//! Everything that applying a plan needs, held together for one command.

use std::net::IpAddr;
use std::sync::Arc;

use occ_engine::Docker;
use occ_sandbox::pull::Intake;
use occ_sandbox::{Event, Home, ImageBuilder, Lock, Recovered, TryLock, World, recover};

use crate::context::Context;
use crate::failure::Failure;
use crate::remote::Door;
use crate::terminal::Progress;
use crate::wiring::VERSION;

/// Everything that applying a plan needs, held together for one command.
pub(crate) struct Worksite<'a> {
    context: &'a Context,
    engine: &'a Docker,
    builder: Option<Arc<dyn ImageBuilder>>,
    lock: &'a Lock,
    home: Home,
    intake: Intake,
    progress: Arc<Progress>,
    observer: Box<dyn Fn(Event) + Send + Sync>,
    server: Door<'a>,
    addresses: Box<dyn Fn() -> Vec<IpAddr> + Send + Sync + 'a>,
}

impl<'a> Worksite<'a> {
    /// Returns a worksite that shows what goes on.
    pub(crate) fn new(
        context: &'a Context,
        engine: &'a Docker,
        builder: Option<Arc<dyn ImageBuilder>>,
        lock: &'a Lock,
    ) -> Self {
        let progress = Arc::new(context.terminal.progress());
        let shown = Arc::clone(&progress);
        let observer = Box::new(move |event: Event| shown.show(&event));
        let addresses = Box::new(move || context.addresses());
        let (home, intake, server) = (context.home(), context.intake(), Door(context));
        Self { context, engine, builder, lock, home, intake, progress, observer, server, addresses }
    }

    /// Returns the world as the domain sees it.
    pub(crate) fn world(&self) -> World<'_, Docker, Door<'a>> {
        World {
            engine: self.engine,
            server: &self.server,
            builder: self.builder.clone(),
            intake: &self.intake,
            secrets: &self.context.secrets,
            home: &self.home,
            lock: self.lock,
            observer: &*self.observer,
            cancel: &self.context.cancel,
            now: &crate::time::now,
            version: VERSION,
            host_addresses: &*self.addresses,
        }
    }

    /// Takes the progress away, so that what follows stands on clean lines.
    pub(crate) fn clear(&self) {
        self.progress.clear();
    }
}

impl Context {
    /// Ends a change that an earlier command did not live to end, unless another one is at it.
    pub(crate) async fn mend(&self) -> Result<(), Failure> {
        let home = self.home();
        if !home.journal_path().exists() {
            return Ok(());
        }
        match home.try_lock()? {
            TryLock::Held(lock) => self.recover(&lock).await,
            TryLock::Busy { .. } => Ok(()),
        }
    }

    /// Ends a change that an earlier command did not live to end.
    pub(crate) async fn recover(&self, lock: &Lock) -> Result<(), Failure> {
        if !self.home().journal_path().exists() {
            return Ok(());
        }
        self.terminal.say("An earlier change was cut off; ending it first");
        let engine = self.engine()?;
        let site = Worksite::new(self, &engine, None, lock);
        let recovered = recover(&site.world(), self.claim()).await;
        site.clear();
        match recovered? {
            Some(Recovered::TakenBack) => self.terminal.say("The sandbox is as it was before"),
            Some(Recovered::Finished) => self.terminal.say("The change is finished"),
            None => {}
        }
        Ok(())
    }
}
