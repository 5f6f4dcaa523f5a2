//! What stands where a secret will stand, in examples and templates.

/// Texts that no secret has, in small letters.
const TELLTALES: [&str; 11] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "redacted",
    "xxxx",
    "****",
    "0123456789",
    "1234567890",
    "abcdefghij",
];

/// Returns whether a text is an example of a secret, or the name of one that comes from elsewhere.
pub(super) fn is_made_up(text: &str) -> bool {
    let small = text.to_ascii_lowercase();
    TELLTALES.iter().any(|telltale| small.contains(telltale))
        || ["your", "<", "$", "{{", "%(", "..."].iter().any(|start| small.starts_with(start))
}

/// Returns whether a text may have been drawn by lot: it has many different characters, and no long run of one.
pub(super) fn is_random(text: &str) -> bool {
    /// Fewer are a word or a row of zeros.
    const DIFFERENT: usize = 8;
    /// As long a run comes once in millions of tokens.
    const RUN: usize = 5;
    let bytes = text.as_bytes();
    let mut different: Vec<u8> = bytes.to_vec();
    different.sort_unstable();
    different.dedup();
    let is_run = |window: &[u8]| window.iter().all(|byte| *byte == window[0]);
    different.len() >= DIFFERENT && !bytes.windows(RUN).any(is_run)
}

/// Returns a value as a file has it, without its quotes; nothing where it is empty or made up.
pub(super) fn literal(value: &str) -> Option<&str> {
    let value = value.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| {
        let inner = value.strip_prefix(*quote)?;
        inner.split(*quote).next()
    });
    let value = quoted.unwrap_or(value);
    (!value.is_empty() && !is_made_up(value)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_from_values() {
        for text in
            ["", "\"\"", "${TOKEN}", "$TOKEN", "<token>", "your-key-here", "CHANGEME", "xxxxxxxx"]
        {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal(" 'q8Zr' # a remark"), Some("q8Zr"));
        assert_eq!(literal("q8Zr"), Some("q8Zr"));
    }

    #[test]
    fn a_row_of_zeros_and_a_word_are_not_random() {
        for text in ["q8ZrT0000000vLw2Ks", "aaaaaaaaaaaaaaaaaaaa", "abcabcabcabcabc"] {
            assert!(!is_random(text), "{text}");
        }
        assert!(is_random("q8ZrT0vLw2KsYd5Hb7Nc"));
    }
}
