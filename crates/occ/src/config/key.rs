//! Every setting there is: the one table that reading, writing, help and schema are made from.

use std::net::IpAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::list;

/// One setting.
pub(crate) struct Key {
    /// Name in the file; `OCC_` and its capitals name it in the environment.
    pub(crate) name: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// Its value when nobody says anything.
    pub(crate) default: fn() -> Value,
    /// What it does, one sentence.
    pub(crate) doc: &'static str,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// 1 to 65535.
    Port,
    /// An IP address, or `localhost`.
    Address,
    /// An absolute path, or null.
    Folder,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Bytes with a unit (`2GiB`), or null for no limit.
    Size,
    /// A number of processors with up to three decimals, or null for no limit.
    Cpus,
    /// A whole number in a range; null for no limit where the flag says so.
    Count { min: u64, max: u64, nullable: bool },
    /// Yes or no.
    Flag,
    /// A list of host names with optional ports.
    Hosts,
    /// A name of small letters, digits and hyphens.
    Word,
    /// A list of such names.
    Words,
    /// A list of folders, `HOST:CONTAINER[:ro|rw]`.
    Mounts,
    /// A list of variables, `NAME=VALUE`.
    Variables,
    /// A list of secrets, `NAME=WHERE`.
    Secrets,
    /// `auto`, an absolute path, or null.
    Authorities,
}

