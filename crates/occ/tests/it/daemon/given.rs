//! What a sandbox is given of this host: folders, variables, secrets, a proxy, certificates, an agent, a name.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use occ_testkit::{Bench, as_root, is_root};
use serde_json::json;

use crate::places::bench;

/// Returns a bench whose sandbox gets nothing by itself of the machine that runs the tests.
fn quiet_bench() -> Bench {
    let mut bench = bench();
    for name in ["PROXY", "CA_CERTIFICATES"] {
        bench.set(&format!("OCC_{name}"), "none");
    }
    bench
}

/// Makes a folder with a file in it that belongs to a user.
fn folder_of(bench: &Bench, name: &str, owner: u32) -> PathBuf {
    let folder = bench.folder().join(name);
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("host.txt"), "from outside\n").unwrap();
    give(&folder, owner);
    folder
}

fn give(path: &Path, owner: u32) {
    let (path, owner) = (path.display().to_string(), format!("{owner}:{owner}"));
    assert!(as_root("chown", ["-R", &owner, &path]).status().unwrap().success());
}

fn inside(bench: &Bench, script: &str) -> String {
    bench.run(["exec", "--", "sh", "-c", script]).success().stdout
}

/// Returns a variable of the server's own process.
fn of_server(bench: &Bench, name: &str) -> String {
    let script = format!(
        "for p in /proc/[0-9]*; do case $(tr '\\0' ' ' <$p/cmdline) in */opencode\\ serve*) \
         tr '\\0' '\\n' <$p/environ | sed -n 's/^{name}=//p'; break ;; esac; done"
    );
    inside(bench, &script)
}

#[test]
fn pm_001_pm_004_mounts_of_config_and_flag_are_seen_inside_and_keep_through_every_start() {
    let bench = quiet_bench();
    let (one, two) = (folder_of(&bench, "one", 1234), folder_of(&bench, "two", 0));
    let (first, second) = (one.display().to_string(), format!("{}:/docs:ro", two.display()));
    bench.run(["mount", "add", &first]).success().says("Restart required");
    bench.run(["start", "--yes", "--mount", &second]).success();

    let made = inside(
        &bench,
        "id -u; cd one && cat host.txt && echo hello >inside.txt && cat /docs/host.txt",
    );
    assert_eq!(made, "1234\nfrom outside\nfrom outside\n");
    let meta = fs::metadata(one.join("inside.txt")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (1234, 1234));
    let written = bench.run(["exec", "--", "sudo", "-n", "sh", "-c", "echo x >/docs/x"]);
    assert_ne!(written.code, Some(0), "a folder to be read only was written to");
    assert!(written.stderr.contains("Read-only file system"), "{}", written.stderr);
    assert!(!one.join(".opencode-cloud-sandbox").exists());

    let lines = [
        format!("{first} -> /home/opencode/workspace/one (rw, config)"),
        format!("{} -> /docs (ro, cli)", two.display()),
    ];
    let shown = bench.run(["status"]).success();
    let listed = bench.run(["mount", "list"]).success();
    for line in &lines {
        assert!(shown.stdout.contains(line), "{line}: {}", shown.stdout);
        assert!(listed.stdout.contains(line), "{line}: {}", listed.stdout);
    }
    let mounts = bench.run(["status", "--json"]).success().data()["mounts"].clone();
    let at = |target: &str| {
        mounts.as_array().unwrap().iter().find(|mount| mount["target"] == target).unwrap().clone()
    };
    assert_eq!(at("/docs")["from"], "cli");
    assert_eq!(at("/home/opencode/workspace/one")["from"], "config");

    let id = bench.inspect()["Id"].clone();
    bench.run(["restart"]).success();
    assert_eq!(bench.inspect()["Id"], id, "it was made anew without need");
    bench.api().remove_container(&bench.container());
    bench.run(["start"]).success();
    assert_eq!(inside(&bench, "cat one/inside.txt /docs/host.txt"), "hello\nfrom outside\n");
    drop(as_root("rm", ["-rf", &first]).status());
}

