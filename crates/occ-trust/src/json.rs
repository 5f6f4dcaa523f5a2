//! JSON that everybody reads in the same way: one document, no field twice, nothing behind it.

use std::collections::BTreeSet;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
};

use crate::verdict::{Code, Reason};

/// Reads a document.
///
/// # Errors
/// [`Code::DuplicateKey`], [`Code::TrailingData`] or [`Code::Malformed`].
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Whole.deserialize(&mut reader).map_err(|error| match error.to_string() {
        text if text.starts_with(TWICE) => Reason::new(Code::DuplicateKey, text),
        text => Reason::new(Code::Malformed, text),
    })?;
    reader.end().map_err(|error| Reason::new(Code::TrailingData, error.to_string()))?;
    serde_json::from_slice(bytes).map_err(|error| Reason::new(Code::Malformed, error.to_string()))
}

/// How the one error begins that is made here.
const TWICE: &str = "a field is there twice: ";

/// Walks through everything and keeps nothing.
#[derive(Clone, Copy)]
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            fields.next_value_seed(self)?;
            if let Some(name) = seen.replace(name) {
                return Err(A::Error::custom(format!("{TWICE}{name}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn code(text: &str) -> Option<Code> {
        parse::<Value>(text.as_bytes()).err().map(|reason| reason.code)
    }

    #[test]
    fn attack_14_a_document_has_one_meaning() {
        assert_eq!(code(r#"{"a":[1,{"b":null,"c":-1.5}],"b":true}"#), None);
        assert_eq!(code(r#"{"a":1,"a":1}"#), Some(Code::DuplicateKey));
        assert_eq!(code(r#"{"x":[{"a":1,"\u0061":2}]}"#), Some(Code::DuplicateKey));
        assert_eq!(code(r#"{"a":1}{"#), Some(Code::TrailingData));
        assert_eq!(code(r#"{"a":1} x"#), Some(Code::TrailingData));
        assert_eq!(code("{\"a\":1} \n"), None);
        assert_eq!(code(r#"{"a":"#), Some(Code::Malformed));
        assert_eq!(code(&"[".repeat(100_000)), Some(Code::Malformed));
    }
}
