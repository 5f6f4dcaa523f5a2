//! `occ doctor`: what could go wrong here, and what to do about it.

use occ_engine::{Docker, Engine as _, EngineFacts};
use serde::Serialize;
use serde_json::json;

use crate::config::ConfigFile;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host;

/// Outcome of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// Works, with a loss.
    Warn,
    /// Will not work.
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    /// What was seen.
    seen: String,
    /// What to do about it.
    hints: Vec<String>,
}

impl Check {
    fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, seen: seen.into(), hints: vec![] }
    }

    fn bad(name: &'static str, verdict: Verdict, seen: impl Into<String>, hint: &str) -> Self {
        Self { name, verdict, seen: seen.into(), hints: vec![hint.to_owned()] }
    }

    fn failure(name: &'static str, failure: Failure) -> Self {
        let mut seen = vec![failure.message];
        seen.extend(failure.causes);
        Self { name, verdict: Verdict::Fail, seen: seen.join(": "), hints: failure.hints }
    }
}

/// Runs `occ doctor`.
pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let mut checks = vec![config(context), state(context)];
    checks.extend(context.block_on(async { Ok(engine(context).await) })?);
    checks.push(port(context));
    checks.push(tools(context));
    let text: String = checks.iter().map(|check| line(check, context)).collect();
    context.terminal.result("occ/doctor", &json!({ "checks": checks }), &text)?;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn line(check: &Check, context: &Context) -> String {
    let (color, word) = match check.verdict {
        Verdict::Ok => ("32", "ok  "),
        Verdict::Warn => ("33", "warn"),
        Verdict::Fail => ("31", "FAIL"),
    };
    let hints: String = check.hints.iter().map(|hint| format!("       hint: {hint}\n")).collect();
    format!("{}   {}: {}\n{hints}", context.terminal.paint(color, word), check.name, check.seen)
}

fn config(context: &Context) -> Check {
    let path = context.env.config_file();
    match ConfigFile::read(&path).map_err(Failure::from).and_then(|_| context.layers()) {
        Ok(_) => Check::ok("config", path.display().to_string()),
        Err(failure) => Check::failure("config", failure),
    }
}

fn state(context: &Context) -> Check {
    let home = context.home();
    let usable = home.create().and_then(|()| home.try_lock().map(drop));
    let unreadable = [home.record().1, home.image_state().1].into_iter().flatten().next();
    match (usable, unreadable) {
        (Err(error), _) => Check::failure("state", error.into()),
        (Ok(()), Some(file)) => Check::bad(
            "state",
            Verdict::Warn,
            format!("{} cannot be understood: {}", file.path.display(), file.why),
            "the next occ start writes it anew",
        ),
        (Ok(()), None) => Check::ok("state", context.env.state_dir.display().to_string()),
    }
}

async fn engine(context: &Context) -> Vec<Check> {
    let facts = async {
        let engine: Docker = context.engine()?;
        Ok::<_, Failure>(engine.facts().await?)
    };
    match facts.await {
        Ok(facts) => engine_checks(&facts),
        Err(failure) => vec![Check::failure("engine", failure)],
    }
}

fn engine_checks(facts: &EngineFacts) -> Vec<Check> {
    let EngineFacts { product, version, api_version, endpoint, chosen_by, .. } = facts;
    let seen =
        format!("{product} {version}, API {api_version}, at {endpoint} (chosen by {chosen_by})");
    let limits = [
        ("memory", facts.can_limit.memory),
        ("cpus", facts.can_limit.cpu),
        ("processes", facts.can_limit.pids),
    ];
    let missing: Vec<&str> = limits.iter().filter(|(_, can)| !can).map(|(name, _)| *name).collect();
    let limits = if missing.is_empty() {
        Check::ok("limits", format!("memory, cpus, processes (cgroup v{})", facts.cgroup_version))
    } else {
        let seen = format!("the engine cannot limit: {}", missing.join(", "));
        let hint = "enable the cgroup controllers of this host, or accept a sandbox without them";
        Check::bad("limits", Verdict::Warn, seen, hint)
    };
    let users = match (facts.rootless, facts.userns_remap) {
        (false, false) => Check::ok("users", "users inside are users outside"),
        _ => Check::bad(
            "users",
            Verdict::Warn,
            "the engine maps users: folders of this host cannot be the workspace",
            "keep the workspace in its volume (the default)",
        ),
    };
    vec![Check::ok("engine", seen), limits, users]
}

fn port(context: &Context) -> Check {
    let Ok(layers) = context.layers() else {
        return Check::bad("port", Verdict::Warn, "not known", "mend the config first");
    };
    let config = layers.config();
    let wished = std::net::SocketAddr::new(config.bind, config.port);
    match host::port(wished) {
        occ_sandbox::PortState::Taken { by, .. } => {
            let by = by.map_or_else(String::new, |(name, pid)| format!(" by {name} ({pid})"));
            Check::ok("port", format!("{wished} is in use{by}"))
        }
        occ_sandbox::PortState::Free => Check::ok("port", format!("{wished} is free")),
        occ_sandbox::PortState::Unknown => Check::bad(
            "port",
            Verdict::Warn,
            format!("{wished} cannot be bound by this user; the engine may"),
            "choose one above 1023: occ config set port 3000",
        ),
    }
}

/// What building takes: programs and the Debian packages that have them.
const BUILDING: [(&str, &str); 6] = [
    ("apt-get", "apt"),
    ("curl", "curl"),
    ("dpkg-deb", "dpkg"),
    ("mmdebstrap", "mmdebstrap"),
    ("npm", "npm"),
    ("python3", "python3-pip"),
];

fn tools(context: &Context) -> Check {
    let missing: Vec<_> =
        BUILDING.iter().filter(|(program, _)| context.env.program(program).is_none()).collect();
    if missing.is_empty() {
        return Check::ok("building", "the programs that build images are there");
    }
    let names = |pick: fn(&(&'static str, &'static str)) -> &'static str| {
        missing.iter().map(|pair| pick(pair)).collect::<Vec<_>>()
    };
    let packages = names(|(_, package)| package).join(" ");
    let hint = format!("to build images here: sudo apt-get install {packages}");
    let programs = names(|(program, _)| program).join(", ");
    Check::bad("building", Verdict::Warn, format!("missing: {programs}"), &hint)
}