#[test]
fn a_changed_mount_asks_before_a_running_sandbox_is_replaced_and_a_removed_one_is_gone() {
    let bench = quiet_bench();
    bench.run(["start", "--yes"]).success();
    let before = bench.inspect()["Id"].clone();
    let folder = folder_of(&bench, "data", 1000);
    let mount = format!("{}:/data", folder.display());
    bench.run(["mount", "add", &mount]).success();
    bench.run(["start"]).code(2).says("mounts: ").says("occ start --yes");
    assert_eq!(bench.inspect()["Id"], before);
    bench.run(["restart"]).code(2);
    assert_eq!(bench.inspect()["State"]["Running"], true);
    bench.run(["start", "--yes"]).success();
    assert_eq!(inside(&bench, "cat /data/host.txt"), "from outside\n");

    bench.run(["start", "--yes", "--no-mounts"]).success();
    bench.run(["exec", "test", "-e", "/data"]).code(1);
    bench.run(["start"]).success();
    bench.run(["exec", "test", "-e", "/data"]).code(1);
    bench.run(["start", "--yes", "--config-mounts"]).success();
    bench.run(["exec", "test", "-e", "/data/host.txt"]).success();

    // The folder is gone: nothing is stopped, and the way out is named.
    drop(as_root("rm", ["-rf", folder.to_str().unwrap()]).status());
    let gone = bench.run(["restart", "--yes"]).code(1);
    let hint = format!("Did the directory move? Run: occ mount remove {}", folder.display());
    let _gone = gone.says(&hint);
    assert_eq!(bench.inspect()["State"]["Running"], true);
    bench.run(["mount", "remove", folder.to_str().unwrap()]).success();
    bench.run(["start", "--yes"]).success();
    bench.run(["exec", "test", "-e", "/data"]).code(1);
}

#[test]
fn a_mount_that_the_sandboxs_user_cannot_use_is_found_out_before_anything_is_made() {
    let bench = quiet_bench();
    let (mine, other) = (folder_of(&bench, "mine", 1234), folder_of(&bench, "other", 4321));
    let (mine, other) =
        (format!("{}:/mine", mine.display()), format!("{}:/other", other.display()));
    let run = bench.run(["start", "--yes", "--mount", &mine, "--mount", &other]).code(1);
    let _run = run.says("the sandbox's user 1234:1234 cannot write to").says("other");
    bench.assert_nothing_left();
    let closed = folder_of(&bench, "closed", 0);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    give(&closed, 0);
    let closed = format!("{}:/closed:ro", closed.display());
    bench.run(["start", "--yes", "--mount", &closed]).code(1).says("cannot read");
    let root = folder_of(&bench, "root", 0);
    let root = format!("{}:/root-files", root.display());
    bench.run(["start", "--yes", "--mount", &root]).code(1).says("it belongs to root");
    bench.assert_nothing_left();
}

#[test]
fn variables_are_inside_and_the_last_one_wins() {
    let bench = quiet_bench();
    bench.run(["env", "set", "COLOUR=red", "SHAPE=it's \"round\" $x"]).success();
    bench.run(["env", "set", "COLOUR=blue"]).success();
    bench.run(["start", "--yes", "--env", "SIZE=7"]).success();
    assert_eq!(
        inside(&bench, "echo $COLOUR; echo \"$SHAPE\"; echo $SIZE"),
        "blue\nit's \"round\" $x\n7\n"
    );
    assert_eq!(of_server(&bench, "COLOUR"), "blue\n");
    let listed = bench.run(["env", "list", "--json"]).success().data();
    assert_eq!(listed[0], json!({ "name": "COLOUR", "value": "blue", "from": "config" }));
    assert_eq!(listed[2], json!({ "name": "SIZE", "value": "7", "from": "cli" }));
    bench.run(["env", "unset", "COLOUR", "SIZE"]).success();
    bench.run(["start"]).code(2).says("container_env: ");
    bench.run(["start", "--yes"]).success();
    assert_eq!(inside(&bench, "echo \"[$COLOUR$SIZE]\""), "[]\n");
}

