//! Signature Version 4 as its documentation has it, of requests that have arrived.

use axum::http::request::Parts;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    hmac.update(text.as_bytes());
    hmac.finalize().into_bytes().to_vec()
}

/// Whether a request was signed with this key and secret, and its body is the one that was signed.
pub(crate) fn is_good(head: &Parts, body: &[u8], key: &str, secret: &str) -> bool {
    check(head, body, key, secret).unwrap_or(false)
}

fn check(head: &Parts, body: &[u8], key: &str, secret: &str) -> Option<bool> {
    let header = |name: &str| head.headers.get(name)?.to_str().ok();
    let fields = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
    let (signed, scope) = (field("SignedHeaders")?, field("Credential")?.strip_prefix(key)?.strip_prefix('/')?);
    let digest = header("x-amz-content-sha256")?;
    if digest != hex(&Sha256::digest(body)) {
        return Some(false);
    }
    let mut query: Vec<&str> = head.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    let names: Vec<&str> = signed.split(';').collect();
    for needed in ["host", "x-amz-content-sha256", "x-amz-date"] {
        if !names.contains(&needed) {
            return Some(false);
        }
    }
    let mut headers = String::new();
    for name in &names {
        headers.push_str(&format!("{name}:{}\n", header(name)?.trim()));
    }
    let request = format!("{}\n{}\n{}\n{headers}\n{signed}\n{digest}", head.method, head.uri.path(), query.join("&"));
    let [date, region, service, end] = scope.split('/').collect::<Vec<_>>().try_into().ok()?;
    let text =
        format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", header("x-amz-date")?, hex(&Sha256::digest(request.as_bytes())));
    let key = [region, service, end]
        .iter()
        .fold(hmac(format!("AWS4{secret}").as_bytes(), date), |key, part| hmac(&key, part));
    Some(field("Signature")? == hex(&hmac(&key, &text)) && service == "s3" && end == "aws4_request")
}
