//! `occ host`: other machines on which sandboxes run.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use occ_engine::Engine as _;
use occ_sandbox::reachable;
use serde_json::{Value, json};

use super::existing_container;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::{Host, HostName, Hosts, SshUrl, Tunnel};

/// What to do with other machines.
#[derive(Debug, Subcommand)]
pub(crate) enum HostCommand {
    /// Name a machine that your ssh reaches; its engine is used with --host NAME
    Add(AddArgs),
    /// List the machines that have a name
    List,
    /// Go to a machine and look at its engine
    Test(NameArgs),
    /// Bring the sandbox of a machine to a port of this one, until Ctrl-C
    Connect(ConnectArgs),
    /// Forget a machine; what runs there goes on
    Remove(NameArgs),
}

/// Arguments of `occ host add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// What to call it
    name: HostName,
    /// Where it is, as ssh reaches it: `ssh://[USER@]HOST[:PORT]`; HOST may be an alias of your
    /// ssh configuration
    url: SshUrl,
    /// Where its engine listens there [default: /var/run/docker.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Arguments that name one host.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// Its name
    name: HostName,
}

/// Arguments of `occ host connect`.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Its name
    name: HostName,
    /// Port on this machine; one that is free when left out
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// How often it is looked whether the way is still open.
const BEAT: Duration = Duration::from_millis(200);

/// Runs `occ host`.
pub(crate) fn run(command: HostCommand, context: &Context) -> Result<Exit, Failure> {
    match command {
        HostCommand::Add(args) => add(args, context),
        HostCommand::List => list(context),
        HostCommand::Test(args) => test(&args.name, context),
        HostCommand::Connect(args) => connect(&args, context),
        HostCommand::Remove(args) => remove(&args.name, context),
    }
}

fn add(args: AddArgs, context: &Context) -> Result<Exit, Failure> {
    if args.socket.as_ref().is_some_and(|socket| !socket.is_absolute()) {
        return Err(Failure::usage("the path of the socket must start with a slash"));
    }
    let file = context.env.hosts_file();
    let mut hosts = Hosts::read(&file)?;
    let changed = hosts.add(args.name.clone(), args.url, args.socket)?;
    if changed {
        hosts.write(&file)?;
    }
    let host = hosts.get(&args.name)?;
    let mut data = described(&host);
    data["changed"] = json!(changed);
    context.terminal.result("occ/host.add", &data, "")?;
    context.terminal.say(&format!("Go there and look: occ host test {}", host.name));
    Ok(Exit::Done)
}

fn list(context: &Context) -> Result<Exit, Failure> {
    let hosts = Hosts::read(&context.env.hosts_file())?.all();
    let data: Vec<Value> = hosts.iter().map(described).collect();
    let text: String =
        hosts.iter().map(|host| format!("{:<16} {}\n", host.name, host.url)).collect();
    context.terminal.result("occ/host.list", &json!({ "hosts": data }), &text)?;
    Ok(Exit::Done)
}

fn test(name: &HostName, context: &Context) -> Result<Exit, Failure> {
    let there = context.on(name);
    let facts = there.block_on(async { Ok(there.engine()?.facts().await?) });
    let facts = facts.map_err(|failure: Failure| absent_engine(failure, name))?;
    let data = json!({ "name": name, "engine": facts });
    let text = format!("{} {} on {}\n", facts.product, facts.version, facts.architecture);
    context.terminal.result("occ/host.test", &data, &text)?;
    context.terminal.say(&format!("Start a sandbox there: occ start --host {name}"));
    Ok(Exit::Done)
}

/// Where the way is open and nothing answers at its end, it is that machine's engine that is missing.
fn absent_engine(failure: Failure, name: &HostName) -> Failure {
    if failure.exit != Exit::Engine {
        return failure;
    }
    let mut failure = Failure { hints: Vec::new(), ..failure };
    failure.message = format!("no container engine answers on {name}: {}", failure.message);
    failure.hint("there, look whether it runs and whether you may use it: docker version").hint(
        format!("if it listens elsewhere: occ host remove {name}, then add it with --socket PATH"),
    )
}

fn connect(args: &ConnectArgs, context: &Context) -> Result<Exit, Failure> {
    let there = context.on(&args.name);
    there.block_on(async {
        let engine = there.engine()?;
        let state = existing_container(&engine, &there).await?;
        let Some(publish) = state.publish.first() else {
            return Err(Failure::new(Exit::Failed, "the sandbox is not running")
                .hint(format!("start it: occ start --host {}", args.name)));
        };
        let address = SocketAddr::new(reachable(publish.address), publish.host_port);
        let host = Hosts::read(&context.env.hosts_file())?.get(&args.name)?;
        let mut tunnel = Tunnel::to_port(&host, address, args.port, context)?;
        let url = format!("http://{}", tunnel.entrance);
        context.terminal.result("occ/host.connect", &json!({ "url": url }), &format!("{url}\n"))?;
        context.terminal.say("Open until Ctrl-C");
        loop {
            tokio::select! {
                () = there.cancel.cancelled() => return Ok(Exit::Done),
                () = tokio::time::sleep(BEAT) => {}
            }
            if tunnel.has_ended() {
                return Err(Failure::new(
                    Exit::Network,
                    format!("the way to {} has closed", args.name),
                )
                .hint(format!("open it again: occ host connect {}", args.name)));
            }
        }
    })
}

fn remove(name: &HostName, context: &Context) -> Result<Exit, Failure> {
    let file = context.env.hosts_file();
    let mut hosts = Hosts::read(&file)?;
    hosts.remove(name)?;
    hosts.write(&file)?;
    let kept = context.on(name).state_dir();
    context.terminal.result("occ/host.remove", &json!({ "name": name }), "")?;
    if kept.exists() {
        context.terminal.say(&format!("Its passwords and records are kept in {}", kept.display()));
    }
    Ok(Exit::Done)
}

fn described(host: &Host) -> Value {
    json!({ "name": host.name, "url": host.url, "socket": host.socket })
}
