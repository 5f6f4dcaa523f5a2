//! What apt on this machine says about where Debian comes from and how to get there.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::error::BuildError;
use crate::program::Program;
use crate::workshop::Workshop;

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Sources {
    /// Lines of sources.list(5); none when the machine knows no Debian archive.
    pub(super) lines: Vec<String>,
    /// Options of apt.conf(5): proxies, certificates, passwords, keys, checks that were relaxed.
    pub(super) options: Vec<String>,
}

/// Asks apt where this machine gets its packages. Where it knows no Debian archive, as on Ubuntu, mmdebstrap
/// does.
pub(super) fn observe(
    suite: &str,
    workshop: &Workshop,
    cancel: &AtomicBool,
) -> Result<Sources, BuildError> {
    let programs = &workshop.programs;
    let targets = Program::new(&programs.apt_get, "apt", cancel)
        .with(|command| {
            command.args(["indextargets", "--format", FORMAT, "Created-By: Packages"]);
        })
        .output()?;
    let configuration = Program::new(&programs.apt_config, "apt", cancel)
        .with(|command| {
            command.arg("dump");
        })
        .output()?;
    let keyring = programs.keyring.to_str().filter(|_| programs.keyring.exists());
    let mut sources = read(&targets, &configuration, suite, keyring);
    if sources.lines.is_empty() {
        sources.lines = known_to_mmdebstrap(suite, workshop, cancel)?;
    }
    Ok(sources)
}

/// Marks the lines that are wanted of what mmdebstrap prints.
const MARK: &str = "source: ";

/// Lets mmdebstrap write its list of sources and stop before it would use it.
fn known_to_mmdebstrap(
    suite: &str,
    workshop: &Workshop,
    cancel: &AtomicBool,
) -> Result<Vec<String>, BuildError> {
    let mut lines = Vec::new();
    Program::new(&workshop.programs.mmdebstrap, "mmdebstrap", cancel)
        .with(|command| {
            command
                .env("TMPDIR", &workshop.temp_dir)
                .args(["--quiet", "--mode=chrootless", "--variant=custom", "--format=null"])
                .arg("--skip=update,download,cleanup")
                .arg(format!("--setup-hook=sed 's/^/{MARK}/' \"$1/etc/apt/sources.list\""))
                .args([suite, "-"]);
        })
        .writes_to(&workshop.temp_dir)
        .run(|_, line| lines.extend(line.strip_prefix(MARK).map(str::to_owned)))?;
    Ok(lines)
}

/// Format for `apt-get indextargets` that [`read`] understands.
const FORMAT: &str = "$(REPO_URI)|$(ORIGIN)|$(LABEL)";

/// Reads both answers of apt.
///
/// `keyring` is the path of Debian's archive keys where the machine has them: since they may be trusted
/// there for Debian's own sources only, the lines name them.
fn read(targets: &str, configuration: &str, suite: &str, keyring: Option<&str>) -> Sources {
    let mut archive = None;
    let mut security = None;
    for line in targets.lines() {
        let mut fields = line.split('|');
        let (Some(uri), Some(origin), Some(label)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        match role(uri, origin, label) {
            Some(Role::Archive) => archive = archive.or(Some(uri)),
            Some(Role::Security) => security = security.or(Some(uri)),
            None => {}
        }
    }
    let signed_by = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
    let line = |uri: &str, suite: &str| format!("deb {signed_by}{uri} {suite} main");
    let mut lines = Vec::new();
    if let Some(uri) = archive {
        lines.extend([line(uri, suite), line(uri, &format!("{suite}-updates"))]);
        lines.extend(security.map(|uri| line(uri, &format!("{suite}-security"))));
    }
    let mut options = options(configuration);
    options.extend(files(configuration));
    Sources { lines, options }
}

enum Role {
    Archive,
    Security,
}

/// Origin and label are known only after `apt-get update`; before that the address must do.
fn role(uri: &str, origin: &str, label: &str) -> Option<Role> {
    if !(uri.starts_with("http://") || uri.starts_with("https://")) {
        return None;
    }
    match (origin, label) {
        ("Debian", "Debian") => return Some(Role::Archive),
        ("Debian", "Debian-Security") => return Some(Role::Security),
        ("", _) => {}
        _ => return None,
    }
    match uri.trim_end_matches('/').rsplit('/').next() {
        Some("debian") => Some(Role::Archive),
        Some("debian-security") => Some(Role::Security),
        _ => None,
    }
}

/// Returns the settings that decide how an archive is reached, as apt.conf(5) writes them.
fn options(configuration: &str) -> Vec<String> {
    let decides = |key: &str| {
        let key = key.to_ascii_lowercase();
        ["acquire::http::", "acquire::https::"].iter().any(|start| key.starts_with(start))
            || [
                "acquire::check-valid-until",
                "acquire::check-date",
                "acquire::retries",
                "acquire::forceipv4",
                "acquire::forceipv6",
            ]
            .contains(&key.as_str())
    };
    configuration
        .lines()
        .filter(|line| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            decides(key) && !value.starts_with("\"\"")
        })
        .map(str::to_owned)
        .collect()
}

