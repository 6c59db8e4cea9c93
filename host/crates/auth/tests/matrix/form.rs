//! What is judged before the claims: form, key, algorithm, signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gristmill_core::model::Caller;
use gristmill_core::ports::{Admission, Denied};
use josekit::jws::{ES256, ES384, EdDSA, HS256, JwsSigner, PS256, RS256, RS384, RS512};
use serde_json::{Value, json};

use super::tokens::{BOTH, Keys, SECRET, ann, bad, by_file, good, hold, part, sign, sign_text, with};

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
