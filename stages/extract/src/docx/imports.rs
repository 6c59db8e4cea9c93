//! Documents of other formats that Word shows as a part of the text (altChunk).

use crate::package::Package;
use crate::reject::Reject;
use crate::{charset, html, text};

/// The text of an imported document, in Markdown; `None` if its format is not known, or it is damaged.
///
/// # Errors
/// It is too large.
pub(super) fn read(package: &Package<'_>, part: &str) -> Result<Option<String>, Reject> {
    let Some(bytes) = package.bytes(part)? else {
        return Ok(None);
    };
    let limit = package.limit();
    let read = match bytes.as_slice() {
        [b'P', b'K', 3, 4, ..] => super::read_import(&bytes, limit),
        _ => {
            let ending = part.rsplit('.').next().unwrap_or_default().to_lowercase();
            let declared = charset::of_html(&bytes);
            let page =
                |bytes: &[u8]| charset::decode(bytes, declared.as_deref()).and_then(|page| html::read(&page, limit));
            match ending.as_str() {
                "htm" | "html" | "xhtml" | "xht" => page(&bytes),
                "mht" | "mhtml" => match html_of_mime(&bytes) {
                    Some(html) => page(&html),
                    None => return Ok(None),
                },
                "txt" => charset::decode(&bytes, None).map(|plain| text::plain(&plain)),
                _ if bytes.trim_ascii_start().starts_with(b"<") => page(&bytes),
                _ => return Ok(None),
            }
        }
    };
    match read {
        Ok(document) => Ok(Some(document.text)),
        Err(Reject::TooLarge(limit)) => Err(Reject::TooLarge(limit)),
        Err(_) => Ok(None),
    }
}

/// The first HTML part of a MIME message, such as a page saved as one file.
fn html_of_mime(message: &[u8]) -> Option<Vec<u8>> {
    let message = String::from_utf8_lossy(message).replace("\r\n", "\n");
    let lower = message.to_ascii_lowercase();
    let header = lower.find("content-type: text/html")?;
    let start = header + lower[header..].find("\n\n")? + 2;
    // The headers of a part begin after a boundary, or the message itself.
    let headers_begin = lower[..header].rfind("\n\n").map_or(0, |place| place + 2);
    let headers = lower.get(headers_begin..start)?;
    let end = message[start..].find("\n--").map_or(message.len(), |place| start + place);
    let body = message.get(start..end)?;
    match headers {
        headers if headers.contains("quoted-printable") => Some(quoted_printable(body)),
        headers if headers.contains("base64") => Some(base64(body)),
        _ => Some(body.as_bytes().to_vec()),
    }
}

fn quoted_printable(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = || {
            after
                .get(..2)
                .and_then(|code| std::str::from_utf8(code).ok())
                .and_then(|code| u8::from_str_radix(code, 16).ok())
        };
        match (first, after.first()) {
            (b'=', Some(b'\n')) => rest = &after[1..],
            (b'=', _) if code().is_some() => {
                out.extend(code());
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(value)) & 0xFF_FFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xFF).unwrap_or_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_a_message_is_found_and_decoded() {
        let quoted = b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>caf=C3=A9 =\r\nau lait</p>\r\n--x--\r\n";
        assert_eq!(String::from_utf8(html_of_mime(quoted).unwrap()).unwrap(), "<p>café au lait</p>");
        let coded = b"--x\nContent-Transfer-Encoding: base64\nContent-Type: text/html\n\nPHA+aGk8L3A+\n--x--";
        assert_eq!(html_of_mime(coded).unwrap(), b"<p>hi</p>");
        assert_eq!(html_of_mime(b"Content-Type: text/plain\n\nx"), None);
    }
}
