//! Certificates as Fulcio and timestamp authorities have them (RFC 5280, Fulcio's `oid-info.md`).

use std::collections::BTreeMap;

use super::der;
use super::key::{Key, sha256};

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const FULCIO: &str = "1.3.6.1.4.1.57264.1";

/// Who a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum San {
    /// A workload.
    Uri(String),
    /// A person.
    Email(String),
}

/// What a certificate says about whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Name.
    pub san: San,
    /// Who vouched for the name; none leaves both extensions out.
    pub issuer: Option<String>,
    /// Further claims by the last number of their object identifier.
    pub claims: BTreeMap<u8, String>,
}

impl Who {
    /// A workflow of a repository on GitHub, on its own runners, run for a ref.
    pub fn workflow(repository: &str, workflow: &str, reference: &str) -> Self {
        let uri = format!("https://github.com/{repository}");
        let signer = format!("{uri}/.github/workflows/{workflow}@{reference}");
        let owner = uri.rsplit_once('/').map_or(uri.as_str(), |(owner, _)| owner);
        let claims = [
            (9, signer.as_str()),
            (11, "github-hosted"),
            (12, uri.as_str()),
            (13, "1111111111111111111111111111111111111111"),
            (14, reference),
            (15, "4242"),
            (16, owner),
            (17, "77"),
            (18, signer.as_str()),
            (20, "push"),
        ];
        Self {
            san: San::Uri(signer.clone()),
            issuer: Some("https://token.actions.githubusercontent.com".to_owned()),
            claims: claims.map(|(arc, value)| (arc, value.to_owned())).into(),
        }
    }

    /// The same with another claim.
    #[must_use]
    pub fn with(mut self, arc: u8, value: &str) -> Self {
        self.claims.insert(arc, value.to_owned());
        self
    }
}

/// What a certificate has of the log of certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sct {
    /// A promise of the log.
    Good,
    /// None.
    Missing,
    /// One that another key signed.
    Forged,
}

/// A certificate with its key.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) key: Key,
    pub(super) certificate: Vec<u8>,
    pub(super) name: Vec<u8>,
}

impl Authority {
    /// Makes one that vouches for itself.
    pub(super) fn root(name: &str, lifetime: (i64, i64)) -> Self {
        let key = Key::new();
        let subject = common_name(name);
        let extensions = vec![ca(None), usage(0x06), key_id(&key.spki())];
        let tbs = tbs(&subject, &subject, lifetime, &key.spki(), &extensions, 1);
        Self { certificate: signed(&key, tbs), name: subject, key }
    }

    /// Makes one below this.
    pub(super) fn below(&self, name: &str, lifetime: (i64, i64)) -> Self {
        let key = Key::new();
        let subject = common_name(name);
        let extensions = vec![
            ca(Some(0)),
            usage(0x06),
            purpose("1.3.6.1.5.5.7.3.3", false),
            key_id(&key.spki()),
            issuer_id(&self.key.spki()),
        ];
        let tbs = tbs(&self.name, &subject, lifetime, &key.spki(), &extensions, 2);
        Self { certificate: signed(&self.key, tbs), name: subject, key }
    }

    /// Makes one for signing times.
    pub(super) fn stamper(&self, name: &str, lifetime: (i64, i64)) -> Self {
        let key = Key::new();
        let subject = common_name(name);
        let extensions = vec![
            usage(0x80),
            purpose("1.3.6.1.5.5.7.3.8", true),
            key_id(&key.spki()),
            issuer_id(&self.key.spki()),
        ];
        let tbs = tbs(&self.name, &subject, lifetime, &key.spki(), &extensions, 3);
        Self { certificate: signed(&self.key, tbs), name: subject, key }
    }

    /// Makes a certificate for signing code (Fulcio's certificate specification).
    pub(super) fn leaf(
        &self,
        who: &Who,
        spki: &[u8],
        lifetime: (i64, i64),
        log: (&Key, Sct),
    ) -> Vec<u8> {
        let mut extensions = vec![
            usage(0x80),
            purpose("1.3.6.1.5.5.7.3.3", false),
            key_id(spki),
            issuer_id(&self.key.spki()),
            name_of(&who.san),
        ];
        if let Some(issuer) = &who.issuer {
            // The first of the two is bare text.
            extensions.push(extension(&format!("{FULCIO}.1"), false, issuer.as_bytes()));
            extensions.push(extension(&format!("{FULCIO}.8"), false, &der::text(issuer)));
        }
        for (arc, value) in &who.claims {
            extensions.push(extension(&format!("{FULCIO}.{arc}"), false, &der::text(value)));
        }
        let serial = u64::try_from(lifetime.0).expect("after 1970");
        let make = |extensions: &[Vec<u8>]| {
            tbs(&self.name, &der::sequence(&[]), lifetime, spki, extensions, serial)
        };
        let (log, sct) = log;
        if sct != Sct::Missing {
            let promised = promise(log, sct, &self.key.spki(), &make(&extensions), lifetime.0);
            extensions.push(extension("1.3.6.1.4.1.11129.2.4.2", false, &der::octets(&promised)));
        }
        signed(&self.key, make(&extensions))
    }
}

