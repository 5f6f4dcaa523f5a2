//! `occ install`: a service that starts the sandbox and keeps it running.

use std::path::Path;

use clap::Args;
use occ_engine::RestartPolicy;
use serde_json::json;

use crate::context::Context;
use crate::env::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::service::{
    Manager, Person, Retries, Scope, Service, Standing, carried, standing, write,
};

/// Arguments of `occ install`.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Replace a service file that something else made
    #[arg(long)]
    force: bool,
    /// Print the service's file and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which service is meant.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Begin with the machine instead of with your login; needs root
    #[arg(long)]
    system: bool,
    /// Service manager; this machine's own unless named
    #[arg(long, value_enum, value_name = "NAME")]
    manager: Option<Manager>,
}

impl PlaceArgs {
    pub(super) fn manager(&self) -> Manager {
        self.manager.unwrap_or_else(Manager::native)
    }

    fn scope(&self) -> Scope {
        if self.system { Scope::System } else { Scope::User }
    }

    /// Returns the service that the settings mean, and the names of variables it does without.
    pub(super) fn service(&self, context: &Context) -> Result<(Service, Vec<String>), Failure> {
        let config = context.layers()?.config();
        let (environment, left_out) = carried(|name| context.env.variable(name));
        let service = Service {
            instance: context.instance.clone(),
            scope: self.scope(),
            person: Person::present(&context.env),
            program: Environment::program_path()?,
            environment,
            retries: (config.restart != RestartPolicy::No).then_some(Retries {
                limit: config.restart_retries,
                delay: config.restart_delay,
                attempt: config.start_timeout,
            }),
            log: context.home().service_log_path(),
        };
        Ok((service, left_out))
    }
}

/// Runs `occ install`.
pub(crate) fn run(args: &InstallArgs, context: &Context) -> Result<Exit, Failure> {
    let manager = args.place.manager();
    let (service, left_out) = args.place.service(context)?;
    manager.check(&service)?;
    let path = manager.path(&service, &context.env);
    let text = manager.render(&service, &context.env);
    if args.dry_run {
        let data = json!({ "path": path, "text": text });
        context.terminal.result("occ/service.file", &data, &text)?;
        return Ok(Exit::Done);
    }
    for name in &left_out {
        context.terminal.warn(&format!(
            "{name} holds a password and is not given to the service, whose variables others may read"
        ));
    }
    let before = standing(&path, &service, &text)?;
    if before == Standing::Foreign && !args.force {
        let message =
            format!("a service of that name was made by something else: {}", path.display());
        return Err(Failure::new(Exit::Failed, message)
            .hint(format!("look at it: cat {}", path.display()))
            .hint("to replace it: occ install --force"));
    }
    let changed = before != Standing::Same;
    if changed {
        write(&path, &text, &service).map_err(|error| denied(error.into(), &service, &path))?;
    }
    context.home().create()?;
    manager.enable(&service, changed, &context.env)?;
    done(manager, &service, &path, before, context)
}

/// The machine's own services are root's: what to type says how, without running occ as root.
fn denied(mut failure: Failure, service: &Service, path: &Path) -> Failure {
    if service.scope == Scope::System && service.person.uid != 0 {
        let (file, name) = (path.display(), Manager::Systemd.name(service));
        failure.hints = vec![
            format!("occ install --system --dry-run | sudo tee {file} >/dev/null"),
            format!("sudo systemctl daemon-reload && sudo systemctl enable --now {name}"),
        ];
    }
    failure
}

fn done(
    manager: Manager,
    service: &Service,
    path: &Path,
    before: Standing,
    context: &Context,
) -> Result<Exit, Failure> {
    let terminal = &context.terminal;
    let name = manager.name(service);
    let changed = before != Standing::Same;
    let data = json!({
        "changed": changed,
        "instance": service.instance.name(),
        "manager": manager,
        "scope": service.scope,
        "name": name,
        "path": path,
    });
    let word = if changed { "installed" } else { "already installed" };
    let text = if terminal.quiet() { String::new() } else { format!("{word}: {name}\n") };
    terminal.result("occ/service", &data, &text)?;
    if before == Standing::Ours {
        terminal.say("A service that runs takes up what changed when it starts next");
    }
    terminal.say(&format!("It starts the sandbox now; look: {}", manager.look(service)));
    if manager.ends_with_login(service, &context.env) {
        terminal.warn("it begins with your login and ends when you log out");
        terminal.say("hint: to begin with the machine and stay: loginctl enable-linger");
    }
    Ok(Exit::Done)
}
