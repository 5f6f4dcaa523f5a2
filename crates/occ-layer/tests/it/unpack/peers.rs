//! Archives as other programs write them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use occ_layer::unpack::Format;

use super::material::{list, open_file};

fn fill(folder: &Path, long: &str) {
    fs::create_dir_all(folder.join("bin")).unwrap();
    fs::create_dir_all(folder.join(long)).unwrap();
    fs::write(folder.join("bin/tool"), "tool").unwrap();
    fs::hard_link(folder.join("bin/tool"), folder.join("bin/again")).unwrap();
    fs::write(folder.join(long).join("főtanúsítvány"), "x").unwrap();
    symlink(format!("../{long}"), folder.join("bin/link")).unwrap();
    let letters = format!("{long}/f\u{151}tan\u{fa}s\u{ed}tv\u{e1}ny");
    for (path, mode) in
        [("", 0o755), ("bin", 0o755), ("bin/tool", 0o755), (long, 0o755), (&letters, 0o644)]
    {
        fs::set_permissions(folder.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn gnu_tar_in_each_of_its_dialects() {
    let folder = tempfile::tempdir().unwrap();
    let long = "l".repeat(150);
    let root = folder.path().join("root");
    fill(&root, &long);
    for dialect in ["gnu", "posix"] {
        for (name, format) in [("a.tar", Format::Tar), ("a.tgz", Format::TarGz)] {
            let archive = folder.path().join(name);
            let mut command = Command::new("tar");
            command.arg(format!("--format={dialect}")).arg("--sort=name").arg("-caf").arg(&archive);
            let output = command.arg("-C").arg(&root).arg(".").output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let listed = list(&open_file(format, &archive).unwrap());
            let links = [
                "755 bin/again = \"tool\"".to_owned(),
                format!("777 bin/link -> ../{long}"),
                "755 bin/tool => bin/again".to_owned(),
                format!("644 {long}/f\u{151}tan\u{fa}s\u{ed}tv\u{e1}ny = \"x\""),
            ];
            for line in links {
                assert!(listed.contains(&line), "{dialect} {name}: no {line} in {listed:#?}");
            }
        }
    }
}

#[test]
fn gnu_tar_with_a_sparse_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs::File::create(folder.path().join("sparse")).unwrap();
    file.set_len(1 << 20).unwrap();
    for dialect in ["gnu", "posix"] {
        let archive = folder.path().join("a.tar");
        let mut command = Command::new("tar");
        command.arg(format!("--format={dialect}")).arg("-Scf").arg(&archive);
        let output = command.arg("-C").arg(folder.path()).arg("sparse").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let message = open_file(Format::Tar, &archive).unwrap_err().to_string();
        assert!(message.ends_with(" is a sparse file"), "{dialect}: {message}");
    }
}

fn info_zip(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("zip").current_dir(folder).arg("-q").args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("zip: {error} (package zip)"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

#[test]
fn info_zip_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let long = "l".repeat(150);
    let root = folder.path().join("root");
    fill(&root, &long);
    info_zip(&root, &["-r", "-y", "../a.zip", "."]);
    let listed = list(&open_file(Format::Zip, &folder.path().join("a.zip")).unwrap());
    let expected = [
        "755 bin /".to_owned(),
        "755 bin/again = \"tool\"".to_owned(),
        format!("777 bin/link -> ../{long}"),
        "755 bin/tool = \"tool\"".to_owned(),
        format!("755 {long} /"),
        format!("644 {long}/f\u{151}tan\u{fa}s\u{ed}tv\u{e1}ny = \"x\""),
    ];
    assert_eq!(listed, expected);
}

#[test]
fn info_zip_to_a_pipe_puts_sizes_and_checksums_behind_the_contents() {
    let folder = tempfile::tempdir().unwrap();
    let text = "text ".repeat(100);
    fs::write(folder.path().join("text"), &text).unwrap();
    fs::set_permissions(folder.path().join("text"), fs::Permissions::from_mode(0o640)).unwrap();
    let archive = info_zip(folder.path(), &["-", "text"]);
    assert_eq!(archive[6] & 8, 8, "the flag for a data descriptor");
    fs::write(folder.path().join("a.zip"), archive).unwrap();
    let listed = list(&open_file(Format::Zip, &folder.path().join("a.zip")).unwrap());
    assert_eq!(listed, [format!("640 text = {text:?}")]);
}
