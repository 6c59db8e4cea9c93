//! Bytes to text: a byte order mark decides, then a named charset, then UTF-8; nothing is guessed.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use crate::reject::Reject;

/// How far into a page its charset may be declared, as in browsers.
const META_WITHIN: usize = 1024;

/// Decodes `bytes`; `named` is the charset that the content type or the page itself names.
///
/// # Errors
/// The bytes are malformed in the charset that was chosen.
pub(crate) fn decode<'a>(bytes: &'a [u8], named: Option<&str>) -> Result<Cow<'a, str>, Reject> {
    let (encoding, body) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, &bytes[length..]),
        None => {
            let named = named.and_then(|label| Encoding::for_label_no_replacement(label.as_bytes()));
            (named.unwrap_or(UTF_8), bytes)
        }
    };
    encoding
        .decode_without_bom_handling_and_without_replacement(body)
        .ok_or_else(|| Reject::NotUtf8(encoding.name().to_owned()))
}

/// The `charset` parameter of a content type.
pub(crate) fn of_content_type(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The charset that an HTML page declares near its top, in `<meta>` or in the XML declaration.
pub(crate) fn of_html(bytes: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(META_WITHIN)]).to_ascii_lowercase();
    let declared = ["charset=", "encoding="].iter().find_map(|key| Some(&head[head.find(key)? + key.len()..]))?;
    let label: String = declared
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || "-_:".contains(*letter))
        .collect();
    // A page that could be read as ASCII up to here is not UTF-16, whatever it declares; browsers use UTF-8 then.
    (!label.is_empty() && !label.starts_with("utf-16")).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_wins_over_the_name() {
        assert_eq!(decode(b"\xFF\xFEh\0i\0", Some("windows-1252")).unwrap(), "hi");
        assert_eq!(decode(b"\xEF\xBB\xBFhi", None).unwrap(), "hi");
    }

    #[test]
    fn a_named_charset_is_used() {
        assert_eq!(decode(b"caf\xE9 \x80", Some("windows-1252")).unwrap(), "café €");
        assert_eq!(of_content_type("text/html; Charset=\"ISO-8859-15\""), Some("ISO-8859-15"));
        assert_eq!(of_content_type("text/html"), None);
    }

    #[test]
    fn a_page_declares_its_own_charset() {
        assert_eq!(of_html(b"<meta charset=\"Shift_JIS\">").as_deref(), Some("shift_jis"));
        let old = b"<meta http-equiv=\"Content-Type\" content=\"text/html; charset=koi8-r\">";
        assert_eq!(of_html(old).as_deref(), Some("koi8-r"));
        assert_eq!(of_html(b"<?xml version=\"1.0\" encoding='latin1'?>").as_deref(), Some("latin1"));
        assert_eq!(of_html(b"<p>none</p>"), None);
    }

    #[test]
    fn malformed_text_is_rejected_and_not_replaced() {
        assert_eq!(decode(b"caf\xE9", None), Err(Reject::NotUtf8("UTF-8".into())));
        assert_eq!(decode(b"caf\xE9", Some("no-such-charset")).unwrap_err().code(), "not-utf8");
        assert_eq!(decode(b"\x81", Some("shift_jis")), Err(Reject::NotUtf8("Shift_JIS".into())));
    }
}