#[test]
fn a_secret_is_seen_by_the_server_and_its_commands_and_by_nobody_who_asks_the_engine() {
    let mut bench = quiet_bench();
    let file = bench.folder().join("token");
    fs::write(&file, "hunter2-from-a-file\n").unwrap();
    bench.set("MY_TOKEN", "hunter2-from-a-variable");
    bench
        .run(["secret", "set", &format!("ONE=file:{}", file.display()), "TWO=env:MY_TOKEN"])
        .success();
    let command = "THREE=cmd:printf 'hunter2-from-%s' 'a-command'";
    bench.run(["start", "--yes", "--secret", command, "--verbose"]).success().never_says("hunter2");
    assert_eq!(of_server(&bench, "ONE"), "hunter2-from-a-file\n");
    assert_eq!(of_server(&bench, "TWO"), "hunter2-from-a-variable\n");
    assert_eq!(of_server(&bench, "THREE"), "hunter2-from-a-command\n");
    let said = super::wait(async {
        let client = super::client(&bench).within(Duration::from_secs(60));
        let session = client.create_session().await.unwrap();
        client.shell(&session.id, "printf %s \"$ONE\" | wc -c").await.unwrap()
    });
    assert_eq!(said.output.trim(), "19");

    assert_eq!(inside(&bench, "env | grep -c hunter2 || true"), "0\n");
    assert!(!bench.inspect().to_string().contains("hunter2"), "{}", bench.inspect());
    bench.run(["logs", "-n", "all"]).success().never_says("hunter2");
    for arguments in
        [&["secret", "list"][..], &["config", "show"], &["status"], &["start", "--dry-run"]]
    {
        bench.run(arguments).success().never_says("hunter2-from-a-file");
    }
    let record = fs::read_to_string(bench.state_dir().join("record-v1.json")).unwrap();
    assert!(!record.contains("hunter2-from-a-"), "{record}");
    let mode =
        ["exec", "--user", "root", "--", "stat", "-c", "%a %U", "/run/opencode-cloud/secrets/ONE"];
    assert_eq!(bench.run(mode).success().stdout, "400 opencode\n");

    // A restart takes the new value; one that cannot be had stops nothing.
    fs::write(&file, "another\n").unwrap();
    bench.run(["restart"]).success();
    assert_eq!(of_server(&bench, "ONE"), "another\n");
    fs::remove_file(&file).unwrap();
    let started = bench.inspect()["State"]["StartedAt"].clone();
    let run = bench
        .run(["restart"])
        .code(1)
        .says("the secret ONE cannot be had: the file cannot be read");
    let _run = run.says("hint: ");
    assert_eq!(
        bench.inspect()["State"]["StartedAt"],
        started,
        "a refused restart stopped the sandbox"
    );
    bench.run(["secret", "unset", "ONE", "TWO", "THREE"]).success();
    bench.run(["start", "--yes"]).success();
    assert_eq!(of_server(&bench, "ONE"), "");
}

#[test]
fn the_hosts_proxy_is_passed_on_without_its_password_in_sight_and_the_health_check_goes_past_it() {
    let mut bench = bench();
    bench.set("OCC_CA_CERTIFICATES", "none");
    bench.set("HTTP_PROXY", "http://192.0.2.1:3128");
    bench.set("https_proxy", "http://ann:hunter2@192.0.2.1:3128");
    bench.set("no_proxy", "example.com");
    bench.run(["start", "--yes"]).success().never_says("hunter2");
    assert_eq!(
        inside(&bench, "echo $http_proxy; echo $NO_PROXY"),
        "http://192.0.2.1:3128\nexample.com,localhost,127.0.0.1,::1\n"
    );
    assert_eq!(of_server(&bench, "HTTPS_PROXY"), "http://ann:hunter2@192.0.2.1:3128\n");
    assert!(!bench.inspect().to_string().contains("hunter2"));
    bench.run(["exec", "--", "/usr/lib/opencode-cloud/healthcheck"]).success();
    // Elsewhere: what runs is left as it is, and what is made anew follows.
    for name in ["HTTP_PROXY", "https_proxy"] {
        bench.set(name, "http://127.0.0.1:1");
    }
    bench.run(["start"]).success().says("cannot be reached from inside");
    assert_eq!(inside(&bench, "echo $http_proxy"), "http://192.0.2.1:3128\n");
    bench.run(["restart"]).success();
    assert_eq!(inside(&bench, "echo \"[$http_proxy]\""), "[]\n");
}