/// Every setting, in alphabetical order.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "bind_address",
        kind: Kind::Address,
        default: || json!("127.0.0.1"),
        doc: "Address of this host that accepts connections; anything but loopback exposes the sandbox.",
    },
    Key {
        name: "ca_certificates",
        kind: Kind::Authorities,
        default: || json!("auto"),
        doc: "Certificates of authorities for the sandbox beside the image's own: auto takes those that this host was given, a path names a file, null means none.",
    },
    Key {
        name: "container_env",
        kind: Kind::Variables,
        default: || json!([]),
        doc: "Variables that sandboxes have, NAME=VALUE each; anybody who may ask the container engine sees them.",
    },
    Key {
        name: "cpus",
        kind: Kind::Cpus,
        default: || json!(2),
        doc: "Processors the sandbox may use, such as 1.5; null for no limit.",
    },
    Key {
        name: "git_identity",
        kind: Kind::Flag,
        default: || json!(false),
        doc: "Whether the sandbox commits under the name and address that this host's git knows.",
    },
    Key {
        name: "hosted_models",
        kind: Kind::Flag,
        default: || json!(false),
        doc: "Whether opencode's own hosted models may be used; they answer without a key of yours, and see your prompts.",
    },
    Key {
        name: "image_features",
        kind: Kind::Words,
        default: || json!([]),
        doc: "Features that an image built on this machine has beyond those of its variant, such as extras.",
    },
    Key {
        name: "image_recipe",
        kind: Kind::Folder,
        default: || Value::Null,
        doc: "Recipe of the image that is built on this machine; null for the built-in one.",
    },
    Key {
        name: "image_source",
        kind: Kind::Choice(&["prebuilt", "build"]),
        default: || json!("prebuilt"),
        doc: "Whether a missing image is pulled ready-made or built on this machine.",
    },
    Key {
        name: "image_variant",
        kind: Kind::Word,
        default: || json!("base"),
        doc: "Variant of the image: base, omos, with-pi or omos-with-pi; a recipe may have others.",
    },
    Key {
        name: "image_verification",
        kind: Kind::Choice(&["enforce", "warn", "off"]),
        default: || json!("warn"),
        doc: "What an image from a registry must prove: enforce takes only what somebody named in the trust policy has signed, warn also what is certainly not signed and never was seen signed, off anything.",
    },
    Key {
        name: "insecure_registries",
        kind: Kind::Hosts,
        default: || json!([]),
        doc: "Registries that are spoken to without encryption; those on this machine are anyway.",
    },
    Key {
        name: "isolation",
        kind: Kind::Choice(&["standard", "strict"]),
        default: || json!("standard"),
        doc: "Walls around the sandbox: standard keeps the few capabilities that sudo needs, strict keeps none and sudo does not work.",
    },
    Key {
        name: "log_max_files",
        kind: Kind::Count { min: 1, max: 100, nullable: false },
        default: || json!(3),
        doc: "Log files the engine keeps.",
    },
    Key {
        name: "log_max_size",
        kind: Kind::Size,
        default: || json!("10MiB"),
        doc: "Size of one log file.",
    },
    Key {
        name: "memory",
        kind: Kind::Size,
        default: || json!("2GiB"),
        doc: "Memory the sandbox may use, swap included; null for no limit.",
    },
    Key {
        name: "mounts",
        kind: Kind::Mounts,
        default: || json!([]),
        doc: "Folders of this host that sandboxes see, HOST:CONTAINER[:ro|rw] each.",
    },
    Key {
        name: "open_browser",
        kind: Kind::Flag,
        default: || json!(false),
        doc: "Whether a start ends by opening the browser.",
    },
    Key {
        name: "pids_limit",
        kind: Kind::Count { min: 64, max: 4_194_304, nullable: true },
        default: || json!(512),
        doc: "Processes and threads the sandbox may have; null for no limit.",
    },
    Key { name: "port", kind: Kind::Port, default: || json!(3000), doc: "Port on this host." },
    Key {
        name: "proxy",
        kind: Kind::Choice(&["auto", "none"]),
        default: || json!("auto"),
        doc: "Whether the proxy that the environment of a start names is passed on to the sandbox.",
    },
    Key {
        name: "registries",
        kind: Kind::Hosts,
        default: || json!(["ghcr.io", "docker.io"]),
        doc: "Registries asked for the prebuilt image, in this order.",
    },
    Key {
        name: "restart",
        kind: Kind::Choice(&["unless-stopped", "on-failure", "no"]),
        default: || json!("unless-stopped"),
        doc: "What the engine does when the sandbox stops by itself.",
    },
    Key {
        name: "restart_delay",
        kind: Kind::Count { min: 0, max: 3600, nullable: false },
        default: || json!(5),
        doc: "Seconds a service waits before it starts a sandbox again.",
    },
    Key {
        name: "restart_retries",
        kind: Kind::Count { min: 0, max: 100, nullable: true },
        default: || json!(3),
        doc: "How often in a row a service, or an engine that restarts on failure, starts the sandbox again; null for no limit.",
    },
    Key {
        name: "secrets",
        kind: Kind::Secrets,
        default: || json!([]),
        doc: "Secret variables of sandboxes and where their values are to be had, NAME=file:PATH, NAME=env:VARIABLE or NAME=cmd:COMMAND each.",
    },
    Key {
        name: "ssh_agent",
        kind: Kind::Flag,
        default: || json!(false),
        doc: "Whether the sandbox can use the SSH agent of whoever starts it.",
    },
    Key {
        name: "start_timeout",
        kind: Kind::Count { min: 1, max: 3600, nullable: false },
        default: || json!(60),
        doc: "Seconds opencode may take to become ready.",
    },
    Key {
        name: "update_check",
        kind: Kind::Choice(&["always", "once", "never"]),
        default: || json!("always"),
        doc: "When to look for a newer image: at every start, once per installed version, or never.",
    },
    Key {
        name: "watchdog",
        kind: Kind::Flag,
        default: || json!(false),
        doc: "Whether a service starts the sandbox again when its server stops answering.",
    },
    Key {
        name: "watchdog_interval",
        kind: Kind::Count { min: 1, max: 3600, nullable: false },
        default: || json!(10),
        doc: "Seconds between two looks of the watchdog.",
    },
    Key {
        name: "workspace",
        kind: Kind::Folder,
        default: || Value::Null,
        doc: "Folder of this host where the agent works; null for a volume of its own.",
    },
];

/// Returns the setting of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Returns the setting whose name is nearest to a mistyped one, if any is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let near = |key: &&Key| strsim::damerau_levenshtein(key.name, name);
    let best = KEYS.iter().min_by_key(near)?;
    let close = near(&best) <= 3 || best.name.contains(name) || name.contains(best.name);
    close.then_some(best.name)
}

