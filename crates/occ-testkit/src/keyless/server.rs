//! What the services of the bench answer.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::certificate::{San, Sct, Who};
use super::key::{hex, pem, sha256, signed, unpem};
use super::log::{Entry, Signer};
use super::stamp::{Asked, stamp};
use super::{Instance, decode, lock, now};
use crate::fake_registry::Request;
use crate::fake_registry::http::{Answer, Exchange};

pub(super) fn listen(listener: &TcpListener, instance: &Arc<Mutex<Instance>>, over: &AtomicBool) {
    for stream in listener.incoming() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let instance = Arc::clone(instance);
        thread::spawn(move || drop(converse(stream, &instance)));
    }
}

fn converse(stream: TcpStream, instance: &Mutex<Instance>) -> std::io::Result<()> {
    let Some(exchange) = Exchange::read(stream)? else { return Ok(()) };
    let answer = {
        let mut instance = lock(instance);
        instance.requests.push(exchange.request.clone());
        answer(&mut instance, &exchange.request)
    };
    let refused = || Answer::new(400).body("text/plain", b"not understood".to_vec());
    exchange.write(&answer.unwrap_or_else(refused))
}

fn answer(instance: &mut Instance, request: &Request) -> Option<Answer> {
    match (request.method.as_str(), request.path()) {
        ("POST", "/api/v2/signingCert") => certify(instance, request),
        ("POST", "/api/v1/log/entries") => log_old(instance, request),
        ("POST", "/api/v2/log/entries") => log_new(instance, request),
        ("POST", "/api/v1/timestamp") => {
            let token = stamp(&instance.stamper, &Asked::read(&request.body)?, now());
            Some(Answer::new(201).body("application/timestamp-reply", token))
        }
        ("GET", "/token") => give_token(request),
        ("GET", place) => {
            let name = place.strip_prefix("/updates/").unwrap_or_default();
            let file = instance.updates.as_ref().and_then(|updates| updates.file(name));
            let found = |bytes| Answer::new(200).body("application/json", bytes);
            Some(file.map_or_else(|| Answer::new(404), found))
        }
        _ => Some(Answer::new(404)),
    }
}

/// Makes a token for a workload; the signature is missing.
pub(super) fn token(who: &Who) -> String {
    let claim = |arc: u8| who.claims.get(&arc).cloned();
    let san = match &who.san {
        San::Uri(text) | San::Email(text) => text.clone(),
    };
    let mut claims = json!({ "iss": who.issuer, "aud": "sigstore", "bench": who.claims });
    match &who.san {
        San::Email(email) => {
            claims["email"] = email.clone().into();
            claims["email_verified"] = true.into();
            claims["sub"] = "somebody".into();
        }
        San::Uri(_) => claims["sub"] = format!("repo:{}", claim(14).unwrap_or_default()).into(),
    }
    claims["bench_san"] = san.into();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&json!({ "alg": "none" })), part(&claims), "c2ln")
}

/// Reads who a token is for, and what is to be signed to prove that one has the key.
fn holder(token: &str) -> Option<(Who, String)> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    let (san, proof) = match text("email") {
        Some(email) => (San::Email(email.clone()), email),
        None => (San::Uri(text("bench_san")?), text("sub")?),
    };
    let claims = serde_json::from_value(claims["bench"].clone()).ok()?;
    Some((Who { san, issuer: text("iss"), claims }, proof))
}

/// Gives out a token as the runners of GitHub and Gitea do, for what `x-bench-token` in the query says.
fn give_token(request: &Request) -> Option<Answer> {
    let is_bearer = request.header("authorization") == Some("Bearer request-token");
    let is_for_us = request.query("audience") == ["sigstore"];
    if !(is_bearer && is_for_us) {
        return Some(Answer::new(401));
    }
    let value = request.query("give").pop()?;
    let body = json!({ "count": 1, "value": value }).to_string();
    Some(Answer::new(200).body("application/json", body.into_bytes()))
}