#[test]
fn a_private_authority_is_trusted_inside_beside_all_others() {
    let mut bench = quiet_bench();
    let (key, pem) = (bench.folder().join("key.pem"), bench.folder().join("ca.pem"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&pem)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    bench.set("OCC_CA_CERTIFICATES", pem.as_os_str());
    bench.run(["start", "--yes"]).success();
    for file in [&key, &pem] {
        let copy = format!("cat >/tmp/{}", file.file_name().unwrap().display());
        let bytes = fs::read(file).unwrap();
        drop(bench.run_with_input(["exec", "-T", "--", "sh", "-c", &copy], &bytes).success());
    }
    let ask = "openssl s_server -accept 8443 -cert /tmp/ca.pem -key /tmp/key.pem -www -quiet & \
        curl -s -o /dev/null --retry 50 --retry-connrefused --retry-delay 1 https://localhost:8443/; echo $?; \
        env -u SSL_CERT_FILE -u CURL_CA_BUNDLE curl -s https://localhost:8443/; echo $?; kill $!";
    assert_eq!(inside(&bench, ask), "0\n60\n", "trusted, and only because of the file");
    let many = inside(&bench, "grep -c BEGIN $SSL_CERT_FILE").trim().parse::<u32>().unwrap();
    assert!(many > 50, "the image's own are missing: {many}");
    let paths =
        inside(&bench, "echo $NODE_EXTRA_CA_CERTS $GIT_SSL_CAINFO; stat -c '%a %U' $SSL_CERT_FILE");
    let file = "/run/opencode-cloud/ca-certificates.crt";
    assert_eq!(paths, format!("{file} {file}\n644 root\n"));
    bench.set("OCC_CA_CERTIFICATES", key.as_os_str());
    bench.run(["start", "--yes"]).code(4).says("there are no certificates in");
}

/// An agent of a user's own; dropped, it ends.
struct Agent(Child);

impl Agent {
    fn start(socket: &Path, user: u32) -> Self {
        let socket_text = socket.display().to_string();
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
            command.args([&uid, &gid, "--clear-groups", "ssh-agent"]);
            command
        } else {
            Command::new("ssh-agent")
        };
        let child = command.args(["-D", "-a", &socket_text]).stdout(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "the agent makes no socket");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_agent_and_the_name_for_commits_are_inside_by_consent_alone() {
    let mut bench = quiet_bench();
    let folder = folder_of(&bench, "agent", 1234);
    let socket = folder.join("socket");
    let agent = Agent::start(&socket, 1234);
    bench.set("SSH_AUTH_SOCK", socket.as_os_str());
    bench.set("GIT_CONFIG_NOSYSTEM", "1");
    fs::write(
        bench.home().join(".gitconfig"),
        "[user]\n\tname = Ann Example\n\temail = ann@example.com\n",
    )
    .unwrap();
    let work = folder_of(&bench, "work", 1234);
    let workspace = work.display().to_string();
    bench.run(["start", "--yes", "--workspace", &workspace]).success();
    assert_eq!(
        inside(&bench, "echo \"[$SSH_AUTH_SOCK]\"; git config user.name || echo none"),
        "[]\nnone\n"
    );

    let run = bench.run(["start", "--yes", "--ssh-agent", "--git-identity"]).success();
    let _run = run.says("can sign in with your SSH agent");
    let script = "ssh-add -l; git config user.name; git config user.email";
    assert_eq!(
        inside(&bench, script),
        "The agent has no identities.\nAnn Example\nann@example.com\n"
    );
    bench.run(["exec", "git", "config", "--global", "user.name", "Somebody Else"]).success();
    assert_eq!(inside(&bench, "git config user.name"), "Somebody Else\n");
    let shown = bench.run(["status"]).success().stdout;
    assert!(shown.contains("-> /run/opencode-cloud/ssh-agent (rw, ssh_agent)"), "{shown}");

    // Without the agent: what runs is left alone; a user whom the agent would not answer is told.
    bench.unset("SSH_AUTH_SOCK");
    bench.run(["start"]).success().says("no SSH agent is passed on");
    bench.set("SSH_AUTH_SOCK", socket.as_os_str());
    bench
        .run(["start", "--yes", "--workspace", "volume"])
        .code(1)
        .says("the SSH agent cannot be used in the sandbox")
        .says("it answers user 1234 alone, and the sandbox's user is 1000");
    drop(agent);
    drop(as_root("rm", ["-rf", &workspace]).status());
}
