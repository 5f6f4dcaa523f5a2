//! What holds a statement and its one signature (DSSE), read so that nobody can read it otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::statement::PAYLOAD_TYPE;
use crate::verdict::{Code, Reason};

/// An envelope as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Deserialize)]
struct Signature {
    sig: String,
}

/// An envelope that has passed.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Envelope {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<Opened, Reason> {
        let [signature] = &self.signatures[..] else {
            let count = self.signatures.len();
            return Err(Reason::new(Code::SignatureCount, format!("it has {count} signatures")));
        };
        if self.payload_type != PAYLOAD_TYPE {
            return Err(Reason::new(Code::PayloadType, format!("it holds {}", self.payload_type)));
        }
        Ok(Opened { payload: decode(&self.payload)?, signature: decode(&signature.sig)? })
    }
}

/// Decodes base64 that could not be written otherwise: padded, no other alphabet, no bits left over.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Reason> {
    STANDARD.decode(text).map_err(|error| Reason::new(Code::Base64, error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(payload: &str, kind: &str, signatures: &[&str]) -> Option<Code> {
        let signatures: Vec<_> = signatures.iter().map(|sig| json!({ "sig": sig })).collect();
        let envelope = json!({ "payload": payload, "payloadType": kind, "signatures": signatures });
        let envelope: Envelope = serde_json::from_value(envelope).expect("an envelope");
        envelope.open().err().map(|reason| reason.code)
    }

    #[test]
    fn attack_14_an_envelope_has_one_form() {
        assert_eq!(code("e30=", PAYLOAD_TYPE, &["AA=="]), None);
        assert_eq!(code("e30=", PAYLOAD_TYPE, &[]), Some(Code::SignatureCount));
        assert_eq!(code("e30=", PAYLOAD_TYPE, &["AA==", "AA=="]), Some(Code::SignatureCount));
        assert_eq!(code("e30=", "application/json", &["AA=="]), Some(Code::PayloadType));
        // No padding, bits left over, another alphabet, a line break.
        for payload in ["e30", "e31=", "_-8=", "e3\n0="] {
            assert_eq!(code(payload, PAYLOAD_TYPE, &["AA=="]), Some(Code::Base64), "{payload}");
            assert_eq!(code("e30=", PAYLOAD_TYPE, &[payload]), Some(Code::Base64), "{payload}");
        }
    }
}