impl Key {
    /// Returns the name in the environment.
    pub(crate) fn env(&self) -> String {
        format!("OCC_{}", self.name.to_uppercase())
    }

    /// Returns what is wrong with a value, or nothing.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let expected = |what: &str| Err(format!("{what} is expected, not {value}"));
        match self.kind {
            Kind::Port => match value.as_u64() {
                Some(1..=65535) => Ok(()),
                _ => expected("a port from 1 to 65535"),
            },
            Kind::Address => match value.as_str().map(parse_address) {
                Some(Some(_)) => Ok(()),
                _ => expected("an IP address or \"localhost\""),
            },
            Kind::Folder => match value {
                Value::Null => Ok(()),
                Value::String(path) if Path::new(path).is_absolute() => Ok(()),
                _ => expected("an absolute path or null"),
            },
            Kind::Choice(words) => match value.as_str() {
                Some(word) if words.contains(&word) => Ok(()),
                _ => expected(&quoted(words)),
            },
            Kind::Size => match value {
                Value::Null if self.name != "log_max_size" => Ok(()),
                Value::String(text) if parse_size(text).is_some_and(|bytes| bytes > 0) => Ok(()),
                _ => expected("a size with a unit such as \"512MiB\" or \"2GiB\""),
            },
            Kind::Cpus => match value {
                Value::Null => Ok(()),
                Value::Number(number) if cpu_millis(number).is_some() => Ok(()),
                _ => expected("a number of processors such as 1.5, or null"),
            },
            Kind::Count { min, max, nullable } => match value {
                Value::Null if nullable => Ok(()),
                Value::Number(n) if n.as_u64().is_some_and(|n| (min..=max).contains(&n)) => Ok(()),
                _ => expected(&format!("a whole number from {min} to {max}")),
            },
            Kind::Flag => match value {
                Value::Bool(_) => Ok(()),
                _ => expected("true or false"),
            },
            Kind::Word if is_word(value) => Ok(()),
            Kind::Word => expected("a name of small letters, digits and hyphens"),
            Kind::Words => match value.as_array() {
                Some(list) if list.iter().all(is_word) => Ok(()),
                _ => expected("a list of names of small letters, digits and hyphens"),
            },
            Kind::Hosts => match value.as_array() {
                Some(list) if self.may_list(list) && list.iter().all(is_host) => Ok(()),
                _ => expected("a list of registry hosts"),
            },
            Kind::Mounts | Kind::Variables | Kind::Secrets => list::check(self.kind, value),
            Kind::Authorities => match value {
                Value::Null => Ok(()),
                Value::String(path) if path == "auto" || Path::new(path).is_absolute() => Ok(()),
                _ => expected("\"auto\", an absolute path or null"),
            },
        }
    }

    /// Whether a list may be as long as it is: somebody has to be asked for images.
    fn may_list(&self, list: &[Value]) -> bool {
        !list.is_empty() || self.name != "registries"
    }

    /// Reads a value as typed on a command line or found in the environment.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let value = match self.kind {
            Kind::Hosts | Kind::Words | Kind::Mounts | Kind::Variables | Kind::Secrets
                if text.is_empty() =>
            {
                json!([])
            }
            // One entry: a comma can stand in it.
            Kind::Mounts | Kind::Variables | Kind::Secrets
                if !text.trim_start().starts_with('[') =>
            {
                json!([text])
            }
            Kind::Hosts | Kind::Words if !text.trim_start().starts_with('[') => {
                json!(text.split(',').map(str::trim).collect::<Vec<_>>())
            }
            Kind::Address | Kind::Choice(_) | Kind::Word => json!(text),
            Kind::Folder | Kind::Size | Kind::Authorities if !matches!(text, "null" | "none") => {
                json!(text)
            }
            _ if text == "none" => Value::Null,
            _ => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        self.check(&value).map(|()| value)
    }

    /// Returns the JSON schema of the value.
    pub(crate) fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Port => json!({ "type": "integer", "minimum": 1, "maximum": 65535 }),
            Kind::Address => json!({ "type": "string" }),
            Kind::Folder => json!({ "type": ["string", "null"], "pattern": "^/" }),
            Kind::Choice(words) => json!({ "enum": words }),
            Kind::Size if self.name == "log_max_size" => {
                json!({ "type": "string", "pattern": SIZE_PATTERN })
            }
            Kind::Size => json!({ "type": ["string", "null"], "pattern": SIZE_PATTERN }),
            Kind::Cpus => json!({ "type": ["number", "null"], "exclusiveMinimum": 0 }),
            Kind::Count { min, max, nullable: false } => {
                json!({ "type": "integer", "minimum": min, "maximum": max })
            }
            Kind::Count { min, max, nullable: true } => {
                json!({ "type": ["integer", "null"], "minimum": min, "maximum": max })
            }
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Hosts if self.name == "registries" => {
                json!({ "type": "array", "minItems": 1, "items": { "type": "string" } })
            }
            Kind::Hosts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Word => json!({ "type": "string", "pattern": WORD_PATTERN }),
            Kind::Words => {
                json!({ "type": "array", "items": { "type": "string", "pattern": WORD_PATTERN } })
            }
            Kind::Mounts => {
                json!({ "type": "array", "items": { "type": "string", "pattern": "^/" } })
            }
            Kind::Variables | Kind::Secrets => {
                json!({ "type": "array", "items": { "type": "string", "pattern": VARIABLE_PATTERN } })
            }
            Kind::Authorities => json!({ "type": ["string", "null"], "pattern": "^(auto|/.*)$" }),
        };
        schema["description"] = json!(self.doc);
        schema["default"] = (self.default)();
        schema
    }
}

