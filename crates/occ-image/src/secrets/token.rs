//! Tokens that are known by how they look. The shapes are those that their makers give, as gitleaks 8 has them.

use super::made_up::{is_made_up, is_random};
use super::sight::Sight;

/// Characters that a token is made of.
#[derive(Clone, Copy)]
enum Of {
    /// Letters and digits.
    Alnum,
    /// Letters.
    Letters,
    /// Letters, digits, `-` and `_`.
    Word,
    /// Digits and small letters to `f`.
    Hex,
    /// Large letters and the digits from 2 to 7.
    Base32,
}

impl Of {
    fn has(self, byte: u8) -> bool {
        match self {
            Self::Alnum => byte.is_ascii_alphanumeric(),
            Self::Letters => byte.is_ascii_alphabetic(),
            Self::Word => byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_',
            Self::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            Self::Base32 => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
        }
    }
}

/// A kind of token.
struct Shape {
    kind: &'static str,
    start: &'static str,
    of: Of,
    /// Characters after the start, at least and at most.
    length: (usize, usize),
    /// What stands somewhere in it.
    has: &'static str,
}

const fn shape(
    kind: &'static str,
    start: &'static str,
    of: Of,
    length: (usize, usize),
    has: &'static str,
) -> Shape {
    Shape { kind, start, of, length, has }
}

/// What stands in keys of `OpenAI`, the name in base64.
const OPENAI: &str = "T3BlbkFJ";

const SHAPES: [Shape; 29] = [
    shape("github-token", "ghp_", Of::Alnum, (36, 255), ""),
    shape("github-token", "gho_", Of::Alnum, (36, 255), ""),
    shape("github-token", "ghu_", Of::Alnum, (36, 255), ""),
    shape("github-token", "ghs_", Of::Alnum, (36, 255), ""),
    shape("github-token", "ghr_", Of::Alnum, (36, 255), ""),
    shape("github-token", "github_pat_", Of::Word, (82, 82), ""),
    shape("gitlab-token", "glpat-", Of::Word, (20, 300), ""),
    shape("anthropic-key", "sk-ant-", Of::Word, (80, 200), ""),
    shape("openai-key", "sk-proj-", Of::Word, (74, 300), OPENAI),
    shape("openai-key", "sk-svcacct-", Of::Word, (74, 300), OPENAI),
    shape("openai-key", "sk-admin-", Of::Word, (74, 300), OPENAI),
    shape("openai-key", "sk-", Of::Alnum, (48, 48), OPENAI),
    shape("aws-key", "AKIA", Of::Base32, (16, 16), ""),
    shape("aws-key", "ASIA", Of::Base32, (16, 16), ""),
    shape("aws-key", "ABIA", Of::Base32, (16, 16), ""),
    shape("aws-key", "ACCA", Of::Base32, (16, 16), ""),
    shape("slack-token", "xoxb-", Of::Word, (20, 300), "-"),
    shape("slack-token", "xoxp-", Of::Word, (40, 300), "-"),
    shape("slack-token", "xoxe-", Of::Word, (40, 300), "-"),
    shape("google-key", "AIza", Of::Word, (35, 35), ""),
    shape("npm-token", "npm_", Of::Alnum, (36, 36), ""),
    shape("pypi-token", "pypi-AgEIcHlwaS5vcmc", Of::Word, (50, 1000), ""),
    shape("hugging-face-token", "hf_", Of::Letters, (34, 34), ""),
    shape("docker-token", "dckr_pat_", Of::Word, (27, 36), ""),
    shape("stripe-key", "sk_live_", Of::Alnum, (16, 99), ""),
    shape("stripe-key", "rk_live_", Of::Alnum, (16, 99), ""),
    shape("digitalocean-token", "dop_v1_", Of::Hex, (64, 64), ""),
    shape("digitalocean-token", "doo_v1_", Of::Hex, (64, 64), ""),
    shape("age-key", "AGE-SECRET-KEY-1", Of::Alnum, (58, 58), ""),
];

