//! What Podman's answers and wishes need beyond Docker's.
//!
//! Podman speaks the same API and says 500 where Docker says 409, or does what Docker refuses. Its
//! words differ from version to version; so the world is asked instead of the words.

use bollard::models::{ContainerCreateBody, ResourcesUlimits};
use rustix::process::{Resource, getrlimit};

use super::Docker;
use crate::container::{ContainerSpec, ContainerState, Phase};
use crate::error::Error;
use crate::mount::Mount;

/// Least memory a container may have, as Docker says.
const LEAST_MEMORY: u64 = 6 << 20;

/// Most open files Podman gives a container by itself.
const OPEN_FILES: u64 = 1 << 20;

impl Docker {
    /// Turns an answer of 500 into a conflict where the container's state explains it.
    pub(super) async fn conflicting<T>(
        &self,
        answer: Result<T, Error>,
        container: &str,
        conflicts: impl Fn(&ContainerState) -> bool,
    ) -> Result<T, Error> {
        let message = match answer {
            Err(Error::Refused { status: 500, message }) => message,
            answer => return answer,
        };
        // Whatever goes wrong here, the refusal itself is the better thing to tell.
        let state = match self.wire.is_podman().await {
            Ok(true) => self.observe_container(container).await.ok().flatten(),
            _ => None,
        };
        Err(match state {
            Some(state) if conflicts(&state) => Error::Conflict { message },
            _ => Error::Refused { status: 500, message },
        })
    }

    /// Wakes a container that is to be stopped: Podman stops no frozen one.
    pub(super) async fn woken(&self, container: &str) -> Result<(), Error> {
        if self.wire.is_podman().await? {
            let state = self.observe_container(container).await?;
            if state.is_some_and(|state| state.phase == Phase::Paused) {
                return self.unpause(container).await;
            }
        }
        Ok(())
    }

    /// Makes a wish mean to Podman what it means to Docker.
    ///
    /// # Errors
    /// [`Error::Refused`] for what Docker refuses and Podman would do: bind a folder that is missing,
    /// with one made for it, and run with less memory than anything can start in. Folders of another
    /// machine cannot be looked at from here.
    pub(super) fn fit(
        &self,
        spec: &ContainerSpec,
        body: &mut ContainerCreateBody,
    ) -> Result<(), Error> {
        let refused = |message: String| Err(Error::Refused { status: 400, message });
        if spec.limits.memory.is_some_and(|memory| memory < LEAST_MEMORY) {
            return refused("a container needs 6 MiB of memory at least".to_owned());
        }
        if !self.choice().endpoint.is_local() {
            return Ok(());
        }
        for mount in &spec.mounts {
            if let Mount::Bind { source, .. } = mount
                && !source.exists()
            {
                return refused(format!("the folder to bind does not exist: {}", source.display()));
            }
        }
        if let Some(host) = &mut body.host_config {
            host.ulimits = Some(ulimits());
        }
        Ok(())
    }
}

/// Returns limits that a service with no more rights than ours can set.
///
/// Without any, Podman asks the kernel for its own, which are higher than most hosts allow; that
/// needs `CAP_SYS_RESOURCE`, which a service in a sandbox of its own does not have.
fn ulimits() -> Vec<ResourcesUlimits> {
    let limit = |name: &str, resource, most: u64| {
        let allowed = getrlimit(resource).maximum.unwrap_or(most).min(most);
        let allowed = i64::try_from(allowed).unwrap_or(i64::MAX);
        ResourcesUlimits { name: Some(name.to_owned()), soft: Some(allowed), hard: Some(allowed) }
    };
    let most_processes = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok();
    let most_processes = most_processes.and_then(|text| text.trim().parse().ok());
    vec![
        limit("nofile", Resource::Nofile, OPEN_FILES),
        // Podman's service takes this for its own limit, whatever it was given.
        limit("nproc", Resource::Nproc, most_processes.unwrap_or(1 << 15)),
    ]
}

/// Returns names as Docker shows them: Podman writes out what Docker leaves to be understood.
pub(super) fn familiar(names: Vec<String>) -> Vec<String> {
    let short = |name: String| {
        let short = ["localhost/", "docker.io/library/", "docker.io/"];
        let short = short.iter().find_map(|prefix| name.strip_prefix(prefix));
        short.map_or_else(|| name.clone(), str::to_owned)
    };
    names.into_iter().map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_docker_leaves_to_be_understood() {
        let names = ["localhost/a:1", "docker.io/library/b:1", "docker.io/me/c:1", "ghcr.io/d:1"];
        let names = names.map(str::to_owned).to_vec();
        assert_eq!(familiar(names), ["a:1", "b:1", "me/c:1", "ghcr.io/d:1"]);
    }

    #[test]
    fn limits_asked_for_are_limits_this_very_process_may_have() {
        let own = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let asked = ulimits()[0].hard.expect("a limit");
        assert!(asked > 0 && u64::try_from(asked).is_ok_and(|asked| asked <= own));
    }
}
