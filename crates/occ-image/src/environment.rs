//! The environment of everything inside, and a script for logins that begin without it.

use crate::guest::{AGENT_SHELL, HOME, OWN_PROGRAMS, UID};
use crate::plan::ToolPlan;
use crate::recipe::SystemRecipe;

/// Names and values.
pub(crate) type Variables = Vec<(String, String)>;

/// Folders with programs, what the image brings first: what somebody installs beside it can never hide it.
pub(crate) const PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Where the package clients put programs, below [`OWN_PROGRAMS`].
const OWN_PATH: [&str; 7] =
    ["bin", "npm/bin", "pnpm/bin", "python/bin", "cargo/bin", "go/bin", "mise/shims"];

/// What people install or set up by themselves outlives the container: all of this is on a volume.
const OWN: [(&str, &str); 15] = [
    ("NPM_CONFIG_PREFIX", "npm"),
    ("PNPM_HOME", "pnpm"),
    // By itself pnpm keeps it in the workspace, because that is another file system than the home.
    ("PNPM_CONFIG_STORE_DIR", "pnpm/store"),
    ("PYTHONUSERBASE", "python"),
    ("PIPX_HOME", "pipx"),
    ("PIPX_BIN_DIR", "bin"),
    ("UV_TOOL_DIR", "uv/tools"),
    ("UV_TOOL_BIN_DIR", "bin"),
    ("UV_PYTHON_INSTALL_DIR", "uv/python"),
    ("UV_PYTHON_BIN_DIR", "bin"),
    ("CARGO_INSTALL_ROOT", "cargo"),
    ("GOBIN", "go/bin"),
    ("MISE_DATA_DIR", "mise"),
    ("MISE_CONFIG_DIR", "mise/config"),
    ("GH_CONFIG_DIR", "gh"),
];

const FIXED: [(&str, &str); 12] = [
    ("SHELL", AGENT_SHELL),
    // Without it Debian's pip installs nothing outside of a virtual environment. What it installs goes to the
    // user's own packages on the volume; Debian's Python programs see them too, as plugins of pytest should be.
    ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    // uv's cache and the volumes are never on one file system, and it warns of every file.
    ("UV_LINK_MODE", "copy"),
    // A closed network is to say so after seconds; by itself npm asks for 70 of them, and opencode with a
    // plugin waits as long for npm before it answers anything.
    ("NPM_CONFIG_FETCH_RETRY_MINTIMEOUT", "1000"),
    ("NPM_CONFIG_FETCH_RETRY_MAXTIMEOUT", "4000"),
    ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
    // The version is pinned, and so is the list of models that is inside it.
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    // Its log file is never rotated.
    ("OPENCODE_LOG_LEVEL", "WARN"),
    // Nobody is there to answer; the sandbox is the permission.
    ("OPENCODE_PERMISSION", r#"{"*":"allow"}"#),
    ("HOME", HOME),
];

/// Returns the variables of an image with these tools, each once; what a tool says wins.
pub(crate) fn variables(system: &SystemRecipe, tools: &[ToolPlan]) -> Variables {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let own = |path: &str| format!("{OWN_PROGRAMS}/{path}");
    let path = PATH.map(str::to_owned).into_iter().chain(OWN_PATH.map(own));
    let mut variables = vec![
        ("PATH".to_owned(), path.collect::<Vec<_>>().join(":")),
        ("LANG".to_owned(), system.lang.clone()),
        ("TZ".to_owned(), system.timezone.clone()),
    ];
    variables.extend(OWN.map(|(name, path)| (name.to_owned(), own(path))));
    variables.extend(FIXED.map(owned));
    for (name, value) in tools.iter().flat_map(|plan| &plan.tool.environment) {
        variables.retain(|(other, _)| other != name);
        variables.push((name.clone(), value.clone()));
    }
    variables
}

/// Returns the text of a script for `/etc/profile.d`, which gives the user's logins these variables where the
/// login has none: `su` and an SSH server begin with next to nothing, and Debian's own profile resets `PATH`
/// for every login shell.
pub(crate) fn profile(variables: &Variables) -> String {
    let mut script = format!(
        "# The image's environment for logins of its user that begin without it.\n\
         [ \"$(id -u)\" = {UID} ] || return 0\n"
    );
    for (name, value) in variables {
        let value = quoted(value);
        script.push_str(&match name.as_str() {
            "PATH" => {
                format!(
                    "case :$PATH: in *:{OWN_PROGRAMS}/bin:*) ;; *) export PATH={value} ;; esac\n"
                )
            }
            // Every login sets them itself.
            "HOME" | "SHELL" => continue,
            _ => format!("[ -n \"${{{name}+set}}\" ] || export {name}={value}\n"),
        });
    }
    script
}

/// Quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell that starts with `before` has in `name` after the profile of `variables`.
    fn after(variables: &Variables, before: &[(&str, &str)], name: &str) -> String {
        // Whoever runs the tests is not the sandbox's user.
        let script =
            format!("id() {{ echo {UID}; }}\n{}printf %s \"${name}\"\n", profile(variables));
        let ran = Command::new("/bin/sh")
            .args(["-euc", &script])
            .env_clear()
            .envs(before.iter().copied())
            .output()
            .expect("a shell");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("text")
    }

    fn system() -> SystemRecipe {
        let (shell, lang, timezone) = ("/bin/sh".into(), "C.UTF-8".into(), "UTC".into());
        SystemRecipe { shell, lang, timezone }
    }

    #[test]
    fn what_the_image_brings_comes_before_everything_of_the_volume() {
        let variables = variables(&system(), &[]);
        let folders: Vec<_> = variables[0].1.split(':').collect();
        let is_own = |folder: &&str| folder.starts_with(OWN_PROGRAMS);
        assert!(!folders[..PATH.len()].iter().any(is_own));
        assert!(folders[PATH.len()..].iter().all(is_own));
    }

    #[test]
    fn every_variable_is_there_once() {
        let mut names: Vec<_> =
            variables(&system(), &[]).into_iter().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_login_keeps_what_it_has_and_gets_the_rest() {
        let variables = variables(&system(), &[]);
        let bare = [("PATH", "/usr/bin:/bin"), ("LANG", "de_DE.UTF-8"), ("GOBIN", "")];
        assert_eq!(after(&variables, &bare, "LANG"), "de_DE.UTF-8");
        assert_eq!(after(&variables, &bare, "GOBIN"), "");
        assert_eq!(after(&variables, &bare, "PATH"), variables[0].1);
        assert_eq!(after(&variables, &bare, "OPENCODE_PERMISSION"), r#"{"*":"allow"}"#);
        let full = format!("/mine:{}", variables[0].1);
        assert_eq!(after(&variables, &[("PATH", &full)], "PATH"), full);
        assert_eq!(after(&variables, &[("PATH", "/bin"), ("HOME", "/else")], "HOME"), "/else");
    }

    #[test]
    fn others_get_nothing() {
        let script = format!(
            "id() {{ echo 0; }}\nf() {{ {}\n}}; f\necho \"$LANG\"",
            profile(&variables(&system(), &[]))
        );
        let ran =
            Command::new("/bin/sh").args(["-ec", &script]).env_clear().output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_value_passes_a_shell_unchanged(value in "[^\\x00]{0,40}") {
            let variables = vec![("VALUE".to_owned(), value.clone())];
            prop_assert_eq!(after(&variables, &[("PATH", "/usr/bin:/bin")], "VALUE"), value);
        }
    }
}