/// Returns the tokens in a text, one for each beginning.
pub(super) fn look(text: &str) -> Vec<Sight> {
    let bytes = text.as_bytes();
    let mut seen: Vec<Sight> = Vec::new();
    let mut before = b' ';
    for (at, byte) in bytes.iter().enumerate() {
        // In the midst of a word no token begins.
        let begins = !is_word(before) && b"gsAxnphdr".contains(byte);
        before = *byte;
        if !begins {
            continue;
        }
        let found = SHAPES.iter().find(|shape| shape.is_at(&bytes[at..]));
        if let Some(shape) = found
            && !seen.iter().any(|seen| seen.hint == shape.hint())
        {
            seen.push(Sight::new(shape.kind, &shape.hint()));
        }
    }
    seen
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Shape {
    fn hint(&self) -> String {
        format!("{}…", self.start)
    }

    /// Returns whether a text begins with a token of this kind.
    fn is_at(&self, bytes: &[u8]) -> bool {
        let Some(body) = bytes.strip_prefix(self.start.as_bytes()) else { return false };
        let (least, most) = self.length;
        let length = body.iter().take(most + 1).take_while(|byte| self.of.has(**byte)).count();
        if length < least || length > most || body.get(length).is_some_and(|byte| is_word(*byte)) {
            return false;
        }
        let body = String::from_utf8_lossy(&body[..length]);
        body.contains(self.has) && is_random(&body) && !is_made_up(&body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters drawn by lot. Tokens are put together in the tests: whoever searches this repository for
    /// secrets shall not find any.
    const LOT: &str = "q8ZrT0vLw2KsYd5Hb7NcXe9Jm1Pf4Ug6Ai3WoBkRl8Vt0Sn2Zq5Cy7Dx9EQ4uG6Kj1Mb3Hv5Lz7Pt9Rw2Yc4Nf6Xk8Ja0Sd";

    fn token(shape: &Shape) -> String {
        let body: String = match shape.of {
            Of::Alnum | Of::Word => LOT.to_owned(),
            Of::Letters => LOT.chars().filter(char::is_ascii_alphabetic).collect(),
            Of::Hex => "8f3a09c2e7b541d6".repeat(4),
            Of::Base32 => "Q2ZR5VLWKSYD7HBN".to_owned(),
        };
        let body: String = body.chars().take(shape.length.1).collect();
        let body = match shape.has {
            "" => body,
            has => has.to_owned() + &body[has.len()..],
        };
        format!("{}{body}", shape.start)
    }

    fn kinds(text: &str) -> Vec<&'static str> {
        look(text).into_iter().map(|sight| sight.kind).collect()
    }

    #[test]
    fn a_token_of_every_shape_is_found_wherever_it_stands_and_never_shown() {
        for shape in &SHAPES {
            let token = token(shape);
            for text in [
                token.clone(),
                format!("export TOKEN={token}\n"),
                format!("{{\"token\":\"{token}\"}}"),
                format!("https://x:{token}@git.example/"),
            ] {
                let seen = look(&text);
                assert_eq!(seen.len(), 1, "{text}");
                assert_eq!(seen[0], Sight::new(shape.kind, &format!("{}…", shape.start)));
            }
        }
    }

    #[test]
    fn what_only_begins_like_a_token_is_none() {
        for shape in &SHAPES {
            let token = token(shape);
            let (least, most) = shape.length;
            let short = &token[..shape.start.len() + least - 1];
            let long = format!("{token}{}", LOT.repeat(most.div_ceil(LOT.len())));
            let zeros = format!("{}{}", shape.start, "0".repeat(least));
            let inside = format!("x{token}");
            for text in [short, &long, &zeros, &inside, shape.start] {
                assert_eq!(kinds(text), [""; 0], "{text}");
            }
        }
    }

    #[test]
    fn examples_of_the_makers_are_none() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "npm_abcdefghijklmnopqrstuvwxyz0123456789",
            "sk-ant-api03-...",
            "glpat-your_token_goes_here",
            "hf_model_name",
        ] {
            assert_eq!(kinds(text), [""; 0], "{text}");
        }
    }
}