/// Signs what is to be certified.
fn signed(key: &Key, tbs: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&tbs);
    der::sequence(&[tbs, algorithm(), der::bits(&signature)])
}

pub(super) fn algorithm() -> Vec<u8> {
    der::sequence(&[der::oid(ECDSA_WITH_SHA256)])
}

fn tbs(
    issuer: &[u8],
    subject: &[u8],
    lifetime: (i64, i64),
    spki: &[u8],
    extensions: &[Vec<u8>],
    serial: u64,
) -> Vec<u8> {
    der::sequence(&[
        der::tlv(0xa0, &der::integer(&[2])),
        der::integer(&serial.to_be_bytes()),
        algorithm(),
        issuer.to_vec(),
        der::sequence(&[der::utc_time(lifetime.0), der::utc_time(lifetime.1)]),
        subject.to_vec(),
        spki.to_vec(),
        der::tlv(0xa3, &der::sequence(extensions)),
    ])
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute = der::sequence(&[der::oid("2.5.4.3"), der::text(name)]);
    der::sequence(&[der::set(&[attribute])])
}

fn extension(oid: &str, is_critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if is_critical { der::yes() } else { Vec::new() };
    der::sequence(&[der::oid(oid), critical, der::octets(value)])
}

fn ca(depth: Option<u8>) -> Vec<u8> {
    let depth = depth.map_or_else(Vec::new, |depth| der::integer(&[depth]));
    extension("2.5.29.19", true, &der::sequence(&[der::yes(), depth]))
}

/// Says what a key is used for; the bits are those of the first byte.
fn usage(bits: u8) -> Vec<u8> {
    let unused = u8::try_from(bits.trailing_zeros()).expect("eight bits");
    extension("2.5.29.15", true, &der::tlv(0x03, &[unused, bits]))
}

fn purpose(oid: &str, is_critical: bool) -> Vec<u8> {
    extension("2.5.29.37", is_critical, &der::sequence(&[der::oid(oid)]))
}

/// Hashes a public key as RFC 7093 has it.
fn hashed(spki: &[u8]) -> Vec<u8> {
    sha256(spki)[..20].to_vec()
}

fn key_id(spki: &[u8]) -> Vec<u8> {
    extension("2.5.29.14", false, &der::octets(&hashed(spki)))
}

fn issuer_id(spki: &[u8]) -> Vec<u8> {
    extension("2.5.29.35", false, &der::sequence(&[der::tlv(0x80, &hashed(spki))]))
}

fn name_of(san: &San) -> Vec<u8> {
    let name = match san {
        San::Uri(uri) => der::tlv(0x86, uri.as_bytes()),
        San::Email(email) => der::tlv(0x81, email.as_bytes()),
    };
    extension("2.5.29.17", true, &der::sequence(&[name]))
}

/// Promises that a certificate is in the log (RFC 6962, 3.2 and 3.3).
fn promise(log: &Key, sct: Sct, issuer: &[u8], tbs: &[u8], moment: i64) -> Vec<u8> {
    let moment = u64::try_from(moment).expect("after 1970") * 1000;
    let length = u32::try_from(tbs.len()).expect("a certificate").to_be_bytes();
    let message =
        [&[0, 0][..], &moment.to_be_bytes(), &[0, 1], &sha256(issuer), &length[1..], tbs, &[0, 0]]
            .concat();
    let signature = if sct == Sct::Forged { Key::new().sign(&message) } else { log.sign(&message) };
    let long = |length: usize| u16::try_from(length).expect("short").to_be_bytes();
    let one = [
        &[0][..],
        &log.id(),
        &moment.to_be_bytes(),
        &[0, 0, 4, 3],
        &long(signature.len()),
        &signature,
    ]
    .concat();
    [&long(one.len() + 2)[..], &long(one.len()), &one].concat()
}
