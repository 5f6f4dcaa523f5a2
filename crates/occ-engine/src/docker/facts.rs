//! What the engine says about itself.

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};

use super::{Docker, LOOK, within};
use crate::error::Error;
use crate::facts::{CanLimit, EngineFacts};

impl Docker {
    pub(super) async fn observe_facts(&self) -> Result<EngineFacts, Error> {
        let agreed = self.wire.version().await?;
        let (version, info) = tokio::try_join!(
            within("asking for its version", LOOK, self.client.version()),
            within("asking what it can do", LOOK, self.client.info()),
        )?;
        let choice = self.choice();
        Ok(EngineFacts {
            product: product(&version, &info),
            version: version.version.unwrap_or_default(),
            api_version: agreed.to_string(),
            endpoint: choice.endpoint.to_string(),
            chosen_by: choice.chosen_by.clone(),
            os: version.os.unwrap_or_default(),
            architecture: version.arch.unwrap_or_default(),
            cgroup_version: match info.cgroup_version {
                Some(SystemInfoCgroupVersionEnum::_2) => "2".to_owned(),
                _ => "1".to_owned(),
            },
            rootless: has_option(&info, "name=rootless"),
            userns_remap: has_option(&info, "name=userns"),
            can_limit: CanLimit {
                memory: info.memory_limit.unwrap_or_default(),
                cpu: info.cpu_cfs_period.unwrap_or_default()
                    && info.cpu_cfs_quota.unwrap_or_default(),
                pids: info.pids_limit.unwrap_or_default(),
            },
            memory: info.mem_total.unwrap_or_default().try_into().unwrap_or_default(),
            cpus: info.ncpu.unwrap_or_default().try_into().unwrap_or_default(),
            local: choice.endpoint.is_local(),
            skips_layers: !self.wire.is_podman().await? && !has_containerd_store(&info),
            data_root: info.docker_root_dir.map(Into::into),
        })
    }
}

fn has_option(info: &SystemInfo, option: &str) -> bool {
    let options = info.security_options.iter().flatten();
    // An option may carry further fields, as in `name=seccomp,profile=default`.
    options.into_iter().any(|text| text.split(',').next() == Some(option))
}

/// Whether images are containerd's, which imports an archive as it is: everything must be in it.
fn has_containerd_store(info: &SystemInfo) -> bool {
    let status = info.driver_status.iter().flatten();
    status.flatten().any(|word| word == "io.containerd.snapshotter.v1")
}

/// Returns what people call it: distributions leave the platform's name empty.
fn product(version: &SystemVersion, info: &SystemInfo) -> String {
    if info.operating_system.as_deref() == Some("Docker Desktop") {
        return "Docker Desktop".to_owned();
    }
    let component = version.components.iter().flatten().next().map(|part| part.name.as_str());
    match (component, version.platform.as_ref().map(|platform| platform.name.as_str())) {
        // Podman puts the operating system there.
        (Some("Podman Engine"), _) => "Podman".to_owned(),
        (_, Some(name)) if !name.is_empty() => name.to_owned(),
        (Some("Engine") | None, _) => "Docker Engine".to_owned(),
        (Some(other), _) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(version: &str, info: &str) -> String {
        let version = serde_json::from_str(version).expect("a version");
        product(&version, &serde_json::from_str(info).expect("information"))
    }

    #[test]
    fn engines_are_called_what_people_call_them() {
        let part = |platform: &str, name: &str| {
            format!(
                r#"{{"Platform":{{"Name":"{platform}"}},
                    "Components":[{{"Name":"{name}","Version":"1"}}]}}"#
            )
        };
        assert_eq!(named(&part("", "Engine"), "{}"), "Docker Engine");
        let community = "Docker Engine - Community";
        assert_eq!(named(&part(community, "Engine"), "{}"), community);
        assert_eq!(named(&part("linux/amd64/debian", "Podman Engine"), "{}"), "Podman");
        let desktop = r#"{"OperatingSystem":"Docker Desktop"}"#;
        assert_eq!(named(&part("Docker Desktop 4.4", "Engine"), desktop), "Docker Desktop");
    }

    #[test]
    fn a_store_of_containerd_is_recognised() {
        let info = |text: &str| serde_json::from_str::<SystemInfo>(text).expect("information");
        let classic = r#"{"DriverStatus":[["Backing Filesystem","extfs"]]}"#;
        let other = r#"{"DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
        assert!(!has_containerd_store(&info(classic)) && has_containerd_store(&info(other)));
    }

    #[test]
    fn security_options_are_recognised_with_and_without_further_fields() {
        let info: SystemInfo = serde_json::from_str(
            r#"{"SecurityOptions":["name=seccomp,profile=x","name=rootless"]}"#,
        )
        .expect("information");
        assert!(has_option(&info, "name=rootless"));
        assert!(has_option(&info, "name=seccomp"));
        assert!(!has_option(&info, "name=userns"));
    }
}
