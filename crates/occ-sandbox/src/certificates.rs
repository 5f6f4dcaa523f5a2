//! Certificates of authorities that the host trusts, for what runs in the sandbox (RFC 7468 text).

use std::path::PathBuf;

/// Variables by which programs find certificates, beside or instead of the system's own.
pub(crate) const VARIABLES: [&str; 8] = [
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "PIP_CERT",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// Certificates of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Files they were found in.
    pub sources: Vec<PathBuf>,
    /// The certificates, each once and nothing else.
    pub blocks: Vec<String>,
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Returns the certificates in a text: what stands beside them, such as a private key, is left out.
pub fn certificate_blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let inside = &rest[start + BEGIN.len()..];
        let Some(end) = inside.find(END) else { break };
        let lines: Vec<&str> =
            inside[..end].lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let block = format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"));
        if !lines.is_empty()
            && lines.iter().all(|line| line.chars().all(base64))
            && !blocks.contains(&block)
        {
            blocks.push(block);
        }
        rest = &inside[end + END.len()..];
    }
    blocks
}

impl Certificates {
    /// Returns the image's own certificates and these: most programs take a file instead of the system's.
    pub(crate) fn beside(&self, system: &str) -> String {
        let mut all = certificate_blocks(system);
        for block in &self.blocks {
            if !all.contains(block) {
                all.push(block.clone());
            }
        }
        all.concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> String {
        format!("{BEGIN}\n{body}\n{END}\n")
    }

    #[test]
    fn only_certificates_are_taken_out_of_a_file_and_each_once() {
        let key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
        let text = format!(
            "# a comment\n{}{key}\r\n{}{}",
            block("AAAA\r\nBB=="),
            block("CCCC"),
            block("CCCC")
        );
        assert_eq!(certificate_blocks(&text), [block("AAAA\nBB=="), block("CCCC")]);
        for text in ["", "AAAA", BEGIN, &block(""), &block("not base64!"), key] {
            assert_eq!(certificate_blocks(text), Vec::<String>::new(), "{text:?}");
        }
    }

    #[test]
    fn what_the_image_has_already_is_not_there_twice() {
        let certificates =
            Certificates { sources: vec![], blocks: vec![block("BBBB"), block("CCCC")] };
        let bundle = certificates.beside(&format!("{}{}", block("AAAA"), block("BBBB")));
        assert_eq!(bundle, [block("AAAA"), block("BBBB"), block("CCCC")].concat());
        assert_eq!(certificates.beside(""), [block("BBBB"), block("CCCC")].concat());
    }
}
