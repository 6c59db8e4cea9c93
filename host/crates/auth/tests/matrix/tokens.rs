//! Makes tokens, and holds the answers to them against what is expected.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gristmill_auth::{AuthSettings, KeysSettings, Tokens};
use gristmill_core::model::{Caller, Owner, Scope, Timestamp};
use gristmill_core::ports::{Admission, Denied};
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::JwsSigner;
use serde_json::{Value, json};

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const SECRET: &str = "a secret that has more than thirty-two bytes";

/// The keys of an issuer, and of somebody else.
pub(super) struct Keys {
    pub(super) rsa: Jwk,
    pub(super) pss: Jwk,
    pub(super) ec: Jwk,
    pub(super) wide_ec: Jwk,
    pub(super) ed: Jwk,
    pub(super) foreign: Jwk,
}

impl Keys {
    pub(super) fn generate() -> Self {
        let named = |mut key: Jwk, kid: &str, algorithm: Option<&str>| {
            key.set_key_id(kid);
            if let Some(algorithm) = algorithm {
                key.set_algorithm(algorithm);
            }
            key
        };
        let rsa = || Jwk::generate_rsa_key(2048).expect("a key");
        Self {
            rsa: named(rsa(), "rsa", Some("RS256")),
            pss: named(rsa(), "pss", Some("PS256")),
            ec: named(Jwk::generate_ec_key(EcCurve::P256).expect("a key"), "ec", None),
            wide_ec: named(Jwk::generate_ec_key(EcCurve::P384).expect("a key"), "wide-ec", None),
            ed: named(Jwk::generate_ed_key(EdCurve::Ed25519).expect("a key"), "ed", None),
            foreign: named(rsa(), "rsa", None),
        }
    }

    pub(super) fn set(&self) -> Value {
        let public = |key: &Jwk| {
            let mut public = key.to_public_key().expect("a public key");
            public.set_key_id(key.key_id().expect("a name"));
            if let Some(algorithm) = key.algorithm() {
                public.set_algorithm(algorithm);
            }
            Value::Object(public.into())
        };
        let secret = json!({"kty": "oct", "kid": "published-secret", "k": URL_SAFE_NO_PAD.encode(SECRET)});
        json!({"keys": [public(&self.rsa), public(&self.pss), public(&self.ec), public(&self.wide_ec),
            public(&self.ed), secret]})
    }
}

pub(super) fn settings(keys: KeysSettings) -> AuthSettings {
    AuthSettings {
        keys,
        issuer: "https://id.example".into(),
        audience: "gristmill".into(),
        tenant_claim: Some("org".into()),
        scope_claim: "scope".into(),
        leeway: Duration::from_secs(30),
        max_lifetime: Duration::from_secs(3600),
    }
}

pub(super) fn clock() -> gristmill_auth::Clock {
    Arc::new(|| Timestamp(NOW * 1000))
}

/// Claims that are good.
pub(super) fn good() -> Value {
    json!({"iss": "https://id.example", "aud": "gristmill", "sub": "ann", "org": "acme",
        "iat": NOW - 60, "exp": NOW + 600, "scope": "jobs:read jobs:write"})
}

/// The same, but for these; `null` takes one out.
pub(super) fn with(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => claims.as_object_mut().expect("an object").remove(name),
            value => claims.as_object_mut().expect("an object").insert(name.clone(), value.clone()),
        };
    }
    claims
}

pub(super) fn part(json: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

pub(super) fn sign_text(header: &str, claims: &str, signer: &dyn JwsSigner) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = signer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", part(signature))
}

pub(super) fn sign(header: &Value, claims: &Value, signer: &dyn JwsSigner) -> String {
    sign_text(&header.to_string(), &claims.to_string(), signer)
}

pub(super) fn ann(scopes: &[Scope]) -> Result<Caller, Denied> {
    Ok(Caller { owner: Some(Owner { tenant: "acme".into(), subject: "ann".into() }), scopes: scopes.to_vec() })
}

pub(super) fn bad(what: &str) -> Result<Caller, Denied> {
    Err(Denied::BadToken(what.to_owned()))
}

/// A row: what it is, the token, the answer.
pub(super) type Row = (String, String, Result<Caller, Denied>);

pub(super) async fn hold(tokens: &Tokens, rows: Vec<Row>) {
    let mut faults = Vec::new();
    for (name, token, expected) in rows {
        let found = tokens.admit(Some(&token)).await;
        if found != expected {
            faults.push(format!("{name}: {found:?} instead of {expected:?}"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// An admission by the keys in a file.
pub(super) fn by_file(keys: &Keys) -> (Tokens, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    std::fs::write(&path, keys.set().to_string()).expect("a file");
    let tokens = Tokens::start(&settings(KeysSettings::JwksFile(path)), clock()).expect("an admission");
    (tokens, folder)
}

pub(super) const BOTH: [Scope; 2] = [Scope::WriteJobs, Scope::ReadJobs];
