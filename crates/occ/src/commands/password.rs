//! `occ password`: show or rotate.

use clap::Args;
use occ_engine::Phase;
use occ_image::guest;
use occ_sandbox::{Password, generate_password, load_password, store_password};
use serde_json::json;

use super::{own_container, start};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Arguments of `occ password`.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Make a new password; a running sandbox is restarted with it
    #[arg(long)]
    rotate: bool,
}

/// Runs `occ password`.
pub(crate) fn run(args: &PasswordArgs, context: &Context) -> Result<Exit, Failure> {
    if args.rotate {
        return rotate(context);
    }
    let home = context.home();
    let password = load_password(&home)?.ok_or_else(|| {
        Failure::new(Exit::Failed, "there is no password yet").hint("make a sandbox: occ start")
    })?;
    let data = json!({
        "user": guest::USER,
        "password": password.expose(),
        "password_file": home.password_path(),
    });
    context.terminal.result("occ/password", &data, &format!("{}\n", password.expose()))?;
    Ok(Exit::Done)
}

fn rotate(context: &Context) -> Result<Exit, Failure> {
    change(&generate_password()?, context)?;
    run(&PasswordArgs { rotate: false }, context)
}

/// Takes a new password. The server learns it at its next start, so a running one is restarted; when that
/// fails the next start goes on with the new one.
pub(super) fn change(password: &Password, context: &Context) -> Result<(), Failure> {
    let mut settings = start::StartSettings::again(context)?;
    context.block_on(async {
        let engine = context.engine()?;
        let home = context.home();
        let lock = context.lock().await?;
        let state = own_container(&engine, context).await?;
        let running = state.is_some_and(|state| state.phase == Phase::Running);
        if running {
            // Whatever else the restart would change is asked about before anything is.
            let (spec, config) = settings.wish(context)?;
            let workshop = context.workshop(&config)?;
            start::settle(&spec, &mut settings, context, &engine, &workshop).await?;
            occ_sandbox::secrets(&spec, &context.secrets).await?;
        }
        store_password(&home, password)?;
        if !running {
            context.terminal.say("The next start uses the new password");
            return Ok(Exit::Done);
        }
        drop(lock);
        settings.running = start::Running::IsStopped;
        start::start(settings, context).await
    })?;
    Ok(())
}
