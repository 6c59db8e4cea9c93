//! Tokens, good and bad: each row says what is wrong with one, and the exact answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gristmill_auth::{AuthSettings, KeysSettings, Tokens};
use gristmill_core::model::{Caller, Owner, Scope, Timestamp};
use gristmill_core::ports::{Admission, Denied};
use gristmill_core::settings::SecretRef;
use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use josekit::jwk::alg::ed::EdCurve;
use josekit::jws::{ES256, ES384, EdDSA, HS256, HS512, JwsSigner, PS256, RS256, RS384, RS512};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const SECRET: &str = "a secret that has more than thirty-two bytes";

/// The keys of an issuer, and of somebody else.
struct Keys {
    rsa: Jwk,
    pss: Jwk,
    ec: Jwk,
    wide_ec: Jwk,
    ed: Jwk,
    foreign: Jwk,
}

impl Keys {
    fn generate() -> Self {
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

    fn set(&self) -> Value {
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

fn settings(keys: KeysSettings) -> AuthSettings {
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

fn clock() -> gristmill_auth::Clock {
    Arc::new(|| Timestamp(NOW * 1000))
}

/// Claims that are good.
fn good() -> Value {
    json!({"iss": "https://id.example", "aud": "gristmill", "sub": "ann", "org": "acme",
        "iat": NOW - 60, "exp": NOW + 600, "scope": "jobs:read jobs:write"})
}

/// The same, but for these; `null` takes one out.
fn with(changes: &Value) -> Value {
    let mut claims = good();
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => claims.as_object_mut().expect("an object").remove(name),
            value => claims.as_object_mut().expect("an object").insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn part(json: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn sign_text(header: &str, claims: &str, signer: &dyn JwsSigner) -> String {
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = signer.sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", part(signature))
}

fn sign(header: &Value, claims: &Value, signer: &dyn JwsSigner) -> String {
    sign_text(&header.to_string(), &claims.to_string(), signer)
}

fn ann(scopes: &[Scope]) -> Result<Caller, Denied> {
    Ok(Caller { owner: Some(Owner { tenant: "acme".into(), subject: "ann".into() }), scopes: scopes.to_vec() })
}

fn bad(what: &str) -> Result<Caller, Denied> {
    Err(Denied::BadToken(what.to_owned()))
}

/// A row: what it is, the token, the answer.
type Row = (String, String, Result<Caller, Denied>);

async fn hold(tokens: &Tokens, rows: Vec<Row>) {
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
fn by_file(keys: &Keys) -> (Tokens, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    std::fs::write(&path, keys.set().to_string()).expect("a file");
    let tokens = Tokens::start(&settings(KeysSettings::JwksFile(path)), clock()).expect("an admission");
    (tokens, folder)
}

const BOTH: [Scope; 2] = [Scope::WriteJobs, Scope::ReadJobs];

#[tokio::test]
async fn the_form_and_the_key_of_a_token_are_judged_before_its_claims() {
    let keys = Keys::generate();
    let (tokens, _folder) = by_file(&keys);
    let rsa = RS256.signer_from_jwk(&keys.rsa).expect("a signer");
    let foreign = RS256.signer_from_jwk(&keys.foreign).expect("a signer");
    let public_pem = keys.rsa.to_public_key().expect("a key");
    let pem = josekit::jwk::alg::rsa::RsaKeyPair::from_jwk(&keys.rsa).expect("a pair").to_pem_public_key();
    let token = sign(&json!({"alg": "RS256", "kid": "rsa"}), &good(), &rsa);
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>().try_into().expect("three parts");
    let header_is = |header: Value| sign(&header, &good(), &rsa);
    let unsigned = |header: &Value| format!("{}.{}.", part(header.to_string()), claims);
    let other_algorithm = |of: &str| bad(&format!("its alg is not the one of its key, {of}"));
    let unknown = bad("its kid is not among the keys of the issuer");
    let wrong = bad("its signature is wrong");
    let row = |name: &str, token: String, expected: Result<Caller, Denied>| (name.to_owned(), token, expected);

    let mut rows = vec![row("good", token.clone(), ann(&BOTH))];
    for spelling in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": spelling, "kid": "rsa"});
        rows.push(row(&format!("alg {spelling}, unsigned"), unsigned(&header), other_algorithm("RS256")));
        rows.push(row(&format!("alg {spelling}, signed"), header_is(header), other_algorithm("RS256")));
    }
    for public in [pem, public_pem.to_string().into_bytes()] {
        let confused = HS256.signer_from_bytes(&public).expect("a signer");
        let token = sign(&json!({"alg": "HS256", "kid": "rsa"}), &good(), &confused);
        rows.push(row("HS256 with the public key as secret", token, other_algorithm("RS256")));
        let token = sign(&json!({"alg": "RS256", "kid": "rsa"}), &good(), &confused);
        rows.push(row("HMAC under the name RS256", token, wrong.clone()));
    }
    let secret = HS256.signer_from_bytes(SECRET).expect("a signer");
    let by_secret = sign(&json!({"alg": "HS256", "kid": "published-secret"}), &good(), &secret);
    rows.push(row("a secret in the set", by_secret, unknown.clone()));
    for (algorithm, signer) in [("RS384", &RS384), ("RS512", &RS512)] {
        let mut key = keys.rsa.clone();
        key.set_algorithm(algorithm);
        let signer = signer.signer_from_jwk(&key).expect("a signer");
        let token = sign(&json!({"alg": algorithm, "kid": "rsa"}), &good(), &signer);
        rows.push(row("another digest than the key is for", token, other_algorithm("RS256")));
    }
    rows.extend([
        row("kid of another key", header_is(json!({"alg": "RS256", "kid": "pss"})), other_algorithm("PS256")),
        row("kid of another key, its alg", header_is(json!({"alg": "PS256", "kid": "pss"})), wrong.clone()),
        row("kid of a key on a curve", header_is(json!({"alg": "ES256", "kid": "ec"})), wrong.clone()),
        row("kid with a path", header_is(json!({"alg": "RS256", "kid": "../../dev/null"})), unknown.clone()),
        row("kid with SQL", header_is(json!({"alg": "RS256", "kid": "rsa' OR '1'='1"})), unknown.clone()),
        row("unknown kid", header_is(json!({"alg": "RS256", "kid": "new"})), unknown.clone()),
        row("empty kid", header_is(json!({"alg": "RS256", "kid": ""})), unknown),
        row("kid is a number", header_is(json!({"alg": "RS256", "kid": 1})), bad("the kid in its header is not text")),
        row(
            "no kid",
            header_is(json!({"alg": "RS256"})),
            bad("its header has no kid, and the issuer has several keys"),
        ),
        row("no alg", header_is(json!({"kid": "rsa"})), bad("its header has no alg, or it is not text")),
        row("alg is a list", header_is(json!({"alg": ["RS256"], "kid": "rsa"})), bad("its header has no alg, or it is not text")),
        row("a foreign key", sign(&json!({"alg": "RS256", "kid": "rsa"}), &good(), &foreign), wrong.clone()),
        row("other claims", format!("{header}.{}.{signature}", part(with(&json!({"sub": "bob"})).to_string())), wrong.clone()),
        row("a signature of nothing", format!("{header}.{claims}."), wrong.clone()),
        row("a signature cut short", format!("{header}.{claims}.{}", &signature[..signature.len() - 2]), wrong.clone()),
        row(
            "a signature of zeros",
            format!("{}.{claims}.{}", part(json!({"alg": "ES256", "kid": "ec"}).to_string()), part([0; 64])),
            wrong.clone(),
        ),
        row("one part", header.to_owned(), bad("it is not three parts with dots between them")),
        row("two parts", format!("{header}.{claims}"), bad("it is not three parts with dots between them")),
        row("four parts", format!("{token}.x"), bad("it is not three parts with dots between them")),
        row("nothing", String::new(), bad("it is not three parts with dots between them")),
        row("encrypted", format!("{token}.x.y"), bad("it is encrypted; send a signed one")),
        row("enc", header_is(json!({"alg": "RS256", "kid": "rsa", "enc": "A256GCM"})), bad("it is encrypted; send a signed one")),
        row("nested", header_is(json!({"alg": "RS256", "kid": "rsa", "cty": "JWT"})), bad("it has another token in it")),
        row(
            "crit",
            header_is(json!({"alg": "RS256", "kid": "rsa", "crit": ["b64"], "b64": false})),
            bad("its header has crit: extensions are not known here"),
        ),
        row("not base64", format!("{header}.{claims}.!"), bad("a part of it is not base64url without padding")),
        row("padding", format!("{header}.{claims}.{signature}=="), bad("a part of it is not base64url without padding")),
        row(
            "base64 of the other alphabet",
            format!("{}.{claims}.{signature}", STANDARD.encode("{\"alg\":\"RS256\",\"kid\":\"??>>\"}")),
            bad("a part of it is not base64url without padding"),
        ),
        row(
            "last bits that are not zero",
            {
                let at = signature.len() - 1;
                let last = if signature.ends_with('B') { 'C' } else { 'B' };
                format!("{header}.{claims}.{}{last}", &signature[..at])
            },
            bad("a part of it is not base64url without padding"),
        ),
        row("a space in it", format!(" {token}"), bad("a part of it is not base64url without padding")),
        row(
            "a member twice in the header",
            sign_text(r#"{"alg":"none","alg":"RS256","kid":"rsa"}"#, &good().to_string(), &rsa),
            bad("its header is not a JSON object, or has a member twice"),
        ),
        row(
            "a member twice in the claims",
            sign_text(
                r#"{"alg":"RS256","kid":"rsa"}"#,
                &good().to_string().replace('{', r#"{"sub":"bob","#),
                &rsa,
            ),
            bad("its claims are not a JSON object, or have a member twice"),
        ),
        row("claims are a list", sign_text(r#"{"alg":"RS256","kid":"rsa"}"#, "[]", &rsa), bad("its claims are not a JSON object, or have a member twice")),
        row("big", sign(&json!({"alg": "RS256", "kid": "rsa"}), &with(&json!({"x": "x".repeat(6_500)})), &rsa), bad("it is longer than 8 KiB")),
        row("typ of another purpose", header_is(json!({"alg": "RS256", "kid": "rsa", "typ": "logout+jwt"})), bad("its typ is not JWT or at+jwt")),
        row("typ is a number", header_is(json!({"alg": "RS256", "kid": "rsa", "typ": 1})), bad("its typ is not JWT or at+jwt")),
        row("typ of an access token", header_is(json!({"alg": "RS256", "kid": "rsa", "typ": "at+jwt"})), ann(&BOTH)),
        row(
            "jku, x5u and x5c are left unread",
            header_is(json!({"alg": "RS256", "kid": "rsa", "jku": "https://attacker.example/", "x5u": "file:///etc/passwd", "x5c": ["AA=="]})),
            ann(&BOTH),
        ),
    ]);
    let own_key = Value::Object(keys.foreign.to_public_key().expect("a key").into());
    let header = json!({"alg": "RS256", "kid": "rsa", "jwk": own_key});
    rows.push(row("brings its own key", sign(&header, &good(), &foreign), wrong));
    hold(&tokens, rows).await;
    assert_eq!(tokens.admit(None).await, Err(Denied::NoToken));
}

#[tokio::test]
async fn every_algorithm_that_is_promised_lets_in() {
    let keys = Keys::generate();
    let (tokens, _folder) = by_file(&keys);
    let signers: [(&str, &str, Box<dyn JwsSigner>); 5] = [
        ("RS256", "rsa", Box::new(RS256.signer_from_jwk(&keys.rsa).expect("a signer"))),
        ("PS256", "pss", Box::new(PS256.signer_from_jwk(&keys.pss).expect("a signer"))),
        ("ES256", "ec", Box::new(ES256.signer_from_jwk(&keys.ec).expect("a signer"))),
        ("ES384", "wide-ec", Box::new(ES384.signer_from_jwk(&keys.wide_ec).expect("a signer"))),
        ("EdDSA", "ed", Box::new(EdDSA.signer_from_jwk(&keys.ed).expect("a signer"))),
    ];
    let mut rows = Vec::new();
    for (algorithm, kid, signer) in &signers {
        let token = sign(&json!({"alg": algorithm, "kid": kid}), &good(), &**signer);
        let mut broken = token.clone().into_bytes();
        let place = token.rfind('.').expect("a dot") + 5;
        broken[place] = if broken[place] == b'A' { b'B' } else { b'A' };
        let broken = String::from_utf8(broken).expect("text");
        rows.push(((*algorithm).to_owned(), token, ann(&BOTH)));
        rows.push((format!("{algorithm}, broken"), broken, bad("its signature is wrong")));
    }
    hold(&tokens, rows).await;
    for algorithm in ["RS384", "RS512"] {
        let mut keys = Keys::generate();
        keys.rsa.set_algorithm(algorithm);
        let (tokens, _folder) = by_file(&keys);
        let signer = if algorithm == "RS384" { RS384 } else { RS512 };
        let signer = signer.signer_from_jwk(&keys.rsa).expect("a signer");
        let token = sign(&json!({"alg": algorithm, "kid": "rsa"}), &good(), &signer);
        hold(&tokens, vec![(algorithm.to_owned(), token, ann(&BOTH))]).await;
    }
}

#[tokio::test]
async fn claims_are_judged_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, SECRET).expect("a file");
    let tokens = Tokens::start(&settings(KeysSettings::Secret(SecretRef::File(path))), clock()).expect("an admission");
    let signer = HS256.signer_from_bytes(SECRET).expect("a signer");
    let moment = "a number of seconds since 1970";
    let name = "a text of 1 to 255 bytes without control characters";
    let missing = |claim: &str| bad(&format!("the claim {claim} is missing"));
    let form = |claim: &str, what: &str| bad(&format!("the claim {claim} is not {what}"));
    let audiences = "a text, or a list of them";
    let rows = [
        (json!({}), ann(&BOTH)),
        (json!({"iss": null}), missing("iss")),
        (json!({"aud": null}), missing("aud")),
        (json!({"sub": null}), missing("sub")),
        (json!({"iat": null}), missing("iat")),
        (json!({"exp": null}), missing("exp")),
        (json!({"org": null}), missing("org")),
        (json!({"iss": "https://id.example/"}), bad("it is from another issuer")),
        (json!({"iss": ["https://id.example"]}), form("iss", "a text")),
        (json!({"aud": "other"}), bad("it is for another audience")),
        (json!({"aud": ["other", "gristmill"]}), ann(&BOTH)),
        (json!({"aud": ["other"]}), bad("it is for another audience")),
        (json!({"aud": []}), bad("it is for another audience")),
        (json!({"aud": ["gristmill", 1]}), form("aud", audiences)),
        (json!({"aud": {"gristmill": 1}}), form("aud", audiences)),
        (json!({"sub": 7}), form("sub", name)),
        (json!({"sub": ""}), form("sub", name)),
        (json!({"sub": "ann\r\nx: y"}), form("sub", name)),
        (json!({"sub": "x".repeat(256)}), form("sub", name)),
        (json!({"org": ["acme"]}), form("org", name)),
        (json!({"org": ""}), form("org", name)),
        (json!({"exp": (NOW + 600).to_string()}), form("exp", moment)),
        (json!({"exp": -1}), form("exp", moment)),
        (json!({"exp": 1e300}), form("exp", moment)),
        (json!({"iat": true}), form("iat", moment)),
        (json!({"nbf": "soon"}), form("nbf", moment)),
        (json!({"exp": NOW - 29}), ann(&BOTH)),
        (json!({"exp": NOW - 30}), bad("it has expired")),
        (json!({"exp": 0}), bad("it has expired")),
        (json!({"nbf": NOW + 30}), ann(&BOTH)),
        (json!({"nbf": NOW + 31}), bad("it is not valid yet")),
        (json!({"iat": NOW + 30, "exp": NOW + 60}), ann(&BOTH)),
        (json!({"iat": NOW + 31, "exp": NOW + 60}), bad("it was issued in the future")),
        (json!({"iat": NOW, "exp": NOW - 5}), bad("it expires before it was issued")),
        (json!({"iat": NOW, "exp": NOW + 3600}), ann(&BOTH)),
        (json!({"iat": NOW, "exp": NOW + 3601}), bad("it is valid for longer than auth.max_lifetime")),
        (json!({"exp": 253_402_300_799_i64}), bad("it is valid for longer than auth.max_lifetime")),
        (json!({"iat": NOW as f64 - 0.5, "exp": NOW as f64 + 0.5}), ann(&BOTH)),
        (json!({"scope": null}), ann(&[])),
        (json!({"scope": ""}), ann(&[])),
        (json!({"scope": ["jobs:read", "jobs:read", "dlq:write"]}), ann(&[Scope::ReadJobs, Scope::WriteDeadLetters])),
        (json!({"scope": "openid email jobs:read jobs:reader ADMIN"}), ann(&[Scope::ReadJobs])),
        (json!({"scope": "admin"}), ann(&[Scope::Admin])),
        (json!({"scope": "admin\tx,jobs:read"}), ann(&[])),
        (json!({"scope": ["admin", 1]}), form("scope", "a list of texts, or words")),
        (json!({"scope": {"admin": true}}), form("scope", "a list of texts, or words")),
        (json!({"scp": ["admin"]}), ann(&BOTH)),
    ];
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "whatever the issuer calls it"});
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(changes, expected)| (changes.to_string(), sign(&header, &with(&changes), &signer), expected))
        .collect();
    let long = HS512.signer_from_bytes(SECRET.repeat(2)).expect("a signer");
    let other = HS256.signer_from_bytes(SECRET.to_uppercase()).expect("a signer");
    let good_token = sign(&header, &good(), &signer);
    let cut = good_token.rfind('.').expect("a dot");
    rows.extend([
        (
            "HS512".to_owned(),
            sign(&json!({"alg": "HS512"}), &good(), &long),
            bad("its alg is not the one of its key, HS256"),
        ),
        ("another secret".to_owned(), sign(&header, &good(), &other), bad("its signature is wrong")),
        (
            "half a signature".to_owned(),
            format!("{}.{}", &good_token[..cut], &good_token[cut + 1..cut + 21]),
            bad("its signature is wrong"),
        ),
    ]);
    hold(&tokens, rows).await;
}

#[tokio::test]
async fn nothing_of_a_token_is_told() {
    let keys = Keys::generate();
    let (tokens, _folder) = by_file(&keys);
    let foreign = RS256.signer_from_jwk(&keys.foreign).expect("a signer");
    for header in [
        json!({"alg": "canary", "kid": "rsa"}),
        json!({"alg": "RS256", "kid": "canary"}),
        json!({"alg": "RS256", "kid": "rsa", "typ": "canary"}),
    ] {
        let token = sign(&header, &with(&json!({"sub": "canary", "iss": "canary"})), &foreign);
        let denied = tokens.admit(Some(&token)).await.expect_err("a denial");
        assert!(!format!("{denied} {denied:?}").contains("canary"), "{denied}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_over_http_and_a_redirect_is_not_followed() {
    use axum::Router;
    use axum::http::{StatusCode, header};
    use axum::routing::get;

    let keys = Keys::generate();
    let old = Arc::new(std::sync::Mutex::new(json!({"keys": [keys.set()["keys"][0]]}).to_string()));
    let served = Arc::clone(&old);
    let document = move || {
        let body = served.lock().expect("no panic").clone();
        async move { ([(header::CACHE_CONTROL, "max-age=3600")], body) }
    };
    let elsewhere = || async { (StatusCode::FOUND, [(header::LOCATION, "/keys")]) };
    let router = Router::new()
        .route("/keys", get(document))
        .route("/elsewhere", get(elsewhere))
        .route("/large", get(|| async { " ".repeat(300 * 1024) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let at = |path: &str| settings(KeysSettings::Jwks(format!("http://{address}{path}")));
    let tokens = Tokens::start(&at("/keys"), clock()).expect("an admission");
    let rsa = RS256.signer_from_jwk(&keys.rsa).expect("a signer");
    let ed = EdDSA.signer_from_jwk(&keys.ed).expect("a signer");
    let by_rsa = sign(&json!({"alg": "RS256", "kid": "rsa"}), &good(), &rsa);
    let by_ed = sign(&json!({"alg": "EdDSA", "kid": "ed"}), &good(), &ed);
    // The first key may have to be waited for: that asks once, so rotation is seen by the timer or by the next minute.
    assert_eq!(tokens.admit(Some(&by_rsa)).await, ann(&BOTH));
    let again = Tokens::start(&at("/keys"), clock()).expect("an admission");
    while again.admit(Some(&sign(&json!({"alg": "RS256"}), &good(), &rsa))).await != ann(&BOTH) {
        tokio::task::yield_now().await;
    }
    *old.lock().expect("no panic") = keys.set().to_string();
    assert_eq!(again.admit(Some(&by_rsa)).await, ann(&BOTH), "nothing has changed for a known key");
    let fresh = Tokens::start(&at("/keys"), clock()).expect("an admission");
    assert_eq!(fresh.admit(Some(&by_ed)).await, ann(&BOTH));

    for path in ["/elsewhere", "/large", "/missing"] {
        let tokens = Tokens::start(&at(path), clock()).expect("an admission");
        let denied = tokens.admit(Some(&by_rsa)).await;
        assert!(matches!(denied, Err(Denied::NotNow { .. })), "{path}: {denied:?}");
    }
}
