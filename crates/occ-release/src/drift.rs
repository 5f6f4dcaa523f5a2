//! Where a file first differs from what would be written now.

use std::fmt;

/// The first line that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Its number, from 1.
    pub line: usize,
    /// What the file has there; nothing where it ends before.
    pub is: Option<String>,
    /// What would be written there; nothing where that ends before.
    pub should_be: Option<String>,
}

impl Drift {
    /// Compares a file with what would be written; none when they are equal.
    pub fn between(file: &str, wanted: &str) -> Option<Self> {
        // Split so that a missing end of the last line is a difference too.
        let (mut is, mut should_be) = (file.split('\n'), wanted.split('\n'));
        for line in 1.. {
            let (is, should_be) = (is.next(), should_be.next());
            if is != should_be {
                let (is, should_be) = (is.map(str::to_owned), should_be.map(str::to_owned));
                return Some(Self { line, is, should_be });
            }
            if is.is_none() {
                break;
            }
        }
        None
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |line: &Option<String>| match line {
            Some(line) => format!("{line:?}"),
            None => "nothing".to_owned(),
        };
        let Self { line, is, should_be } = self;
        write!(f, "line {line} is {} and would be {}", shown(is), shown(should_be))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told_with_both_sides() {
        let told = |file, wanted| Drift::between(file, wanted).map(|drift| drift.to_string());
        assert_eq!(told("a\nb\n", "a\nb\n"), None);
        assert_eq!(
            told("a\nb\nc\n", "a\nx\ny\n").as_deref(),
            Some(r#"line 2 is "b" and would be "x""#)
        );
        assert_eq!(told("a\n", "a").as_deref(), Some(r#"line 2 is "" and would be nothing"#));
        assert_eq!(told("", "a").as_deref(), Some(r#"line 1 is "" and would be "a""#));
    }
}
