//! The way to registries, as the settings and the environment have it.

use std::collections::BTreeMap;

use occ_oci::Host;
use occ_registry::{
    Authorities, Cause, EnvironmentLogin, Keychain, Proxies, Registries, Scheme, Settings,
};
use occ_sandbox::pull::{Intake, Way};

use crate::config::{Config, ConfigFile, Layers};
use crate::context::Context;
use crate::env::Environment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::trust::notary;

impl Context {
    /// Returns where images come from that are not built; the settings are read when one is wanted.
    pub(crate) fn intake(&self) -> Intake {
        let env = self.env.clone();
        Intake::new(self.env.cache_dir.join("pulls"), move || {
            let file = ConfigFile::read(&env.config_file())?;
            let config = Layers::new(&file, |name| env.variable(name))?.config();
            let registries = Registries::new(settings(&env, &config.insecure_registries)?);
            Ok(Way { registries, notary: notary(&env, config.verification)? })
        })
    }

    /// Returns the way to registries.
    pub(crate) fn registries(&self) -> Result<Registries, Failure> {
        self.registries_of(&self.layers()?.config())
    }

    /// Returns the way to registries as settings that were read before have it.
    pub(crate) fn registries_of(&self, config: &Config) -> Result<Registries, Failure> {
        let settings = settings(&self.env, &config.insecure_registries);
        settings.map(Registries::new).map_err(|error| Failure::of(Exit::Config, &*error))
    }
}

/// Returns the settings: credentials from Docker's configuration, its helpers and the environment; the proxies
/// and certificates that other programs use too.
fn settings(env: &Environment, insecure: &[String]) -> Result<Settings, Cause> {
    let engine = env.engine();
    let proxy = |small: &str, capital: &str| env.variable(small).or_else(|| env.variable(capital));
    let proxies = Proxies::parse(
        // In capitals it could have come with a request to a web server.
        env.variable("http_proxy").as_deref(),
        proxy("https_proxy", "HTTPS_PROXY").as_deref(),
        proxy("no_proxy", "NO_PROXY").as_deref(),
    )?;
    let authorities = match env.variable("SSL_CERT_FILE") {
        Some(path) => Authorities::of_file(path),
        None => Authorities::of_system(),
    };
    let plain = |host: &String| Ok::<_, Cause>((host.parse::<Host>()?, Scheme::Http));
    Ok(Settings {
        keychain: Keychain {
            docker_config_dir: Some(engine.docker_config_dir),
            search_path: engine.search_path,
            environment: EnvironmentLogin::parse(|name| env.variable(name))?,
            helper_limit: None,
        },
        authorities,
        proxies,
        schemes: insecure.iter().map(plain).collect::<Result<BTreeMap<_, _>, _>>()?,
        // Those who failed together are to ask again at different times, and no more.
        ..Settings::new(u64::from(rustix::process::getpid().as_raw_pid().unsigned_abs()))
    })
}
