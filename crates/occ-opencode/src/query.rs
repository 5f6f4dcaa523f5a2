//! Values in the query of an address (RFC 3986, 3.4).

/// Adds a value to the query of a path.
pub(crate) fn with_query(path: &str, name: &str, value: &[u8]) -> String {
    let joint = if path.contains('?') { '&' } else { '?' };
    let encoded = value.iter().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(*byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    format!("{path}{joint}{name}={}", encoded.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_place() {
        let path = with_query("/file", "path", b"a b&c=d#e?f%g/\xc3\xa4");
        assert_eq!(path, "/file?path=a%20b%26c%3Dd%23e%3Ff%25g/%C3%A4");
        assert_eq!(with_query(&path, "directory", b"/w").matches('?').count(), 1);
        assert!(with_query(&path, "directory", b"/w").ends_with("&directory=/w"));
    }
}
