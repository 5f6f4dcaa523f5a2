//! Where an instance's trust root is fetched from (The Update Framework), one key for all roles.

use serde_json::{Value, json};

use super::key::{Key, hex, pem, sha256};

/// Files of a repository with one version of everything.
#[derive(Debug)]
pub(super) struct Updates {
    files: Vec<(String, Vec<u8>)>,
}

impl Updates {
    /// Makes a repository that hands out a trust root until a moment.
    pub(super) fn of(trusted_root: &Value, version: u32, key: &Key, expires: &str) -> Self {
        let target = trusted_root.to_string().into_bytes();
        let public = pem("PUBLIC KEY", &key.spki());
        let of_key = json!({
            "keytype": "ecdsa",
            "scheme": "ecdsa-sha2-nistp256",
            "keyval": { "public": public },
        });
        let id = hex(&sha256(&canonical(&of_key)));
        let file = |kind: &str, version: u32, more: Value| {
            let mut signed = json!({
                "_type": kind,
                "spec_version": "1.0.0",
                "version": version,
                "expires": expires,
            });
            if let (Value::Object(signed), Value::Object(more)) = (&mut signed, more) {
                signed.extend(more);
            }
            let signature = hex(&key.sign(&canonical(&signed)));
            let signatures = json!([{ "keyid": id, "sig": signature }]);
            json!({ "signed": signed, "signatures": signatures }).to_string().into_bytes()
        };
        let about = |bytes: &[u8]| {
            json!({
                "version": version,
                "length": bytes.len(),
                "hashes": { "sha256": hex(&sha256(bytes)) },
            })
        };
        let role = json!({ "keyids": [id], "threshold": 1 });
        let root = file(
            "root",
            1,
            json!({
                "consistent_snapshot": true,
                "keys": { &id: of_key },
                "roles": { "root": role, "timestamp": role, "snapshot": role, "targets": role },
            }),
        );
        let hash = hex(&sha256(&target));
        let listed = json!({ "length": target.len(), "hashes": { "sha256": hash } });
        let targets =
            file("targets", version, json!({ "targets": { "trusted_root.json": listed } }));
        let meta = json!({ "targets.json": about(&targets) });
        let snapshot = file("snapshot", version, json!({ "meta": meta }));
        let meta = json!({ "snapshot.json": about(&snapshot) });
        let timestamp = file("timestamp", version, json!({ "meta": meta }));
        let files = vec![
            ("1.root.json".to_owned(), root),
            ("timestamp.json".to_owned(), timestamp),
            (format!("{version}.snapshot.json"), snapshot),
            (format!("{version}.targets.json"), targets),
            (format!("targets/{hash}.trusted_root.json"), target),
        ];
        Self { files }
    }

    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        let is_it = |(other, _): &&(String, Vec<u8>)| other == name;
        self.files.iter().find(is_it).map(|(_, bytes)| bytes.clone())
    }
}

/// Writes what is signed (canonical JSON of securesystemslib): sorted, nothing escaped but `"` and `\`.
fn canonical(value: &Value) -> Vec<u8> {
    let text = match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let field = |(name, value): &(&String, &Value)| {
                [quoted(name).as_bytes(), b":", &canonical(value)].concat()
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            return [b"{", &fields.join(&b","[..])[..], b"}"].concat();
        }
        Value::Array(members) => {
            let members: Vec<_> = members.iter().map(canonical).collect();
            return [b"[", &members.join(&b","[..])[..], b"]"].concat();
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    };
    text.into_bytes()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
