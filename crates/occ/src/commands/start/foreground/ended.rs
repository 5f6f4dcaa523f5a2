//! How a sandbox that was followed ended: stopped by somebody, or crashed. Pure.

use occ_engine::{ContainerState, ExitStatus, RestartPolicy};

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// By somebody's wish; how, as the end of "the sandbox …".
    Stopped(&'static str),
    /// By itself, and nobody starts it again.
    Crashed(ExitStatus),
}

/// Exit codes of a server that was asked to end: by itself, and by interruption or termination.
const ASKED: [i64; 3] = [0, 130, 143];

/// Returns how a sandbox ended, or none when it did not; seen while nobody works on it. `stopped` says
/// whether an occ has stopped this very run.
pub(super) fn ended(
    state: Option<&ContainerState>,
    restart: RestartPolicy,
    stopped: bool,
) -> Option<Ended> {
    let Some(state) = state else { return Some(Ended::Stopped("was removed")) };
    if state.phase.is_up() {
        return None;
    }
    if stopped {
        return Some(Ended::Stopped("was stopped"));
    }
    let status = state.exit.clone();
    let status = status.unwrap_or(ExitStatus { code: 0, oom_killed: false, error: None });
    let words = status.error.as_deref().unwrap_or_default();
    // An engine that starts whatever was not stopped leaves down only what was.
    let asked = restart == RestartPolicy::UnlessStopped || ASKED.contains(&status.code);
    let crashed = status.oom_killed && restart != RestartPolicy::UnlessStopped;
    if words.is_empty() && asked && !crashed {
        return Some(Ended::Stopped("was stopped"));
    }
    Some(Ended::Crashed(status))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use occ_engine::{ContainerId, HealthCheck, ImageId, Phase};

    use super::*;

    fn state(phase: Phase, code: i64, oom_killed: bool, error: &str) -> ContainerState {
        let error = Some(error.to_owned()).filter(|error| !error.is_empty());
        ContainerState {
            id: ContainerId("0".repeat(64)),
            name: "x".into(),
            image: ImageId("sha256:0".into()),
            phase,
            exit: Some(ExitStatus { code, oom_killed, error }),
            started_at: None,
            finished_at: None,
            created_at: None,
            restarts: 0,
            labels: BTreeMap::new(),
            env: BTreeMap::new(),
            publish: vec![],
            mounts: vec![],
            health: HealthCheck::None,
            privileged: false,
        }
    }

    const NEVER: RestartPolicy = RestartPolicy::No;
    const ALWAYS: RestartPolicy = RestartPolicy::UnlessStopped;

    #[test]
    fn what_is_up_has_not_ended() {
        for phase in [Phase::Running, Phase::Paused, Phase::Restarting] {
            assert_eq!(ended(Some(&state(phase, 1, false, "")), NEVER, true), None);
        }
    }

    #[test]
    fn a_stop_and_a_removal_are_wishes() {
        assert_eq!(ended(None, ALWAYS, false), Some(Ended::Stopped("was removed")));
        for (restart, codes) in [(NEVER, [0, 130, 143]), (ALWAYS, [1, 137, 139])] {
            for code in codes {
                let state = state(Phase::Exited, code, false, "");
                let stopped = Some(Ended::Stopped("was stopped"));
                assert_eq!(ended(Some(&state), restart, false), stopped, "{code}");
            }
        }
    }

    #[test]
    fn a_stop_whose_patience_ran_out_is_a_wish_too() {
        let state = state(Phase::Exited, 137, false, "");
        assert_eq!(ended(Some(&state), NEVER, true), Some(Ended::Stopped("was stopped")));
    }

    #[test]
    fn a_failure_a_lack_of_memory_and_a_start_that_failed_are_crashes() {
        for (restart, code, oom_killed, error) in [
            (NEVER, 1, false, ""),
            (RestartPolicy::OnFailure(3), 137, false, ""),
            (NEVER, 143, true, ""),
            (ALWAYS, 143, false, "no port"),
        ] {
            let state = state(Phase::Exited, code, oom_killed, error);
            let ended = ended(Some(&state), restart, false);
            assert!(matches!(ended, Some(Ended::Crashed(_))), "{code} {error}: {ended:?}");
        }
    }
}
