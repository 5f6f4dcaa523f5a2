//! The config file and the commands that read and change it: no daemon is asked.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::places::bench_without_image as bench;

#[test]
fn an_unknown_field_is_named_with_its_line_and_a_suggestion() {
    let bench = bench();
    bench.write_config("{\n  // moved away from 3000\n  \"prot\": 3001\n}\n");
    for command in ["show", "start"] {
        let arguments = if command == "show" { vec!["config", "show"] } else { vec!["start"] };
        let run = bench.run(arguments).code(4);
        let run = run.says("line 3, column 3: unknown field \"prot\"; did you mean \"port\"?");
        let run = run.says("hint: ");
        assert!(run.stdout.is_empty());
        let home = bench.home().display().to_string();
        insta::assert_snapshot!("an-unknown-field", run.stderr.replace(&home, "HOME"));
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line_and_what_is_expected() {
    let bench = bench();
    bench.write_config("{ \"port\": \"abc\",\n  \"memory\": 12 }");
    bench
        .run(["config", "show"])
        .code(4)
        .says("line 1, column 11: port: a port from 1 to 65535 is expected, not \"abc\"")
        .says("line 2, column 13: memory: a size with a unit");
}

#[test]
fn a_truncated_file_is_explained_with_the_place_where_it_ends() {
    let bench = bench();
    bench.write_config("{\n  \"port\": 3001,\n  \"mem");
    bench.run(["config", "get", "port"]).code(4).says("line 3").says("config.json is invalid");
}

#[test]
fn an_empty_file_is_explained() {
    let bench = bench();
    bench.write_config("");
    bench
        .run(["config", "get", "port"])
        .code(4)
        .says("the file is empty, and an object { } is expected");
}

#[test]
fn a_file_that_is_not_utf_8_is_explained_with_the_first_bad_byte() {
    let bench = bench();
    bench.write_config(b"{ \"workspace\": \"/\xff\" }");
    bench.run(["config", "show"]).code(4).says("is not UTF-8: byte 17 is not");
}

#[test]
fn a_file_that_may_not_be_read_is_named_with_the_reason() {
    let mut bench = bench();
    bench.write_config("{}");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(bench.config_file(), closed).unwrap();
    bench.as_stranger();
    let path = bench.config_file().display().to_string();
    bench
        .run(["config", "show"])
        .code(4)
        .says(&format!("cannot read the config file {path}"))
        .says("because: Permission denied")
        .says("hint: ");
}

#[test]
fn a_folder_in_the_files_place_is_named_with_the_reason() {
    let bench = bench();
    fs::create_dir_all(bench.config_file()).unwrap();
    bench.run(["start"]).code(4).says("cannot read the config file").says("Is a directory");
    bench.run(["config", "set", "port", "3001"]).code(4).says("Is a directory");
}

#[test]
fn a_port_that_is_none_is_refused_wherever_it_is_said() {
    for port in ["0", "70000", "abc"] {
        let expected = "a port from 1 to 65535 is expected";
        let mut bench = bench();
        bench.run(["start", "--port", port]).code(2).says(expected).says("--port <PORT>");
        bench.run(["config", "set", "port", port]).code(2).says(expected);
        assert!(!bench.config_file().exists(), "a refused value was written");
        bench.write_config(format!(
            "{{ \"port\": {} }}",
            if port == "abc" { "\"abc\"" } else { port }
        ));
        bench.unset("OCC_PORT");
        bench.run(["start"]).code(4).says(expected).says("line 1");
        bench.write_config("{}");
        bench.set("OCC_PORT", port);
        bench.run(["start"]).code(4).says("OCC_PORT").says(expected);
    }
}

#[test]
fn a_home_that_is_not_writable_is_named_with_the_reason() {
    let mut bench = bench();
    let read_only = fs::Permissions::from_mode(0o555);
    fs::set_permissions(bench.home(), read_only).unwrap();
    bench.as_stranger();
    let folder = bench.home().join("data/opencode-cloud").display().to_string();
    bench
        .run(["start", "--yes"])
        .code(1)
        .says("cannot create the folder")
        .says(&folder)
        .says("because: Permission denied")
        .says("hint: ");
    bench.run(["config", "set", "port", "3001"]).code(1).says("Permission denied");
    fs::set_permissions(bench.home(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_change_keeps_comments_and_order() {
    let bench = bench();
    let text = "{\n  // why it is not 3000\n  \"port\": 3001, // since May\n  \"cpus\": 1,\n}\n";
    bench.write_config(text);
    let read = || fs::read_to_string(bench.config_file()).unwrap();
    let quiet = bench.run(["config", "set", "port", "3005", "--quiet"]).success();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(read(), text.replace("3001", "3005"));
    bench.run(["config", "unset", "port"]).success();
    assert!(read().contains("\"cpus\": 1") && !read().contains("3005"), "{}", read());
    bench.run(["config", "unset", "port"]).success();
}

#[test]
fn a_value_that_was_set_is_shown_with_who_gave_it() {
    let mut bench = bench();
    bench.unset("OCC_PORT");
    bench.run(["config", "get", "port"]).success().prints("3000\n");
    bench.run(["config", "set", "memory", "1GiB"]).success();
    let shown = bench.run(["config", "show", "--json"]).success().data();
    assert_eq!(shown["memory"], json!({ "value": "1GiB", "origin": "file" }));
    assert_eq!(shown["port"], json!({ "value": 3000, "origin": "default" }));
    bench.set("OCC_MEMORY", "3GiB");
    let value = bench.run(["config", "get", "memory", "--json"]).success().data();
    assert_eq!(value, json!({ "key": "memory", "value": "3GiB", "origin": "environment" }));
    let text = bench.run(["config", "show"]).success().stdout;
    assert!(text.lines().any(|line| line.starts_with("memory ") && line.ends_with("environment")));
}

#[test]
fn a_mistyped_setting_is_a_usage_error_with_a_suggestion() {
    let bench = bench();
    bench.run(["config", "get", "prot"]).code(2).says("no setting \"prot\"").says("port");
    bench.run(["config", "set", "memory", "lots"]).code(2).says("a size with a unit");
}

#[test]
fn the_path_and_the_schema_are_printed() {
    let bench = bench();
    let path = bench.run(["config", "path"]).success().stdout;
    assert_eq!(path, format!("{}\n", bench.config_file().display()));
    let schema = bench.run(["config", "schema"]).success().json();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["port"]["maximum"], 65535);
    let shown = bench.run(["config", "show", "--json"]).success().data();
    for name in shown.as_object().unwrap().keys() {
        assert!(schema["properties"][name]["description"].is_string(), "{name}");
    }
}

#[test]
fn the_config_file_is_for_its_owner_alone() {
    let bench = bench();
    bench.run(["config", "set", "cpus", "1.5"]).success();
    let mode = fs::metadata(bench.config_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let folder = fs::metadata(bench.config_file().parent().unwrap()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

#[test]
fn pw_010_a_setting_answers_to_the_name_it_had() {
    let mut bench = bench();
    bench.unset("OCC_PORT");
    bench.run(["config", "set", "opencode_web_port", "3005"]).success();
    let text = fs::read_to_string(bench.config_file()).unwrap();
    assert!(text.contains("\"port\": 3005"), "{text}");
    assert_eq!(bench.run(["config", "get", "port"]).success().stdout, "3005\n");
    assert_eq!(bench.run(["config", "get", "opencode_web_port"]).success().stdout, "3005\n");
}

#[test]
fn cfg_003_a_config_of_an_earlier_version_loads_and_says_what_does_nothing_any_more() {
    let mut bench = bench();
    bench.unset("OCC_PORT");
    bench.unset("OCC_IMAGE_SOURCE");
    bench.write_config(
        "{ \"version\": 1, \"opencode_web_port\": 3005, \"bind\": \"0.0.0.0\",\n\
          \"auto_restart\": true, \"cockpit_port\": 9090, \"users\": [\"me\"] }",
    );
    let run = bench.run(["config", "show", "--json"]).success();
    let run = run.says("line 2: \"cockpit_port\" does nothing any more: there is no Cockpit");
    let shown = run.data();
    assert_eq!(shown["port"], json!({ "value": 3005, "origin": "file" }));
    assert_eq!(shown["bind_address"]["value"], "0.0.0.0");
    assert_eq!(shown["restart"]["value"], "unless-stopped");
    assert_eq!(shown["image_source"], json!({ "value": "prebuilt", "origin": "default" }));
    assert_eq!(shown["update_check"], json!({ "value": "always", "origin": "default" }));

    bench.run(["config", "unset", "cockpit_port"]).success();
    bench.run(["config", "unset", "users"]).success();
    bench.run(["config", "set", "port", "3006"]).success();
    let text = fs::read_to_string(bench.config_file()).unwrap();
    assert!(!text.contains("cockpit") && !text.contains("opencode_web_port"), "{text}");
    bench.run(["config", "get", "port"]).success().never_says("does nothing").prints("3006\n");
}

#[test]
fn pw_009_a_password_is_never_an_argument_and_never_shown() {
    let bench = bench();
    bench.run(["config", "get", "password"]).success().prints("none\n");
    let run = bench.run(["config", "set", "password", "geheim"]).code(2);
    let run = run.says("a password is never taken as an argument");
    let _hint = run.says("hint: type it: occ config set password");
    bench.run(["config", "set", "password"]).code(2).says("No TTY detected");
    assert!(!bench.state_dir().join("password").exists(), "it was kept");

    fs::create_dir_all(bench.state_dir()).unwrap();
    fs::write(bench.state_dir().join("password"), "geheim\n").unwrap();
    let get = bench.run(["config", "get", "password"]).success().never_says("geheim");
    assert_eq!(get.stdout, "********\n");
    let show = bench.run(["config", "show"]).success().never_says("geheim");
    assert!(show.stdout.contains("password         ********"), "{}", show.stdout);
}

#[test]
fn pw_009_a_reset_asks_and_keeps_what_was_there() {
    let bench = bench();
    bench.run(["config", "reset"]).success().says("There is no config file");
    bench.write_config("{ \"cpus\": 1 } // mine\n");
    bench.run(["config", "reset"]).code(2).says("occ config reset --force");
    let mut terminal = bench.at_terminal(["config", "reset"]);
    terminal.until("Reset all settings to their defaults? [y/N]");
    terminal.enter("\r");
    assert_eq!(terminal.finish().0, Some(1));
    assert!(fs::read_to_string(bench.config_file()).unwrap().contains("cpus"));

    bench.run(["config", "reset", "--force"]).success().says("config.json.old");
    assert_eq!(fs::read_to_string(bench.config_file()).unwrap(), "{}\n");
    let kept = fs::read_to_string(bench.config_file().with_extension("json.old")).unwrap();
    assert_eq!(kept, "{ \"cpus\": 1 } // mine\n");
    bench.write_config("{ broken");
    bench.run(["config", "reset", "--force"]).success();
    bench.run(["config", "show"]).success();
}

#[test]
fn pw_009_a_change_says_that_a_restart_is_required() {
    let bench = bench();
    let run = bench.run(["config", "set", "cpus", "1"]).success();
    let _said = run.says("Restart required for changes to take effect");
}

#[test]
fn pw_018_every_setting_is_shown_because_all_are_taken_from_the_one_table() {
    let bench = bench();
    let shown = bench.run(["config", "show"]).success().stdout;
    let schema = bench.run(["config", "schema"]).success().json();
    for name in schema["properties"].as_object().unwrap().keys() {
        let is_shown = shown.lines().any(|line| line.split_whitespace().next() == Some(name));
        assert!(is_shown || ["$schema", "version"].contains(&name.as_str()), "{name}");
    }
}

#[test]
fn lif_008_pw_019_two_of_the_image_flags_exclude_each_other() {
    let bench = bench();
    let flags =
        ["--pull-sandbox-image", "--cached-rebuild-sandbox-image", "--full-rebuild-sandbox-image"];
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        bench.run(["start", flags[one], flags[other]]).code(2).says(
            "Only one of --pull-sandbox-image, --cached-rebuild-sandbox-image, or --full-rebuild-sandbox-image can be specified",
        );
    }
}
