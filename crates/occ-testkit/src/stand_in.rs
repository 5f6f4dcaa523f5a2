//! Small images that stand in for the real one: they keep the guest contract's labels and behave as
//! badly as a test wants.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use occ_image::guest;
use serde_json::json;

use crate::api::{Api, encoded};
use crate::daemon::needed;

/// How a stand-in behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Serves what readiness asks for, behind the password.
    Good,
    /// The same, without asking for the password.
    NoPassword,
    /// Runs and does not listen.
    NoServer,
    /// Says something in its log and exits with this code after two seconds.
    Exits(u8),
    /// Accepts connections and never answers.
    NeverAnswers,
    /// Answers everything with a web page.
    Html,
}

/// An image made from busybox.
#[derive(Debug)]
pub struct StandIn<'a> {
    /// Its name in the daemon, with a tag.
    pub name: &'a str,
    /// The version of opencode it claims to be.
    pub opencode: &'a str,
    /// How it behaves.
    pub manner: Manner,
    /// Whether it keeps the guest contract's labels.
    pub labelled: bool,
}

impl StandIn<'_> {
    /// Makes the image in a daemon, in place of any other of that name.
    #[track_caller]
    pub fn load(&self, api: &Api) {
        self.load_as(api, "0.0.1");
    }

    /// The same, of a version of opencode-cloud.
    #[track_caller]
    pub fn load_as(&self, api: &Api, version: &str) {
        let (repository, tag) = self.name.rsplit_once(':').expect("a name with a tag");
        let mut changes = vec![
            "ENTRYPOINT [\"/entrypoint\"]".to_owned(),
            format!("USER {}:{}", guest::UID, guest::GID),
            "ENV PATH=/bin".to_owned(),
        ];
        if self.labelled {
            changes.extend([
                format!("LABEL {}={}", guest::LABEL_CONTRACT, guest::CONTRACT_VERSION),
                format!("LABEL {}={version}", guest::LABEL_VERSION),
                format!("LABEL {}={}", guest::LABEL_OPENCODE, self.opencode),
            ]);
        }
        let changes: String = changes.iter().map(|c| format!("&changes={}", encoded(c))).collect();
        let repository = encoded(repository);
        let path = format!("/images/create?fromSrc=-&repo={repository}&tag={tag}{changes}");
        api.post_archive(&path, &self.archive()).success();
    }

    fn archive(&self) -> Vec<u8> {
        let busybox = fs::read(needed("busybox", "busybox-static")).expect("a readable program");
        assert!(is_static(&busybox), "busybox needs libraries: apt-get install busybox-static");
        let mut archive = Archive(tar::Builder::new(Vec::new()));
        for folder in ["bin", "etc", "run", &guest::RUNTIME_FOLDER[1..]] {
            archive.folder(folder);
        }
        // Every folder on the way too: some storage drivers make missing parents with a mode that lets nobody
        // through.
        let ways = guest::PLACES.iter().flat_map(|place| Path::new(&place.path[1..]).ancestors());
        let folders: BTreeSet<&Path> = ways.filter(|folder| *folder != Path::new("")).collect();
        for folder in folders {
            archive.own_folder(&folder.display().to_string());
        }
        archive.file("bin/busybox", &busybox, 0o755);
        for name in ["sh", "nc", "cat", "sleep", "echo", "base64", "tr", "id", "chown", "cp", "rm"]
        {
            archive.link(&format!("bin/{name}"), "/bin/busybox");
        }
        let (user, home) = (guest::USER, guest::HOME);
        let passwd = format!(
            "root:x:0:0:root:/:/bin/sh\n{user}:x:{}:{}::{home}:/bin/sh\n",
            guest::UID,
            guest::GID
        );
        archive.file("etc/passwd", passwd.as_bytes(), 0o644);
        archive.file(
            "etc/group",
            format!("root:x:0:\n{user}:x:{}:\n", guest::GID).as_bytes(),
            0o644,
        );
        archive.file("entrypoint", self.entrypoint().as_bytes(), 0o755);
        archive.file("answer", self.answer().as_bytes(), 0o755);
        archive.0.into_inner().expect("an archive in memory")
    }

    fn entrypoint(&self) -> String {
        let port = guest::PORT;
        let body = match self.manner {
            Manner::NoServer => "echo 'there is no server here'\nsleep 1000 &".to_owned() + WAIT,
            Manner::Exits(code) => format!(
                "echo 'about to fail'\nsleep 2\necho 'the stand-in has failed' >&2\nexit {code}"
            ),
            _ => format!("nc -ll -p {port} -e /answer &{WAIT}"),
        };
        format!("#!/bin/sh\n[ $# -eq 0 ] || [ \"$1\" = serve ] || exec \"$@\"\n{body}\n")
    }

    /// Answers one request on standard input.
    fn answer(&self) -> String {
        let version = self.opencode;
        let health = json!({ "healthy": true, "version": version });
        let paths = json!({
            "home": guest::HOME, "state": guest::HOME, "config": guest::HOME,
            "worktree": "/", "directory": guest::WORKSPACE,
        });
        let event = json!({ "id": "evt_1", "type": "server.connected", "properties": {} });
        let locked = if self.manner == Manner::NoPassword { "" } else { LOCK };
        match self.manner {
            Manner::NeverAnswers => "#!/bin/sh\nexec sleep 1000\n".to_owned(),
            Manner::Html => {
                format!(
                    "#!/bin/sh\n{READ}say '200 OK' text/html '<!doctype html><title>x</title>'\n"
                )
            }
            _ => format!(
                "#!/bin/sh\n{READ}{locked}case $path in\n\
                 /global/health) say '200 OK' application/json '{health}' ;;\n\
                 /path*) say '200 OK' application/json '{paths}' ;;\n\
                 /event*) printf 'HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nConnection: close\\r\\n\\r\\ndata: {event}\\n\\n'; sleep 5 ;;\n\
                 *) say '200 OK' text/html '<!doctype html>' ;;\nesac\n"
            ),
        }
    }
}

