//! Certificates of authorities that this host trusts beside those that everybody does.

use std::fs;
use std::path::{Path, PathBuf};

use occ_sandbox::{Certificates, Found, certificate_blocks};

use crate::config::Authorities;
use crate::env::Environment;
use crate::exit::Exit;
use crate::failure::Failure;

/// Variables of the host that name a file with certificates.
const VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"];

/// Where Debian, Fedora, Arch and SUSE keep authorities that an administrator added.
const FOLDERS: [&str; 4] = [
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/ca-certificates/trust-source/anchors",
    "/etc/pki/trust/anchors",
];

/// Looks for certificates where the setting says.
pub(super) fn look(
    wanted: &Authorities,
    env: &Environment,
    notes: &mut Vec<String>,
) -> Result<Found<Certificates>, Failure> {
    match wanted {
        Authorities::None => Ok(Found::Unwanted),
        Authorities::File(path) => Ok(Found::There(named(path)?)),
        Authorities::Auto => {
            let mut files: Vec<PathBuf> = Vec::new();
            for variable in VARIABLES {
                let Some(path) = env.variable(variable).map(PathBuf::from) else { continue };
                match read(&path) {
                    Ok(_) => files.push(path),
                    Err(why) => notes
                        .push(format!("{variable} is not passed on: {}: {why}", path.display())),
                }
            }
            files.extend(FOLDERS.iter().flat_map(|folder| added(Path::new(folder))));
            Ok(gathered(files).map_or(Found::Missing, Found::There))
        }
    }
}

/// The file that a person named must be what it is said to be.
fn named(path: &Path) -> Result<Certificates, Failure> {
    match read(path) {
        Ok(blocks) => Ok(Certificates { sources: vec![path.to_owned()], blocks }),
        Err(why) => {
            let message = format!("there are no certificates in: {}", path.display());
            let mut failure = Failure::new(Exit::Config, message);
            failure.causes.push(why);
            Err(failure.hint("name another file: occ config set ca_certificates PATH"))
        }
    }
}

fn read(path: &Path) -> Result<Vec<String>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let blocks = certificate_blocks(&String::from_utf8_lossy(&bytes));
    if blocks.is_empty() { Err("it has no certificate in it".to_owned()) } else { Ok(blocks) }
}

/// Returns the files that an administrator added, in the order of their names.
fn added(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// Returns the certificates of these files, without the files that have none.
fn gathered(files: Vec<PathBuf>) -> Option<Certificates> {
    let mut all = Certificates { sources: Vec::new(), blocks: Vec::new() };
    for file in files {
        let Ok(blocks) = read(&file) else { continue };
        let new: Vec<String> =
            blocks.into_iter().filter(|block| !all.blocks.contains(block)).collect();
        if !new.is_empty() {
            all.sources.push(file);
            all.blocks.extend(new);
        }
    }
    (!all.blocks.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn files_without_certificates_are_passed_over_and_each_certificate_is_taken_once() {
        let dir = tempfile::tempdir().expect("tempdir");
        let write =
            |name: &str, text: &str| fs::write(dir.path().join(name), text).expect("a file");
        write("a.crt", &block("AAAA"));
        write("b.txt", "nothing");
        write("c.crt", &(block("AAAA") + &block("CCCC")));
        write("d.crt", &block("CCCC"));
        fs::create_dir(dir.path().join("folder")).expect("a folder");
        let found = gathered(added(dir.path())).expect("certificates");
        assert_eq!(found.sources, [dir.path().join("a.crt"), dir.path().join("c.crt")]);
        assert_eq!(found.blocks, [block("AAAA"), block("CCCC")]);
        assert_eq!(gathered(added(Path::new("/nonexistent"))), None);
    }

    #[test]
    fn a_file_that_was_named_and_has_no_certificate_is_an_error() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("empty.pem");
        fs::write(&file, "").expect("a file");
        for path in [file, dir.path().join("missing.pem")] {
            let failure = named(&path).expect_err("no certificates");
            assert!(failure.message.ends_with(&path.display().to_string()), "{}", failure.message);
            assert_eq!(failure.exit, Exit::Config);
        }
    }
}