fn certify(instance: &Instance, request: &Request) -> Option<Answer> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let token = bearer.or_else(|| body["credentials"]["oidcIdentityToken"].as_str())?;
    let (who, proof) = holder(token)?;
    let asked = &body["publicKeyRequest"];
    let spki = unpem(asked["publicKey"]["content"].as_str()?)?;
    let signature = decode(asked["proofOfPossession"].as_str()?)?;
    if !signed(&spki, proof.as_bytes(), &signature) {
        return Some(Answer::new(400).body("text/plain", b"no proof of the key".to_vec()));
    }
    let now = now();
    let log = (&instance.certificates, Sct::Good);
    let leaf = instance.intermediate.leaf(&who, &spki, (now - 5, now + 600), log);
    let chain = [&leaf, &instance.intermediate.certificate, &instance.root.certificate];
    let chain = chain.map(|certificate| pem("CERTIFICATE", certificate));
    let body = json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": chain } } });
    Some(Answer::new(200).body("application/json", body.to_string().into_bytes()))
}

fn signer(pem: &str) -> Option<Signer> {
    let bytes = unpem(pem)?;
    Some(if pem.contains("CERTIFICATE") {
        Signer::Certificate(bytes)
    } else {
        Signer::PublicKey(bytes)
    })
}

fn unwrapped(text: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(text.as_str()?).ok()?).ok()
}

fn log_old(instance: &mut Instance, request: &Request) -> Option<Answer> {
    let proposed: Value = serde_json::from_slice(&request.body).ok()?;
    let spec = &proposed["spec"];
    let entry = match proposed["kind"].as_str()? {
        "dsse" => {
            let content = &spec["proposedContent"];
            let envelope = content["envelope"].as_str()?;
            let by = signer(&unwrapped(&content["verifiers"][0])?)?;
            let parsed: Value = serde_json::from_str(envelope).ok()?;
            let payload = decode(parsed["payload"].as_str()?)?;
            let signature = decode(parsed["signatures"][0]["sig"].as_str()?)?;
            let entry = Entry::Dsse { envelope, payload: &payload, signature: &signature };
            instance.old_log.add(&entry, &by, now())
        }
        "hashedrekord" => {
            let value = spec["data"]["hash"]["value"].as_str()?;
            let byte = |at: usize| u8::from_str_radix(value.get(at..at + 2)?, 16).ok();
            let sha256 = (0..64).step_by(2).map(byte).collect::<Option<Vec<_>>>()?;
            let by = signer(&unwrapped(&spec["signature"]["publicKey"]["content"])?)?;
            let signature = decode(spec["signature"]["content"].as_str()?)?;
            instance.old_log.add(&Entry::Hashed { sha256, signature: &signature }, &by, now())
        }
        _ => return None,
    };
    Some(old_answer(&entry))
}

/// Writes an entry as the old log's interface has it.
fn old_answer(entry: &Value) -> Answer {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok());
    let hexed =
        |value: &Value| hex(&decode(value.as_str().unwrap_or_default()).unwrap_or_default());
    let proof = &entry["inclusionProof"];
    let hashes: Vec<_> = proof["hashes"].as_array().into_iter().flatten().map(hexed).collect();
    let id = hex(&sha256(entry.to_string().as_bytes()));
    let body = json!({ &id: {
        "body": entry["canonicalizedBody"],
        "integratedTime": number(&entry["integratedTime"]),
        "logID": hexed(&entry["logId"]["keyId"]),
        "logIndex": number(&entry["logIndex"]),
        "verification": {
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": hashes,
                "logIndex": number(&proof["logIndex"]),
                "rootHash": hexed(&proof["rootHash"]),
                "treeSize": number(&proof["treeSize"]),
            },
            "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        },
    }});
    Answer::new(201)
        .with("etag", id.clone())
        .with("location", format!("/api/v1/log/entries/{id}"))
        .body("application/json", body.to_string().into_bytes())
}

fn log_new(instance: &mut Instance, request: &Request) -> Option<Answer> {
    let asked: Value = serde_json::from_slice(&request.body).ok()?;
    let asked = &asked["hashedRekordRequestV002"];
    let raw = |field: &str| decode(asked["signature"]["verifier"][field]["rawBytes"].as_str()?);
    let by = match raw("x509Certificate") {
        Some(certificate) => Signer::Certificate(certificate),
        None => Signer::PublicKey(raw("publicKey")?),
    };
    let signature = decode(asked["signature"]["content"].as_str()?)?;
    let sha256 = decode(asked["digest"].as_str()?)?;
    let entry = Entry::HashedNew { sha256, signature: &signature };
    let entry = instance.new_log.add(&entry, &by, now());
    Some(Answer::new(201).body("application/json", entry.to_string().into_bytes()))
}
