//! As much of DER (X.690) as certificates and timestamps need.

/// Writes a value: tag, length, content.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        short @ 0..=127 => out.push(u8::try_from(short).expect("short")),
        long => {
            let bytes = long.to_be_bytes();
            let first = bytes.iter().position(|byte| *byte != 0).expect("not zero");
            out.push(0x80 | u8::try_from(bytes.len() - first).expect("at most eight"));
            out.extend(&bytes[first..]);
        }
    }
    out.extend(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// Writes a set, its members in the order that DER wants.
pub(super) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort();
    tlv(0x31, &parts.concat())
}

pub(super) fn integer(value: &[u8]) -> Vec<u8> {
    let first = value.iter().position(|byte| *byte != 0).unwrap_or(value.len().saturating_sub(1));
    let mut content = value[first..].to_vec();
    if content.first().is_none_or(|byte| *byte >= 0x80) {
        content.insert(0, 0);
    }
    tlv(0x02, &content)
}

pub(super) fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u64> = text.split('.').map(|arc| arc.parse().expect("a number")).collect();
    let mut content = Vec::new();
    for arc in std::iter::once(arcs[0] * 40 + arcs[1]).chain(arcs[2..].iter().copied()) {
        let mut groups = vec![u8::try_from(arc & 127).expect("seven bits")];
        let mut rest = arc >> 7;
        while rest > 0 {
            groups.insert(0, 0x80 | u8::try_from(rest & 127).expect("seven bits"));
            rest >>= 7;
        }
        content.extend(groups);
    }
    tlv(0x06, &content)
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(0x04, content)
}

/// Writes a string of whole bytes, none of whose bits is unused.
pub(super) fn bits(content: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], content].concat())
}

pub(super) fn text(content: &str) -> Vec<u8> {
    tlv(0x0c, content.as_bytes())
}

pub(super) fn yes() -> Vec<u8> {
    tlv(0x01, &[0xff])
}

/// Writes a moment, in seconds since 1970, as certificates have it until 2049.
pub(super) fn utc_time(moment: i64) -> Vec<u8> {
    tlv(0x17, &formatted(moment, "%y%m%d%H%M%SZ"))
}

pub(super) fn generalized_time(moment: i64) -> Vec<u8> {
    tlv(0x18, &formatted(moment, "%Y%m%d%H%M%SZ"))
}

fn formatted(moment: i64, format: &str) -> Vec<u8> {
    let moment = jiff::Timestamp::from_second(moment).expect("a moment");
    moment.strftime(format).to_string().into_bytes()
}

/// Reads a value: tag, content, and what follows.
pub(super) fn read(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let length = rest.get(..count)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, &rest[count..])
    };
    Some((*tag, rest.get(..length)?, &rest[length..]))
}
