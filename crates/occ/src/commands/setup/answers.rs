//! The answers, and the summary of what they will change.

use serde_json::{Value, json};

use super::{password, source};
use crate::config::{Layers, Origin, find};
use crate::context::Context;

/// What flags and the person said; nothing where a setting stays as it is.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) image_source: Option<Value>,
    pub(super) password: Option<password::Change>,
    pub(super) port: Option<Value>,
    pub(super) bind_address: Option<Value>,
}

impl Answers {
    /// Returns the settings to write.
    pub(super) fn changes(&self) -> Vec<(&'static str, Value)> {
        self.settings()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    fn settings(&self) -> [(&'static str, &Option<Value>); 3] {
        [
            ("image_source", &self.image_source),
            ("port", &self.port),
            ("bind_address", &self.bind_address),
        ]
    }

    /// Returns the answers for a program; never a password.
    pub(super) fn data(&self) -> Value {
        let mut data: Value = self
            .settings()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        data["password"] = json!(match self.password {
            Some(password::Change::Generate) => "generated",
            Some(password::Change::Take(_)) => "new",
            _ => "kept",
        });
        data["saved"] = json!(true);
        data
    }

    /// Returns the summary for a person.
    pub(super) fn summary(&self, layers: &Layers, context: &Context) -> String {
        let value = |said: &Option<Value>, name: &str| {
            let value = said.as_ref().unwrap_or(&layers.get(name).0);
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        let source = value(&self.image_source, "image_source");
        let address = value(&self.bind_address, "bind_address");
        let badge = if is_local(&address) { "[LOCAL ONLY]" } else { "[NETWORK EXPOSED]" };
        let password = self.password.as_ref().map_or_else(String::new, password::Change::summary);
        let mut text = format!("\n{}\n", context.terminal.paint("1", "Summary"));
        let estimate = source::estimate(&source);
        for (name, value) in [
            ("Image", format!("{source} ({estimate}, when there is none yet)")),
            ("Password", password),
            ("Port", value(&self.port, "port")),
            ("Address", format!("{address} {badge}")),
            ("File", context.env.config_file().display().to_string()),
        ] {
            text.push_str(&format!("  {:<10} {value}\n", format!("{name}:")));
        }
        for (name, said) in self.settings() {
            let key = find(name).expect("in the table");
            if said.is_some() && layers.get(name).1 == Origin::Environment {
                text.push_str(&format!("  {} is set, and wins over the file\n", key.env()));
            }
        }
        if !context.instance.is_first() {
            text.push_str("  The settings hold for every sandbox, the password for this one\n");
        }
        text
    }
}

fn is_local(address: &str) -> bool {
    crate::config::parse_address(address).is_some_and(|address| address.is_loopback())
}
