//! Bytes to text.
//!
//! A byte order mark decides, then zeros where UTF-16 has them, then whether the bytes are UTF-8, then the charset that
//! is named. If none is, or it is UTF-8 and the bytes are not, the charset is guessed as browsers guess it.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::reject::Reject;

/// How far into a page its charset may be declared.
const DECLARED_WITHIN: usize = 1 << 16;
/// How many bytes are looked at to guess.
const GUESSED_FROM: usize = 1 << 18;
/// How many bytes are looked at for zeros.
const ZEROS_WITHIN: usize = 4096;

/// Decodes a page; `named` is the charset that the content type names. As in browsers, what cannot be decoded becomes
/// U+FFFD.
pub(crate) fn page<'a>(bytes: &'a [u8], named: Option<&str>) -> Cow<'a, str> {
    // Servers that name UTF-8 for all pages are wrong about old ones, which often say what they are.
    let named = match named.and_then(for_label) {
        Some(named) if named != UTF_8 || is_mostly_utf8(bytes) => Some(named),
        _ => of_html(bytes),
    };
    let (encoding, body) = choose(bytes, named);
    encoding.decode_without_bom_handling(body).0
}

/// Decodes text; `named` is the charset that the content type names.
///
/// # Errors
/// Too much of it is no text in the charset that was chosen.
pub(crate) fn decode<'a>(bytes: &'a [u8], named: Option<&str>) -> Result<Cow<'a, str>, Reject> {
    let (encoding, body) = choose(bytes, named.and_then(for_label));
    let (text, _) = encoding.decode_without_bom_handling(body);
    match is_plausible(&text) {
        true => Ok(text),
        false => Err(Reject::NotUtf8(encoding.name().to_owned())),
    }
}

/// The `charset` parameter of a content type.
pub(crate) fn of_content_type(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

/// The byte order of UTF-16 without a byte order mark: text has digits, spaces or line breaks, whose high byte is zero.
pub(crate) fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = &bytes[..bytes.len().min(ZEROS_WITHIN)];
    let (mut high, mut low, mut pairs) = (0, 0, 0);
    for pair in start.chunks_exact(2) {
        pairs += 1;
        high += usize::from(pair[0] == 0 && pair[1] != 0);
        low += usize::from(pair[1] == 0 && pair[0] != 0);
    }
    let encoding = match (high, low) {
        (0, 1..) => UTF_16LE,
        (1.., 0) => UTF_16BE,
        _ => return None,
    };
    // Few zeros may as well be those of a binary file.
    let is_text = || is_plausible(&encoding.decode_without_bom_handling(&start[..pairs * 2]).0);
    ((high + low) * 100 >= pairs && is_text()).then_some(encoding)
}

fn choose<'a>(bytes: &'a [u8], named: Option<&'static Encoding>) -> (&'static Encoding, &'a [u8]) {
    if let Some((encoding, length)) = Encoding::for_bom(bytes) {
        return (encoding, &bytes[length..]);
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return (encoding, bytes);
    }
    // A server that names a charset for all its files is often wrong. Letters of one byte make no valid UTF-8 by chance;
    // those of the charsets of East Asia could.
    let could_be_utf8 = named.is_none_or(|named| named == UTF_8 || named.is_single_byte());
    if could_be_utf8 && is_mostly_utf8(bytes) {
        return (UTF_8, bytes);
    }
    match named {
        Some(named) if named != UTF_8 => (named, bytes),
        _ => (guess(bytes), bytes),
    }
}

/// Whether bytes are UTF-8, but for fewer faults than there are letters beyond ASCII.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    if bytes.is_ascii() {
        return true;
    }
    let (mut letters, mut faults) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().bytes().filter(|byte| *byte >= 0xC0).count();
        faults += usize::from(!chunk.invalid().is_empty());
    }
    faults == 0 || faults < letters
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(GUESSED_FROM)], true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether this is text: control characters and what could not be decoded are rare.
fn is_plausible(text: &str) -> bool {
    let (mut letters, mut strange) = (0_usize, 0_usize);
    for letter in text.chars() {
        letters += 1;
        let is_layout = matches!(letter, '\t' | '\n' | '\r' | '\u{B}' | '\u{C}' | '\u{1A}' | '\u{1B}' | '\u{85}');
        strange += usize::from(letter == char::REPLACEMENT_CHARACTER || (letter.is_control() && !is_layout));
    }
    strange == 0 || strange.saturating_mul(20) < letters
}

