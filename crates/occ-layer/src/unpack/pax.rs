//! Records of extended headers (POSIX.1-2017, pax, "pax Extended Header").

/// Returns the keys and values of an extended header; none if it breaks the form `LENGTH KEY=VALUE\n`.
///
/// A value is taken by its length: those of extended attributes may hold a line feed.
pub(super) fn records(mut text: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
        let (record, rest) = text.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        let key = std::str::from_utf8(&record[..equals]).ok()?.to_owned();
        records.push((key, record[equals + 1..].to_vec()));
        text = rest;
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_as_long_as_it_says() {
        let read = records(b"8 a=b\nc\n12 path=d=e\n6 key=\n");
        assert_eq!(read, None, "the last record says 6 and is 7 long");
        let read = records(b"8 a=b\nc\n12 path=d=e\n7 key=\n").unwrap();
        let pair = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
        assert_eq!(read, [pair("a", b"b\nc"), pair("path", b"d=e"), pair("key", b"")]);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bad in [
            &b"a"[..],
            b"9999 a=b\n",
            b"0 a=b\n",
            b"2 a=b\n",
            b"-6 a=b\n",
            b"6 a=bc",
            b"6 aabc\n",
            b"7 \xff=b\n",
            b"99999999999999999999999 a=b\n",
            b"\0\0",
        ] {
            assert_eq!(records(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
        assert_eq!(records(b""), Some(Vec::new()));
    }
}
