//! Names that earlier versions gave to settings: read as what they are now, or passed over with the reason.

use serde_json::{Value, json};

use super::key::{self, Key};

/// What became of an earlier name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// Another name for the same setting.
    Renamed(&'static str),
    /// `auto_restart`: a word of `restart` says it now.
    Restart,
    /// There is no such setting any more; why, and what there is instead.
    Gone(&'static str),
}

/// Every earlier name.
const NAMES: &[(&str, Fate)] = &[
    ("allow_unauthenticated_network", Fate::Gone("the sandbox always asks for its password")),
    (
        "auth_password",
        Fate::Gone(
            "a password is no longer kept here: occ config unset auth_password; then: occ setup",
        ),
    ),
    ("auth_username", Fate::Gone("the user is always opencode")),
    ("auto_restart", Fate::Restart),
    ("bind", Fate::Renamed("bind_address")),
    ("boot_mode", Fate::Gone("what is started at boot is decided when it is installed")),
    ("cockpit_enabled", Fate::Gone("there is no Cockpit in the sandbox")),
    ("cockpit_port", Fate::Gone("there is no Cockpit in the sandbox")),
    ("hostname", Fate::Renamed("bind_address")),
    ("opencode_web_port", Fate::Renamed("port")),
    ("rate_limit_attempts", Fate::Gone("a generated password needs no limit")),
    ("rate_limit_window_seconds", Fate::Gone("a generated password needs no limit")),
    ("trust_proxy", Fate::Gone("nothing depends on what a proxy says")),
    ("update_notifications", Fate::Gone("say it with: occ config set update_check never")),
    ("users", Fate::Gone("the user is always opencode")),
];

/// Returns what became of an earlier name.
pub(crate) fn fate(name: &str) -> Option<Fate> {
    NAMES.iter().find(|(earlier, _)| *earlier == name).map(|(_, fate)| *fate)
}

/// Returns the setting of that name, also by an earlier name.
pub(crate) fn lookup(name: &str) -> Option<&'static Key> {
    key::find(name).or_else(|| match fate(name)? {
        Fate::Renamed(now) => key::find(now),
        Fate::Restart | Fate::Gone(_) => None,
    })
}

/// Returns the earlier names of a setting, as they may stand in a file.
pub(crate) fn earlier(name: &str) -> impl Iterator<Item = &'static str> + '_ {
    let is_it = move |fate: Fate| match fate {
        Fate::Renamed(now) => now == name,
        Fate::Restart => name == "restart",
        Fate::Gone(_) => false,
    };
    NAMES.iter().filter(move |(_, fate)| is_it(*fate)).map(|(earlier, _)| *earlier)
}

/// Returns the word of `restart` that `auto_restart` meant.
pub(crate) fn restart(value: &Value) -> Result<Value, String> {
    match value {
        Value::Bool(true) => Ok(json!("unless-stopped")),
        Value::Bool(false) => Ok(json!("no")),
        _ => Err(format!("true or false is expected, not {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_earlier_name_leads_to_a_setting_or_to_a_reason() {
        assert!(NAMES.is_sorted_by_key(|(name, _)| name));
        for (name, fate) in NAMES {
            assert!(key::find(name).is_none(), "{name} is a setting");
            if let Fate::Renamed(now) = fate {
                assert!(key::find(now).is_some(), "{now} is none");
            }
        }
    }

    #[test]
    fn pw_010_a_setting_is_found_by_the_name_it_had() {
        assert_eq!(lookup("opencode_web_port").map(|key| key.name), Some("port"));
        assert_eq!(lookup("port").map(|key| key.name), Some("port"));
        assert!(lookup("users").is_none());
        assert_eq!(earlier("bind_address").collect::<Vec<_>>(), ["bind", "hostname"]);
    }
}