/// Goes when told to: the first process of a container has no default for that.
const WAIT: &str = "\ntrap 'exit 0' TERM\nwait";

/// Reads a request's head.
const READ: &str = "read -r method path rest
while read -r line; do
	line=$(printf %s \"$line\" | tr -d '\\r')
	[ -n \"$line\" ] || break
	case $line in [Aa]uthorization:*) shown=${line#*: } ;; esac
done
say() { printf 'HTTP/1.1 %s\\r\\nContent-Type: %s\\r\\nContent-Length: %s\\r\\nConnection: close\\r\\n\\r\\n%s' \"$1\" \"$2\" \"${#3}\" \"$3\"; }
";

/// Turns away who does not show the password.
const LOCK: &str =
    "pair=$(printf 'opencode:%s' \"$(cat /run/opencode-cloud/password)\" | base64 | tr -d '\\n')
[ \"$shown\" = \"Basic $pair\" ] || { say '401 Unauthorized' text/plain ''; exit; }
";

struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    fn append(&mut self, path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) {
        self.append_of(path, kind, mode, bytes, (0, 0));
    }

    fn append_of(
        &mut self,
        path: &str,
        kind: tar::EntryType,
        mode: u32,
        bytes: &[u8],
        (uid, gid): (u32, u32),
    ) {
        let mut header = tar::Header::new_gnu();
        header.set_uid(uid.into());
        header.set_gid(gid.into());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        self.0.append_data(&mut header, path, bytes).expect("an archive in memory");
    }

    fn folder(&mut self, path: &str) {
        self.append(path, tar::EntryType::Directory, 0o755, b"");
    }

    /// A folder of the guest's user; volumes take over whose it is.
    fn own_folder(&mut self, path: &str) {
        let owner = (guest::UID, guest::GID);
        self.append_of(path, tar::EntryType::Directory, 0o755, b"", owner);
    }

    fn file(&mut self, path: &str, bytes: &[u8], mode: u32) {
        self.append(path, tar::EntryType::Regular, mode, bytes);
    }

    fn link(&mut self, path: &str, target: &str) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        self.0.append_link(&mut header, path, target).expect("an archive in memory");
    }
}

/// Returns whether a 64-bit little-endian ELF program names no interpreter (`PT_INTERP`), elf(5).
fn is_static(program: &[u8]) -> bool {
    let short = |at: usize| usize::from(u16::from_le_bytes([program[at], program[at + 1]]));
    let (table, size, count) = (short(32), short(54), short(56));
    (0..count).all(|index| short(table + index * size) != 3)
}
