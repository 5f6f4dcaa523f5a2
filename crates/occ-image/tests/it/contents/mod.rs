//! What a user meets inside a built image: [`prove`] for any image, [`own_programs`] for what they add.

mod check;
mod own;
mod table;

use std::collections::BTreeSet;
use std::process::Command;

use occ_image::{BuildPlan, GuestContent, guest};

use check::{Check, has, is, quoted, succeeds, version};
pub(crate) use own::own_programs;

/// Proves an image that an engine has loaded, in one container without a network.
pub(crate) fn prove(image: &str, plan: &BuildPlan) {
    let has_tool = |name: &str| plan.tools.iter().any(|tool| tool.tool.name == name);
    let mut checks = table::system();
    checks.extend(table::programs(has_tool));
    checks.extend(tools(plan));
    checks.extend(agents(has_tool("oh-my-opencode-slim")));
    checks.push(guest_files(plan));
    checks.push(nobody_elses(plan));
    check::run(&checks, &[image]);
    assert_eq!(installed(image), locked(plan));
}

/// Every tool answers with the version that is locked, and its programs are what the path leads to.
fn tools(plan: &BuildPlan) -> Vec<Check> {
    let mut checks = Vec::new();
    for tool in &plan.tools {
        let name = &tool.tool.name;
        if !tool.tool.check.is_empty() {
            let words: Vec<String> = tool.tool.check.iter().map(|word| quoted(word)).collect();
            checks.push(version(name, words.join(" "), &tool.version));
        }
        let commands = tool.tool.commands.iter().map(|command| format!("/usr/local/bin/{command}"));
        for path in
            tool.tool.files.keys().cloned().chain(commands).filter(|path| path.contains("/bin/"))
        {
            let (_, program) = path.rsplit_once('/').unwrap();
            checks.push(is(name, format!("command -v {program}"), &path));
        }
    }
    checks
}

/// The server is soon ready without a network, and has the plugin's agents where there is the plugin.
fn agents(with_plugin: bool) -> Vec<Check> {
    let entrypoint = guest::ENTRYPOINT;
    let address = format!("http://127.0.0.1:{}", guest::PORT);
    let command = format!(
        "export OPENCODE_SERVER_PASSWORD=x; {entrypoint} >/tmp/log 2>&1 & \
         ask() {{ curl -fsS -u opencode:x \"$@\"; }}; \
         for i in $(seq 150); do ask -m 1 {address}/global/health >/dev/null 2>&1 && break; sleep 0.2; done; \
         ask -m 20 {address}/agent | jq -r '[.[].name] | join(\" \")'; kill $!"
    );
    let names = if with_plugin {
        "orchestrator build compaction designer explorer fixer librarian oracle plan summary title"
    } else {
        "build compaction explore general plan summary title"
    };
    let mut checks = vec![has("IMG-120", command, names)];
    if with_plugin {
        // Not from a registry: there is no network.
        let package = "~/.config/opencode/node_modules/@opencode-ai/plugin/package.json";
        checks.push(succeeds("IMG-120", format!("test -e {package}")));
    }
    checks
}

/// The guest's files are as planned: no upper layer changed them.
fn guest_files(plan: &BuildPlan) -> Check {
    let mut expected = Vec::new();
    let mut paths = Vec::new();
    for entry in &plan.guest {
        let kind = match entry.content {
            GuestContent::Folder => "directory",
            GuestContent::File(_) => "regular file",
            GuestContent::Link(_) => "symbolic link",
        };
        let (uid, gid) = entry.owner;
        expected.push(format!("{} {:o} {uid}:{gid} {kind}", entry.path, entry.mode));
        paths.push(entry.path.as_str());
    }
    is("IMG-019", format!("sudo stat -c '%n %a %u:%g %F' {}", paths.join(" ")), &expected.join(" "))
}

/// No file of ours is also a Debian package's: each path is stored once.
fn nobody_elses(plan: &BuildPlan) -> Check {
    let files = plan.guest.iter().filter(|entry| entry.content != GuestContent::Folder);
    let tools = plan.tools.iter().flat_map(|tool| tool.files().into_keys());
    let paths: Vec<String> = files.map(|entry| entry.path.clone()).chain(tools).collect();
    is("BLD-006", format!("dpkg-query -S {} 2>/dev/null", paths.join(" ")), "")
}

/// Name, version and architecture of every Debian package in the image.
fn installed(image: &str) -> BTreeSet<String> {
    let format = "--showformat=${Package} ${Version} ${Architecture}\\n";
    let output = Command::new("docker")
        .args(["run", "--rm", "--network", "none", image, "dpkg-query", "--show", format])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn locked(plan: &BuildPlan) -> BTreeSet<String> {
    let packages = plan.base.groups.iter().flat_map(|group| &group.packages);
    packages
        .map(|pin| {
            let architecture = pin.architecture.map_or("all", |it| it.name());
            format!("{} {} {architecture}", pin.name, pin.version)
        })
        .collect()
}