fn for_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.trim().as_bytes())
}

/// The charset that a page declares in `<meta>`, or in the XML declaration. A page that can be read as ASCII up to here
/// is not UTF-16, whatever it declares; browsers read UTF-8 then.
fn of_html(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(DECLARED_WITHIN)];
    let declared = of_meta(head).or_else(|| of_xml(head))?;
    match declared == UTF_16LE || declared == UTF_16BE {
        true => Some(UTF_8),
        false => Some(declared),
    }
}

fn of_xml(head: &[u8]) -> Option<&'static Encoding> {
    let declaration = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = declaration.split(|byte| *byte == b'>').next()?;
    let declaration = String::from_utf8_lossy(declaration);
    let (_, value) = declaration.split_once("encoding")?;
    for_label(value.trim_start().strip_prefix('=')?.trim_start().split(['"', '\'']).nth(1)?)
}

/// The first `<meta>` outside of comments that declares a known charset.
fn of_meta(head: &[u8]) -> Option<&'static Encoding> {
    let mut rest = head;
    while let Some(start) = rest.iter().position(|byte| *byte == b'<') {
        rest = &rest[start + 1..];
        if let Some(comment) = rest.strip_prefix(b"!--") {
            let end = comment.windows(3).position(|end| end == b"-->")?;
            rest = &comment[end + 3..];
            continue;
        }
        let is_meta = rest.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"meta"))
            && rest.get(4).is_some_and(|next| next.is_ascii_whitespace() || *next == b'/');
        if is_meta {
            let (attributes, after) = attributes(&rest[4..]);
            rest = after;
            if let Some(encoding) = of_attributes(&attributes) {
                return Some(encoding);
            }
        }
    }
    None
}

fn of_attributes(attributes: &[(String, String)]) -> Option<&'static Encoding> {
    let value = |name: &str| attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    if let Some(encoding) = value("charset").and_then(for_label) {
        return Some(encoding);
    }
    let content = value("content")?.to_ascii_lowercase();
    value("http-equiv").filter(|header| header.trim().eq_ignore_ascii_case("content-type"))?;
    let (_, declared) = content.split_once("charset")?;
    let label = declared.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    for_label(label.split([';', '"', '\'', ' ', ',']).next()?)
}

/// The attributes of a tag, with names in lower case, and what follows the tag.
fn attributes(tag: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    const MOST: usize = 32;
    let mut attributes = Vec::new();
    let mut rest = tag;
    while attributes.len() < MOST {
        rest = rest.trim_ascii_start();
        while let Some(after) = rest.strip_prefix(b"/") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() || rest.starts_with(b">") {
            break;
        }
        // "=" at the start belongs to the name, so each turn takes at least one byte.
        let length =
            rest.iter().skip(1).position(|byte| b"=>/ \t\r\n\x0C".contains(byte)).map_or(rest.len(), |at| at + 1);
        let name = String::from_utf8_lossy(&rest[..length]).to_ascii_lowercase();
        rest = rest[length..].trim_ascii_start();
        let mut value = &b""[..];
        if let Some(assigned) = rest.strip_prefix(b"=") {
            let assigned = assigned.trim_ascii_start();
            (value, rest) = match assigned.first() {
                Some(quote @ (b'"' | b'\'')) => split_at(&assigned[1..], |byte| byte == *quote, 1),
                _ => split_at(assigned, |byte| byte == b'>' || byte.is_ascii_whitespace(), 0),
            };
        }
        attributes.push((name, String::from_utf8_lossy(value).into_owned()));
    }
    (attributes, rest)
}

