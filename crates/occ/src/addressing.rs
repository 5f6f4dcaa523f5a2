//! Commands that somebody is told to type next: they are to speak of the same sandbox.

use occ_sandbox::Instance;

use crate::remote::HostName;

/// Verbs whose meaning depends on the sandbox.
const VERBS: [&str; 25] = [
    "backup",
    "diagnose",
    "doctor",
    "exec",
    "history",
    "identity",
    "install",
    "logs",
    "password",
    "policy",
    "provenance",
    "reset",
    "restart",
    "rm",
    "rollback",
    "setup",
    "shell",
    "smoke",
    "soak",
    "start",
    "stats",
    "status",
    "stop",
    "uninstall",
    "update",
];

/// What a command that is typed next has to name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addressing {
    /// The sandbox, unless it is meant without being named.
    pub(crate) instance: Option<Instance>,
    /// The machine, unless it is this one or is meant without being named.
    pub(crate) host: Option<HostName>,
}

impl Addressing {
    /// Returns a text whose commands can be typed as they stand.
    pub(crate) fn typed(&self, text: &str) -> String {
        let host = self.host.as_ref().filter(|_| !text.contains("--host"));
        let instance = self.instance.as_ref().filter(|_| !text.contains("--instance"));
        let mut flags = String::new();
        if let Some(host) = host {
            flags.push_str(&format!("--host {host} "));
        }
        if let Some(instance) = instance {
            flags.push_str(&format!("--instance {instance} "));
        }
        if flags.is_empty() {
            return text.to_owned();
        }
        VERBS.iter().fold(text.to_owned(), |text, verb| {
            text.replace(&format!("occ {verb}"), &format!("occ {flags}{verb}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressing(instance: Option<&str>, host: Option<&str>) -> Addressing {
        Addressing {
            instance: instance.map(|name| name.parse().expect("a name")),
            host: host.map(|name| name.parse().expect("a name")),
        }
    }

    #[test]
    fn commands_can_be_typed_as_they_stand_whichever_sandbox_is_meant() {
        let text = "try: occ start --port 3001; then: occ rollback";
        let typed = |instance, host| addressing(instance, host).typed(text);
        assert_eq!(typed(None, None), text);
        assert_eq!(
            typed(Some("blue"), None),
            "try: occ --instance blue start --port 3001; then: occ --instance blue rollback"
        );
        assert_eq!(
            typed(Some("blue"), Some("far")),
            "try: occ --host far --instance blue start --port 3001; \
             then: occ --host far --instance blue rollback"
        );
    }

    #[test]
    fn what_a_text_names_itself_stays() {
        let here = addressing(Some("blue"), Some("far"));
        assert_eq!(here.typed("occ start --instance red"), "occ --host far start --instance red");
        assert_eq!(here.typed("occ ls --host near"), "occ ls --host near");
        assert_eq!(here.typed("occ host add NAME"), "occ host add NAME");
    }
}
