//! The guest contract: every name on which the image and the programs outside agree.
//!
//! The image is built to keep it, `occ` runs only what says that it keeps it. A change that an older
//! `occ` would trip over is a new [`CONTRACT_VERSION`].

/// Version of the contract, the value of [`LABEL_CONTRACT`].
pub const CONTRACT_VERSION: &str = "1";

/// Label of an image: the version of the contract it keeps.
pub const LABEL_CONTRACT: &str = "org.opencode-cloud.guest-contract";
/// Label of an image: the version of opencode-cloud that made it.
pub const LABEL_VERSION: &str = "org.opencode-cloud.version";
/// Label of an image: the version of opencode in it.
pub const LABEL_OPENCODE: &str = "org.opencode-cloud.opencode-version";
/// Label of an image: the digest of [`OPENCODE`] in it, `sha256:` and 64 digits.
pub const LABEL_OPENCODE_BINARY: &str = "org.opencode-cloud.opencode-binary";
/// Label of an image: the variant of the recipe it is.
pub const LABEL_VARIANT: &str = "org.opencode-cloud.variant";
/// Label of an image: the full key of its Debian base.
pub const LABEL_BASE_KEY: &str = "org.opencode-cloud.base-key";
/// Label of an image: the full key of the plan it was built from.
pub const LABEL_BUILD_KEY: &str = "org.opencode-cloud.build-key";
/// Label of a container or volume: the instance it belongs to.
pub const LABEL_INSTANCE: &str = "org.opencode-cloud.instance";
/// Label of a container or volume: number of the user of the host it belongs to.
pub const LABEL_USER: &str = "org.opencode-cloud.user";
/// Label of a container: the wish it was made for.
pub const LABEL_SPEC: &str = "org.opencode-cloud.spec";

/// Name of the first instance's container and stem of all other names.
pub const NAME: &str = "opencode-cloud-sandbox";
/// Repository of images in registries, without a host.
pub const IMAGE_REPOSITORY: &str = "prizz/opencode-cloud-sandbox";
/// Repository of images built on this machine; no registry has it.
pub const LOCAL_REPOSITORY: &str = "opencode-cloud-sandbox";

/// The user everything runs as, also the user name of the server's password.
pub const USER: &str = "opencode";
/// The user's number.
pub const UID: u32 = 1000;
/// The number of the user's group, which has the same name.
pub const GID: u32 = 1000;
/// The user's home.
pub const HOME: &str = "/home/opencode";
/// Where the user's projects are, and where commands start.
pub const WORKSPACE: &str = "/home/opencode/workspace";

/// The server's port inside.
pub const PORT: u16 = 4096;
/// The server's liveness endpoint. Alone it proves little: it stays green on a broken server.
pub const HEALTH_PATH: &str = "/global/health";
/// An endpoint that needs a working instance, and answers JSON only then.
pub const INSTANCE_PATH: &str = "/path";

/// The file with the server's password, put into a container before it starts, owned by [`UID`] with
/// mode 0400. A file, because everybody who may ask the engine sees a container's environment.
pub const PASSWORD_FILE: &str = "/run/opencode-cloud/password";
/// The folder of [`PASSWORD_FILE`]; it is in the image.
pub const RUNTIME_FOLDER: &str = "/run/opencode-cloud";
/// The folder with one file for every variable that only the server is to see; it is put into a container
/// before it starts, and [`ENTRYPOINT`] reads it.
pub const SECRETS_FOLDER: &str = "/run/opencode-cloud/secrets";
/// The image's certificates of authorities with those of the host, where a host has its own.
pub const CERTIFICATES_FILE: &str = "/run/opencode-cloud/ca-certificates.crt";
/// The image's certificates of authorities.
pub const SYSTEM_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// A name and an address for commits from the host.
pub const GIT_IDENTITY_FILE: &str = "/run/opencode-cloud/gitconfig";
/// The socket of the host's SSH agent, where it is let in.
pub const SSH_AGENT: &str = "/run/opencode-cloud/ssh-agent";
/// opencode's managed configuration: merged last, so that no project can change it.
pub const MANAGED_CONFIG: &str = "/etc/opencode/opencode.json";
/// The file with the version of opencode-cloud that made the image.
pub const VERSION_FILE: &str = "/etc/opencode-cloud-version";
/// Where the pinned opencode binary is.
pub const OPENCODE: &str = "/usr/bin/opencode";
/// The folder of the programs below.
pub const PROGRAMS: &str = "/usr/lib/opencode-cloud";
/// Starts the server, or whatever command it is given.
pub const ENTRYPOINT: &str = "/usr/lib/opencode-cloud/entrypoint";
/// Exits with 0 when the server works, else with 1 and one sentence about why on standard error. With
/// [`HEALTH_CODE`] it exits with one of [`HEALTH_FINDINGS`]; an engine reserves 2 and knows only 0 and 1.
pub const HEALTHCHECK: &str = "/usr/lib/opencode-cloud/healthcheck";
/// The option of [`HEALTHCHECK`] that makes its exit code tell what is wrong.
pub const HEALTH_CODE: &str = "--code";
/// What [`HEALTHCHECK`] can find, by its exit code.
pub const HEALTH_FINDINGS: [(i32, &str); 7] = [
    (10, "opencode says that it is not healthy"),
    (11, "opencode does not listen"),
    (12, "opencode listens and does not answer"),
    (13, "opencode refuses the password"),
    (14, "opencode cannot open the workspace: its configuration is broken"),
    (15, "what answers is not opencode"),
    (16, "the password is too long"),
];
/// Makes the server usable while no model provider is configured; [`ENTRYPOINT`] runs it.
pub const PLACEHOLDER: &str = "/usr/lib/opencode-cloud/placeholder";
/// The shell of commands that the agent runs.
pub const AGENT_SHELL: &str = "/usr/lib/opencode-cloud/agent-sh";
/// Where the package clients inside put what people install by themselves.
pub const OWN_PROGRAMS: &str = "/home/opencode/.programs";
/// Exit code of [`ENTRYPOINT`] when there is no password (`EX_CONFIG` of sysexits).
pub const EXIT_NO_PASSWORD: i32 = 78;

/// A folder that outlives its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Name; a volume's name ends with it.
    pub name: &'static str,
    /// Path inside. It is in the image, owned by [`UID`], so that a new volume on it is writable.
    pub path: &'static str,
}

/// All folders that outlive their container.
pub const PLACES: [Place; 6] = [
    Place { name: "data", path: "/home/opencode/.local/share/opencode" },
    Place { name: "state", path: "/home/opencode/.local/state/opencode" },
    Place { name: "config", path: "/home/opencode/.config/opencode" },
    Place { name: "cache", path: "/home/opencode/.cache/opencode" },
    Place { name: "programs", path: OWN_PROGRAMS },
    Place { name: "workspace", path: WORKSPACE },
];