/// The bytes before the first that `is_end` accepts, and those behind it, without `skipped` of them.
fn split_at(bytes: &[u8], is_end: impl Fn(u8) -> bool, skipped: usize) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| is_end(*byte)) {
        Some(end) => (&bytes[..end], &bytes[end + skipped..]),
        None => (bytes, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(page: &str) -> Option<&'static str> {
        of_html(page.as_bytes()).map(Encoding::name)
    }

    #[test]
    fn a_byte_order_mark_wins_over_the_name() {
        assert_eq!(decode(b"\xFF\xFEh\0i\0", Some("windows-1252")).unwrap(), "hi");
        assert_eq!(decode(b"\xEF\xBB\xBFhi", None).unwrap(), "hi");
    }

    #[test]
    fn a_named_charset_is_used_unless_the_bytes_are_utf8() {
        assert_eq!(decode(b"caf\xE9 \x80", Some("windows-1252")).unwrap(), "café €");
        assert_eq!(decode("café €".as_bytes(), Some("iso-8859-1")).unwrap(), "café €");
        assert_eq!(decode(b"\x93\xFA\x96\x7B", Some("shift_jis")).unwrap(), "日本");
        assert_eq!(of_content_type("text/html; Charset=\"ISO-8859-15\""), Some("ISO-8859-15"));
        assert_eq!(of_content_type("text/html"), None);
    }

    #[test]
    fn a_page_declares_its_own_charset() {
        assert_eq!(declared("<meta charset=\"Shift_JIS\">"), Some("Shift_JIS"));
        let old = "<meta content='text/html; charset = koi8-r' http-equiv = \"Content-Type\">";
        assert_eq!(declared(old), Some("KOI8-R"));
        assert_eq!(declared("<?xml version=\"1.0\" encoding = 'latin1'?>"), Some("windows-1252"));
        assert_eq!(declared("<meta/charset=gbk>"), Some("GBK"));
        assert_eq!(
            declared("<!-- <meta charset=gbk> --><META name=a content='charset=gbk'><meta charset='big5'>"),
            Some("Big5")
        );
        assert_eq!(declared(&format!("<!--{}--><meta charset=gbk>", "x".repeat(9000))), Some("GBK"));
        assert_eq!(declared("<meta charset=utf-16><p>"), Some("UTF-8"));
        assert_eq!(declared("<p>none</p><meta charset=nonsense><meta name=charset content=gbk>"), None);
    }

    #[test]
    fn one_bad_byte_costs_one_letter() {
        assert_eq!(page("Zürich, caf\u{1} – 12 €".as_bytes(), None), "Zürich, caf\u{1} – 12 €");
        assert_eq!(page(b"Z\xC3\xBCrich \xE2\x82\xAC caf\xE9", None), "Zürich € caf\u{FFFD}");
        assert_eq!(page(b"\xD6\xD0\xCE\xC4 \xFF", Some("gbk")), "中文 \u{FFFD}");
    }

    #[test]
    fn an_undeclared_charset_is_guessed() {
        assert_eq!(decode(b"M\xFCller und S\xF6hne", None).unwrap(), "Müller und Söhne");
        let russian = "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43a}\u{430}\u{43a} \u{434}\u{435}\u{43b}\u{430}?";
        let (bytes, ..) = encoding_rs::WINDOWS_1251.encode(russian);
        assert_eq!(decode(&bytes, Some("utf-8")).unwrap(), russian);
    }

    #[test]
    fn utf16_without_a_mark_is_known_by_its_zeros() {
        let little: Vec<u8> = "Notes: 5 \u{20ac}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "Notes: 5 \u{20ac}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&little, Some("utf-8")).unwrap(), "Notes: 5 \u{20ac}");
        assert_eq!(page(&big, None), "Notes: 5 \u{20ac}");
        let japanese: Vec<u8> = "粉と水だけで作る。\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&japanese, None).unwrap(), "粉と水だけで作る。\n");
    }

    #[test]
    fn a_page_knows_better_than_a_server_that_is_wrong() {
        let (bytes, ..) = encoding_rs::KOI8_R.encode("<meta charset=koi8-r><p>Мука");
        assert_eq!(page(&bytes, Some("utf-8")), "<meta charset=koi8-r><p>Мука");
    }

    #[test]
    fn what_is_no_text_is_rejected() {
        assert_eq!(decode(b"\x81", Some("shift_jis")), Err(Reject::NotUtf8("Shift_JIS".into())));
        assert_eq!(decode(b"\x00\x00\x01\x02\x03\x90\x00", None).unwrap_err().code(), "not-utf8");
    }
}
