//! What the claims of a signed token have to say.

use gristmill_auth::{KeysSettings, Tokens};
use gristmill_core::model::Scope;
use gristmill_core::settings::SecretRef;
use josekit::jws::{HS256, HS512};
use serde_json::json;

use super::tokens::{BOTH, NOW, Row, SECRET, ann, bad, clock, good, hold, settings, sign, with};

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
