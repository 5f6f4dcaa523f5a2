//! What the settings give a sandbox of this host: looked up here, once per start, with what a person should know.

mod certificates;
mod folders;
mod person;

use occ_sandbox::{Found, Given, Proxy};

use crate::config::Config;
use crate::context::Context;
use crate::failure::Failure;

pub(crate) use self::folders::{folder, warnings};

/// Returns what the sandbox is given, and what its owner should be told.
pub(crate) fn given(config: &Config, context: &Context) -> Result<(Given, Vec<String>), Failure> {
    let mut notes = Vec::new();
    let given = Given {
        mounts: folders::look(&config.mounts, context, &mut notes)?,
        env: config.env.clone(),
        secrets: config.secrets.clone(),
        proxy: proxy(config.proxy, context, &mut notes),
        certificates: certificates::look(&config.authorities, &context.env, &mut notes)?,
        ssh_agent: person::ssh_agent(config.ssh_agent, &context.env, &mut notes),
        git_identity: person::git_identity(config.git_identity, &context.env, &mut notes),
    };
    Ok((given, notes))
}

fn proxy(wanted: bool, context: &Context, notes: &mut Vec<String>) -> Found<Proxy> {
    if !wanted {
        return Found::Unwanted;
    }
    let look = Proxy::find(|name| context.env.variable(name));
    if !look.out_of_reach.is_empty() {
        notes.push(format!(
            "the proxy in {} listens on this host's loopback, which cannot be reached from inside; it is not \
             passed on. Let it listen on an address of the engine's network and name that one: occ env set \
             HTTPS_PROXY=http://172.17.0.1:3128",
            look.out_of_reach.join(", ")
        ));
    }
    look.proxy.map_or(Found::Missing, Found::There)
}
