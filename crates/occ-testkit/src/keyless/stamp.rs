//! Signed times (RFC 3161, RFC 5652).

use super::certificate::{Authority, algorithm};
use super::der;
use super::key::sha256;

const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";

/// What somebody wants a time for.
pub(super) struct Asked {
    imprint: Vec<u8>,
    nonce: Option<Vec<u8>>,
}

impl Asked {
    /// Wants one for bytes.
    pub(super) fn about(bytes: &[u8]) -> Self {
        Self { imprint: sha256(bytes), nonce: None }
    }

    /// Reads a `TimeStampReq`.
    pub(super) fn read(request: &[u8]) -> Option<Self> {
        let (0x30, request, _) = der::read(request)? else { return None };
        let (0x02, _, rest) = der::read(request)? else { return None };
        let (0x30, imprint, mut rest) = der::read(rest)? else { return None };
        let (_, _, hashed) = der::read(imprint)?;
        let (0x04, imprint, _) = der::read(hashed)? else { return None };
        let mut nonce = None;
        while let Some((tag, content, after)) = der::read(rest) {
            if tag == 0x02 {
                nonce = Some(der::tlv(0x02, content));
            }
            rest = after;
        }
        Some(Self { imprint: imprint.to_vec(), nonce })
    }
}

fn sha256_algorithm() -> Vec<u8> {
    der::sequence(&[der::oid(SHA256)])
}

fn attribute(oid: &str, value: Vec<u8>) -> Vec<u8> {
    der::sequence(&[der::oid(oid), der::set(&[value])])
}

/// Signs that something was there at a moment, in seconds since 1970.
pub(super) fn stamp(authority: &Authority, asked: &Asked, moment: i64) -> Vec<u8> {
    let info = der::sequence(&[
        der::integer(&[1]),
        der::oid("1.3.6.1.4.1.57264.2"),
        der::sequence(&[sha256_algorithm(), der::octets(&asked.imprint)]),
        der::integer(&[7]),
        der::generalized_time(moment),
        asked.nonce.clone().unwrap_or_default(),
    ]);
    let certificate = der::sequence(&[der::octets(&sha256(&authority.certificate))]);
    let signing = der::sequence(&[der::sequence(&[certificate])]);
    let attributes = der::set(&[
        attribute("1.2.840.113549.1.9.3", der::oid(TST_INFO)),
        attribute("1.2.840.113549.1.9.4", der::octets(&sha256(&info))),
        attribute("1.2.840.113549.1.9.16.2.47", signing),
    ]);
    // Signed as a set, sent under a tag of its own.
    let signature = authority.key.sign(&attributes);
    let mut sent = attributes;
    sent[0] = 0xa0;
    let (issuer, serial) = issuer_and_serial(&authority.certificate);
    let signer = der::sequence(&[
        der::integer(&[1]),
        der::sequence(&[issuer, serial]),
        sha256_algorithm(),
        sent,
        algorithm(),
        der::octets(&signature),
    ]);
    let content = der::tlv(0xa0, &der::octets(&info));
    let data = der::sequence(&[
        der::integer(&[3]),
        der::set(&[sha256_algorithm()]),
        der::sequence(&[der::oid(TST_INFO), content]),
        der::tlv(0xa0, &authority.certificate),
        der::set(&[signer]),
    ]);
    let token = der::sequence(&[der::oid("1.2.840.113549.1.7.2"), der::tlv(0xa0, &data)]);
    der::sequence(&[der::sequence(&[der::integer(&[0])]), token])
}

/// Reads both out of a certificate.
fn issuer_and_serial(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let inside = |bytes: &'_ [u8]| der::read(bytes).expect("a certificate").1.to_vec();
    let tbs = inside(&inside(certificate));
    let next = |bytes: &[u8]| {
        let (tag, content, rest) = der::read(bytes).expect("a certificate");
        (der::tlv(tag, content), rest.to_vec())
    };
    let (_version, rest) = next(&tbs);
    let (serial, rest) = next(&rest);
    let (_algorithm, rest) = next(&rest);
    (next(&rest).0, serial)
}
