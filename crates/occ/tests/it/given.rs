//! The commands for folders, variables and secrets, and what is refused before a daemon is asked.

use std::fs;

use serde_json::json;

use crate::places::bench;

#[test]
fn pm_002_relative_and_missing_folders_are_refused_with_the_agreed_words() {
    let bench = bench();
    bench
        .run(["mount", "add", "project"])
        .code(2)
        .says("error: Mount paths must be absolute. Use: /full/path/to/dir\n");
    bench
        .run(["mount", "add", "/nonexistent/project"])
        .code(1)
        .says("hint: Did the directory move? Run: occ mount remove /nonexistent/project");
    assert!(!bench.config_file().exists(), "a refused folder was written");
    bench.write_config("{ \"mounts\": [\"project:/data\"] }");
    bench.run(["start"]).code(4).says("mounts: Mount paths must be absolute.");
    bench.write_config("{ \"mounts\": [\"/nonexistent/project:/data\"] }");
    bench
        .run(["start"])
        .code(1)
        .says("hint: Did the directory move? Run: occ mount remove /nonexistent/project");
    bench.run(["mount", "remove", "/nonexistent/project"]).success();
    assert_eq!(bench.run(["mount", "list", "--json"]).success().data(), json!([]));
}

#[test]
fn pm_001_a_folder_is_added_listed_and_removed_and_comments_stay() {
    let bench = bench();
    bench.write_config("{\n  // mine\n  \"cpus\": 1,\n}\n");
    let folder = bench.folder().join("project");
    fs::create_dir(&folder).unwrap();
    let path = folder.to_str().unwrap();
    bench.run(["mount", "add", path, "--quiet"]).success();
    bench.run(["mount", "add", &format!("{path}:/ro:ro")]).success();
    let listed = bench.run(["mount", "list"]).success().stdout;
    let expected = format!(
        "{path} -> /home/opencode/workspace/project (rw, config)\n{path} -> /ro (ro, config)\n"
    );
    assert_eq!(listed, expected);
    bench.run(["mount", "add", &format!("{path}:/ro:rw")]).success();
    assert_eq!(bench.run(["mount", "list"]).success().stdout, expected.replace("ro, ", "rw, "));
    bench.run(["mount", "remove", "/ro"]).success();
    let data = bench.run(["mount", "list", "--json"]).success().data();
    assert_eq!(
        data,
        json!([{
            "source": path, "target": "/home/opencode/workspace/project", "mode": "rw", "from": "config",
        }])
    );
    bench.run(["mount", "remove", path]).success();
    bench.run(["mount", "remove", path]).code(1).says("there is no mount").says("occ mount list");
    let text = fs::read_to_string(bench.config_file()).unwrap();
    assert!(text.contains("// mine") && text.contains("\"cpus\": 1"), "{text}");
}

#[test]
fn pm_003_a_place_in_a_folder_of_the_system_is_warned_about_and_one_of_ours_refused() {
    let bench = bench();
    let folder = bench.folder().join("project");
    fs::create_dir(&folder).unwrap();
    let at = |target: &str| format!("{}:{target}", folder.display());
    bench
        .run(["mount", "add", &at("/etc/project")])
        .success()
        .says("warning: /etc/project is in /etc");
    for target in ["/home/opencode/workspace", "/usr", "/run/opencode-cloud/x", "/"] {
        bench.run(["mount", "add", &at(target)]).code(2).says("belongs to the sandbox itself");
    }
    bench.run(["mount", "add", "/proc:/data"]).code(2).says("the whole machine");
    let other = bench.folder().join("other");
    fs::create_dir(&other).unwrap();
    bench
        .run(["mount", "add", &format!("{}:/etc/project", other.display())])
        .code(2)
        .says("this place inside is taken by")
        .says("occ mount remove /etc/project");
    bench
        .run(["mount", "add", &format!("{}:/home-of-mine:ro", bench.home().display())])
        .success()
        .says("holds your whole home");
}

#[test]
fn pw_009_pw_010_variables_are_set_listed_and_removed_and_the_last_write_wins() {
    let bench = bench();
    bench.write_config("{ \"container_env\": [\"A=1\", \"B=x,y\", \"A=2\"] }");
    bench.run(["env", "list"]).success().prints("A=2 (config)\n").prints("B=x,y (config)\n");
    let set = bench.run(["env", "set", "A=3", "C=a=b"]).success();
    let _set = set.says("Restart required for changes to take effect");
    let set = bench.run(["--instance", "blue", "env", "set", "A=3"]).success();
    set.says("Restart required for changes to take effect: occ --instance blue restart");
    let values = bench.run(["config", "get", "container_env"]).success().stdout;
    assert_eq!(values, "[\"A=3\",\"B=x,y\",\"C=a=b\"]\n");
    bench.run(["env", "remove", "A", "B"]).success();
    bench.run(["env", "unset", "A"]).code(1).says("there is no env: A");
    assert_eq!(bench.run(["env", "list"]).success().stdout, "C=a=b (config)\n");
}

#[test]
fn names_of_the_sandbox_itself_are_refused_and_credentials_are_better_secret() {
    let bench = bench();
    for name in ["OPENCODE_SERVER_PASSWORD", "PATH", "LD_PRELOAD"] {
        let run = bench.run(["env", "set", &format!("{name}=hunter2")]).code(2);
        let _run = run.says("belongs to the sandbox itself").never_says("hunter2");
        bench.run(["start", "--env", &format!("{name}=hunter2")]).code(2).never_says("hunter2");
    }
    bench.run(["env", "set", "1A=x"]).code(2).says("a variable's name has letters");
    bench
        .run(["env", "set", "GITHUB_TOKEN=hunter2"])
        .success()
        .says("occ secret set GITHUB_TOKEN=file:PATH")
        .never_says("hunter2");
}

#[test]
fn a_secret_is_a_reference_and_a_value_in_its_place_is_refused_and_not_repeated() {
    let bench = bench();
    bench.run(["secret", "set", "TOKEN=hunter2"]).code(2).says("TOKEN").never_says("hunter2");
    bench.run(["start", "--secret", "TOKEN=hunter2"]).code(2).never_says("hunter2");
    bench.write_config("{ \"secrets\": [\"TOKEN=hunter2\"] }");
    bench.run(["start"]).code(4).says("secrets: the value of TOKEN").never_says("hunter2");
    bench.write_config("{}");
    bench.run(["secret", "set", "TOKEN=env:MY_TOKEN", "KEY=cmd:pass show key"]).success();
    let listed = bench.run(["secret", "list", "--json"]).success().data();
    assert_eq!(
        listed,
        json!([
            { "name": "TOKEN", "where": "env:MY_TOKEN", "from": "config" },
            { "name": "KEY", "where": "cmd:pass show key", "from": "config" },
        ])
    );
    bench.run(["secret", "unset", "KEY"]).success();
    let left = bench.run(["secret", "list"]).success().stdout;
    assert_eq!(left, "TOKEN = env:MY_TOKEN (config)\n");
}