const SIZE_PATTERN: &str = "^[0-9]+ ?([KMGT]i?)?B?$";

const VARIABLE_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]*=";

const WORD_PATTERN: &str = "^[a-z0-9][a-z0-9-]*$";

fn is_word(value: &Value) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let word = value.as_str().unwrap_or_default();
    word.starts_with(plain) && word.chars().all(|c| plain(c) || c == '-')
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    words.join(" or ")
}

fn is_host(value: &Value) -> bool {
    value.as_str().is_some_and(|host| host.parse::<occ_oci::Host>().is_ok())
}

/// Reads an address as the config writes it.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    match text {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        text => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    }
}

/// Reads a size in bytes: binary units with and without the `i`, as container engines do.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().trim_end_matches(['b', 'B']).to_ascii_lowercase().as_str() {
        "" => 0,
        "k" | "ki" => 10,
        "m" | "mi" => 20,
        "g" | "gi" => 30,
        "t" | "ti" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Reads a number of processors in thousandths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked before"
)]
pub(crate) fn cpu_millis(number: &serde_json::Number) -> Option<u64> {
    let cpus = number.as_f64()?;
    (0.01..=1024.0).contains(&cpus).then(|| (cpus * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_default_is_valid() {
        assert!(KEYS.is_sorted_by_key(|key| key.name));
        for key in KEYS {
            assert_eq!(key.check(&(key.default)()), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn ports_outside_the_range_and_words_are_refused() {
        let port = find("port").expect("known");
        for text in ["0", "70000", "abc", "-1", "3.5", ""] {
            assert!(port.parse(text).is_err(), "{text:?} was accepted");
        }
        assert_eq!(port.parse("65535"), Ok(json!(65535)));
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("2GiB"), Some(2 << 30));
        assert_eq!(parse_size("512m"), Some(512 << 20));
        assert_eq!(parse_size("7"), Some(7));
        assert_eq!(parse_size("2 potatoes"), None);
        assert_eq!(parse_size("99999999999999T"), None);
    }

    #[test]
    fn a_mistyped_name_finds_the_right_one() {
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("mem"), Some("memory"));
        assert_eq!(nearest("completely_else"), None);
    }
}
