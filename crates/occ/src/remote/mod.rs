//! Sandboxes on other machines: which there are, and the way there through the user's own `ssh`.

mod diagnose;
mod hosts;
mod server;
mod tunnel;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::OnceLock;

use occ_engine::{Choice, ClientSettings, Endpoint};
use occ_sandbox::{Home, Instance, PortState};

pub(crate) use self::hosts::{Host, HostName, Hosts, SshUrl};
pub(crate) use self::server::Door;
pub(crate) use self::tunnel::Tunnel;
use crate::context::Context;
use crate::failure::Failure;
use crate::host;
use crate::secrets::HostSecrets;

/// A place where a server of the sandbox's machine is reached, for as long as this lives.
pub(crate) struct Reached {
    /// The address to use here.
    pub(crate) address: SocketAddr,
    _tunnel: Option<Tunnel<SocketAddr>>,
}

impl Context {
    /// Returns the same for a sandbox on a host.
    pub(crate) fn on(&self, host: &HostName) -> Self {
        self.like(self.instance.clone(), Some(host.clone()))
    }

    /// Returns the same for another sandbox.
    pub(crate) fn of(&self, instance: &Instance) -> Self {
        self.like(instance.clone(), self.host.clone())
    }

    fn like(&self, instance: Instance, host: Option<HostName>) -> Self {
        Self {
            terminal: self.terminal.clone(),
            env: self.env.clone(),
            instance,
            host,
            way: OnceLock::new(),
            cancel: self.cancel.clone(),
            secrets: HostSecrets::new(&self.env),
        }
    }

    /// Returns the machine that the sandbox runs on, where it is not this one.
    pub(crate) fn remote(&self) -> Result<Option<Host>, Failure> {
        let Some(name) = &self.host else { return Ok(None) };
        Hosts::read(&self.env.hosts_file())?.get(name).map(Some)
    }

    /// Returns what leads to the engine: of the host that was named, through a tunnel that lives as long
    /// as this command, or else as Docker's own client would choose.
    pub(crate) fn engine_settings(&self) -> Result<ClientSettings, Failure> {
        let settings = self.env.engine();
        let Some(host) = self.remote()? else { return Ok(settings) };
        let tunnel = if let Some(tunnel) = self.way.get() {
            tunnel
        } else {
            let opened = Tunnel::to_engine(&host, self)?;
            self.way.get_or_init(|| opened)
        };
        let shown = host.url.to_string();
        let endpoint = Endpoint::Forwarded { socket: tunnel.entrance.clone(), shown };
        let chosen = Choice { endpoint, chosen_by: format!("host {}", host.name) };
        Ok(ClientSettings { chosen: Some(chosen), ..settings })
    }

    /// Opens the way to a port that the sandbox publishes on its machine.
    pub(crate) fn reach(&self, address: SocketAddr) -> Result<Reached, Failure> {
        let Some(host) = self.remote()? else { return Ok(Reached { address, _tunnel: None }) };
        let tunnel = Tunnel::to_port(&host, address, None, self)?;
        Ok(Reached { address: tunnel.entrance, _tunnel: Some(tunnel) })
    }

    /// Returns whether a port can be bound where the sandbox runs; another machine's cannot be tried.
    pub(crate) fn port(&self, wished: SocketAddr) -> PortState {
        if self.host.is_some() { PortState::Unknown } else { host::port(wished) }
    }

    /// Returns the addresses by which others may reach this machine; another machine's are not known.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        if self.host.is_some() { Vec::new() } else { host::addresses() }
    }

    /// Returns the folder of what is known of this machine's sandboxes, or of the named host's.
    pub(crate) fn state_dir(&self) -> PathBuf {
        match &self.host {
            Some(name) => self.env.state_dir.join("hosts").join(name.as_str()),
            None => self.env.state_dir.clone(),
        }
    }

    /// Returns the sandbox's own files, which every host has of its own.
    pub(crate) fn home(&self) -> Home {
        Home::new(&self.state_dir(), &self.instance)
    }
}
