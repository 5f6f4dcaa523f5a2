//! The full wish, and the one place that turns it into a container.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use occ_engine::{
    ContainerSpec, ImageId, Isolation, Limits, LogRotation, Mount, Network, Publish, RestartPolicy,
};
use occ_image::guest;
use serde_json::{Value, json};

use crate::change::VolumeCopy;
use crate::choice::Acquire;
use crate::given::Given;
use crate::instance::Instance;
use crate::refusal::Claim;

/// Everything a person may wish of a sandbox.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxSpec {
    /// Which sandbox.
    pub instance: Instance,
    /// Number of the host's user it belongs to.
    pub user: u32,
    /// Address on the host that accepts connections.
    pub bind: IpAddr,
    /// Port on the host.
    pub port: u16,
    /// Where the agent works.
    pub workspace: Workspace,
    /// What it is given of the host beside the workspace.
    pub given: Given,
    /// Walls around the processes.
    pub isolation: Isolation,
    /// Limits of memory, processor time and processes.
    pub limits: Limits,
    /// What the engine does when the sandbox stops by itself.
    pub restart: RestartPolicy,
    /// Size and number of log files kept.
    pub logs: LogRotation,
    /// Whether opencode's own hosted models may be used; they answer without a key, and see the prompts.
    pub hosted_models: bool,
    /// Where an image comes from when one is brought.
    pub image: ImageSource,
    /// Which image is wished.
    pub acquire: Acquire,
    /// How long the server may take to become ready.
    pub start_timeout: Duration,
    /// Settings that were named for this sandbox alone; they are remembered with it.
    pub said: BTreeMap<String, Value>,
}

/// Where the agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspace {
    /// A named volume of the engine.
    Volume,
    /// A folder of the host, absolute, with the owner its files shall have.
    Folder {
        /// The folder.
        path: PathBuf,
        /// User and group who own it.
        owner: Owner,
    },
}

/// A user and a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The owner built into every image.
    pub const GUEST: Self = Self { uid: guest::UID, gid: guest::GID };
}

/// Where an image comes from when one is brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSource {
    /// Pulled by one of these full names, tried in order.
    Prebuilt(Vec<String>),
    /// Built on this machine.
    Build,
}

/// Places where opencode itself writes.
const DATA: [&str; 3] = ["config", "data", "state"];

impl SandboxSpec {
    /// Returns what this wish may touch.
    pub fn claim(&self) -> Claim<'_> {
        Claim { instance: &self.instance, user: self.user }
    }

    /// Returns the user and group the sandbox's processes run as.
    pub fn owner(&self) -> Owner {
        match &self.workspace {
            Workspace::Volume => self.given.owner().unwrap_or(Owner::GUEST),
            Workspace::Folder { owner, .. } => *owner,
        }
    }

    /// Returns the names of the sandbox's volumes with their places inside.
    pub fn volumes(&self) -> Vec<(String, &'static str)> {
        guest::PLACES
            .iter()
            .filter(|place| place.name != "workspace" || self.workspace == Workspace::Volume)
            .map(|place| (self.instance.volume(place.name), place.path))
            .collect()
    }

    /// Returns the volumes with what opencode itself writes: what another version of it may change.
    pub fn data_volumes(&self) -> Vec<String> {
        DATA.iter().map(|place| self.instance.volume(place)).collect()
    }

    /// Returns the container that tries this wish beside the sandbox: on copies where opencode writes,
    /// without leave to write elsewhere, at a port of the engine's choice on loopback.
    pub fn trial(&self, image: ImageId, copies: &[VolumeCopy]) -> ContainerSpec {
        let mut trial = self.container(image);
        trial.name = self.instance.trial();
        trial.labels = self.claim().labels().into_iter().collect();
        trial.restart = RestartPolicy::No;
        for publish in &mut trial.publish {
            publish.address = IpAddr::from([127, 0, 0, 1]);
            publish.host_port = 0;
        }
        for mount in &mut trial.mounts {
            match mount {
                Mount::Volume { name, read_only, .. } => {
                    match copies.iter().find(|copy| copy.volume == *name) {
                        Some(copy) => name.clone_from(&copy.copy),
                        None => *read_only = true,
                    }
                }
                Mount::Bind { read_only, .. } => *read_only = true,
                Mount::Tmpfs { .. } => {}
            }
        }
        trial
    }

    /// Returns the settings that a container keeps for life, by the name the config gives them.
    ///
    /// Two wishes with equal fixed settings are served by the same container; a difference in one
    /// of them is drift, and named by its key.
    pub fn fixed(&self) -> BTreeMap<String, Value> {
        let workspace = match &self.workspace {
            Workspace::Volume => json!("volume"),
            Workspace::Folder { path, owner } => json!({ "folder": path, "owner": owner }),
        };
        let own = [
            ("bind_address", json!(self.bind)),
            ("hosted_models", json!(self.hosted_models)),
            ("isolation", json!(self.isolation)),
            ("limits", json!(self.limits)),
            ("logs", json!(self.logs)),
            ("port", json!(self.port)),
            ("restart", json!(self.restart)),
            ("user", json!(format!("{}:{}", self.owner().uid, self.owner().gid))),
            ("workspace", workspace),
        ];
        let all = own.into_iter().chain(self.given.fixed());
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Returns the container this wish means, running `image`.
    pub fn container(&self, image: ImageId) -> ContainerSpec {
        let mut mounts: Vec<Mount> = self
            .volumes()
            .into_iter()
            .map(|(name, target)| Mount::Volume {
                name,
                target: target.to_owned(),
                read_only: false,
            })
            .collect();
        if let Workspace::Folder { path, .. } = &self.workspace {
            mounts.push(Mount::Bind {
                source: path.clone(),
                target: guest::WORKSPACE.to_owned(),
                read_only: false,
            });
        }
        mounts.extend(self.given.mounts());
        let owner = self.owner();
        ContainerSpec {
            name: self.instance.container(),
            image,
            hostname: self.instance.container(),
            user: (owner != Owner::GUEST).then(|| format!("{}:{}", owner.uid, owner.gid)),
            entrypoint: None,
            command: None,
            env: self.given.environment(),
            labels: self.labels(),
            mounts,
            publish: vec![Publish {
                address: self.bind,
                host_port: self.port,
                container_port: guest::PORT,
            }],
            network: Network::Default,
            isolation: self.isolation.clone(),
            limits: self.limits,
            restart: self.restart,
            logs: self.logs,
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let spec = (guest::LABEL_SPEC.to_owned(), json!(self.fixed()).to_string());
        self.claim().labels().into_iter().chain([spec]).collect()
    }
}
