//! A small real image: one layer with busybox, in `docker save` form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use sha2::{Digest as _, Sha256};

/// Debian's package `busybox-static`.
const BUSYBOX: &str = "/bin/busybox";

const PROGRAMS: [&str; 14] = [
    "sh", "cat", "echo", "env", "grep", "head", "id", "pwd", "sleep", "stat", "stty", "tail",
    "true", "wc",
];

/// Returns an archive of one image, the same bytes for the same arguments.
pub(crate) fn saved_image(name: &str, labels: &[(&str, &str)]) -> Vec<u8> {
    let layer = layer();
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    let config = serde_json::json!({
        "architecture": architecture(), "os": "linux", "created": "2026-01-01T00:00:00Z",
        "author": "somebody",
        "config": {
            "Labels": labels, "Env": ["PATH=/bin", "FROM_IMAGE=yes"], "Cmd": ["/bin/sh"],
            "ExposedPorts": { "4097/tcp": {}, "4096/tcp": {} }, "WorkingDir": "/tmp",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
        "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "test" }],
    })
    .to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let manifest = serde_json::json!([
        { "Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"] }
    ]);
    let mut archive = tar::Builder::new(Vec::new());
    add(&mut archive, "layer.tar", 0o644, &layer);
    add(&mut archive, &config_name, 0o644, config.as_bytes());
    add(&mut archive, "manifest.json", 0o644, manifest.to_string().as_bytes());
    archive.into_inner().unwrap()
}

/// Returns an archive of one image with these layers, none of which is in it.
pub(crate) fn saved_without_layers(name: &str, diff_ids: &[String]) -> Vec<u8> {
    let config = serde_json::json!({
        "architecture": architecture(), "os": "linux", "config": { "Labels": { "of": name } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let layers: Vec<String> = diff_ids.iter().map(|id| id.replace(':', "-")).collect();
    let manifest = serde_json::json!([
        { "Config": config_name, "RepoTags": [name], "Layers": layers }
    ]);
    let files = [
        (&*config_name, config.into_bytes()),
        ("manifest.json", manifest.to_string().into_bytes()),
    ];
    packed(&files.each_ref().map(|(name, bytes)| (*name, &**bytes)))
}

/// Returns an archive that is none of an image.
pub(crate) fn senseless() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    add(&mut archive, "readme", 0o644, b"nothing to see here");
    archive.into_inner().unwrap()
}

/// Returns an archive of plain files.
pub(crate) fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        add(&mut archive, path, 0o644, bytes);
    }
    archive.into_inner().unwrap()
}

/// Returns the plain files of an archive by their paths from its root.
pub(crate) fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type().is_file() {
            let path = entry.path().unwrap().display().to_string();
            let path = path.trim_start_matches("./").to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(path, bytes);
        }
    }
    files
}

/// Returns the architecture of this machine in OCI words.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn layer() -> Vec<u8> {
    let busybox = std::fs::read(BUSYBOX)
        .unwrap_or_else(|error| panic!("{BUSYBOX}: {error} (package busybox-static)"));
    let mut layer = tar::Builder::new(Vec::new());
    for (dir, mode) in [("bin/", 0o755), ("etc/", 0o755), ("run/", 0o755), ("tmp/", 0o1777)] {
        let mut header = header(mode, 0);
        header.set_entry_type(tar::EntryType::Directory);
        layer.append_data(&mut header, dir, std::io::empty()).unwrap();
    }
    add(&mut layer, "bin/busybox", 0o755, &busybox);
    add(&mut layer, "etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\nguest:x:1000:1001::/:/bin/sh\n");
    add(&mut layer, "etc/group", 0o644, b"root:x:0:\nguest:x:1001:\n");
    for program in PROGRAMS {
        let mut header = header(0o777, 0);
        header.set_entry_type(tar::EntryType::Symlink);
        layer.append_link(&mut header, format!("bin/{program}"), "busybox").unwrap();
    }
    layer.into_inner().unwrap()
}

fn add<W: std::io::Write>(archive: &mut tar::Builder<W>, path: &str, mode: u32, bytes: &[u8]) {
    let mut header = header(mode, bytes.len() as u64);
    archive.append_data(&mut header, path, bytes).unwrap();
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// Returns the digest of bytes in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}