/// Returns settings that name the machine's own files of passwords and keys by their full paths, for an apt
/// whose root is elsewhere.
fn files(configuration: &str) -> Vec<String> {
    let value = |key: &str| {
        configuration.lines().find_map(|line| {
            let (name, value) = line.split_once(' ')?;
            let value = value.strip_prefix('"')?.strip_suffix("\";")?;
            (name.eq_ignore_ascii_case(key) && !value.is_empty()).then_some(value)
        })
    };
    let root = Path::new(value("Dir").unwrap_or("/")).join(value("Dir::Etc").unwrap_or("etc/apt"));
    let keys = ["netrc", "netrcparts", "trusted", "trustedparts"];
    keys.iter()
        .filter_map(|key| {
            let path: PathBuf = root.join(value(&format!("Dir::Etc::{key}"))?);
            Some(format!("Dir::Etc::{key} \"{}\";", path.display()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHIVE: &str = "http://mirror.test/debian/|Debian|Debian";
    const SECURITY: &str = "http://mirror.test/debian-security/|Debian|Debian-Security";

    fn lines(targets: &[&str], keyring: Option<&str>) -> Vec<String> {
        read(&targets.join("\n"), "", "trixie", keyring).lines
    }

    #[test]
    fn the_machines_own_mirrors_serve_the_recipes_release() {
        assert_eq!(
            lines(&[ARCHIVE, ARCHIVE, SECURITY], Some("/keys.gpg")),
            [
                "deb [signed-by=/keys.gpg] http://mirror.test/debian/ trixie main",
                "deb [signed-by=/keys.gpg] http://mirror.test/debian/ trixie-updates main",
                "deb [signed-by=/keys.gpg] http://mirror.test/debian-security/ trixie-security main",
            ]
        );
    }

    #[test]
    fn before_the_first_update_the_address_must_do() {
        assert_eq!(
            lines(&["https://mirror.test/debian-security||", "https://mirror.test/debian||"], None),
            [
                "deb https://mirror.test/debian trixie main",
                "deb https://mirror.test/debian trixie-updates main",
                "deb https://mirror.test/debian-security trixie-security main",
            ]
        );
    }

    #[test]
    fn other_distributions_and_other_debian_archives_are_not_taken_for_debian() {
        for foreign in [
            "http://mirror.test/ubuntu/|Ubuntu|Ubuntu",
            "http://mirror.test/debian/|Debian Backports|Debian Backports",
            "http://mirror.test/debian/|Docker|Docker CE",
            "cdrom://disc/|Debian|Debian",
            "http://mirror.test/node||",
            "nonsense",
        ] {
            assert_eq!(lines(&[foreign], None), Vec::<String>::new(), "{foreign}");
        }
        assert_eq!(lines(&[SECURITY], None), Vec::<String>::new());
    }

    #[test]
    fn proxies_and_certificates_come_along_and_nothing_else_does() {
        let configuration = "APT::Architecture \"amd64\";\nAcquire::http \"\";\n\
            Acquire::http::Proxy \"http://proxy.test:3128\";\nAcquire::https::CaInfo \"/ca.pem\";\n\
            Acquire::Check-Valid-Until \"false\";\nAcquire::Languages:: \"none\";\n\
            Acquire::https::Proxy \"\";\nDPkg::Post-Invoke:: \"rm -rf /\";\n";
        assert_eq!(
            read("", configuration, "trixie", None).options,
            [
                "Acquire::http::Proxy \"http://proxy.test:3128\";",
                "Acquire::https::CaInfo \"/ca.pem\";",
                "Acquire::Check-Valid-Until \"false\";",
            ]
        );
    }
    #[test]
    fn files_of_passwords_and_keys_are_named_in_full() {
        let configuration = "Dir \"/\";\nDir::Etc \"etc/apt\";\nDir::Etc::netrc \"auth.conf\";\n\
            Dir::Etc::netrcparts \"/opt/auth.d\";\nDir::Etc::trusted \"\";\n\
            Dir::Etc::trustedparts \"trusted.gpg.d\";\nDir::Etc::main \"apt.conf\";\n";
        assert_eq!(
            read("", configuration, "trixie", None).options,
            [
                "Dir::Etc::netrc \"/etc/apt/auth.conf\";",
                "Dir::Etc::netrcparts \"/opt/auth.d\";",
                "Dir::Etc::trustedparts \"/etc/apt/trusted.gpg.d\";",
            ]
        );
    }
}
