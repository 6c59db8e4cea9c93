//! Documents of other formats that Word shows as a part of the text (altChunk).

use mail_parser::{MessageParser, PartType};

use crate::content::Content;
use crate::html::{self, Form};
use crate::package::Package;
use crate::reject::Reject;
use crate::{charset, text};

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
            let read = |page: &str, form| html::read(page, form, Content::All, limit);
            match ending.as_str() {
                "htm" | "html" => read(&charset::page(&bytes, None), Form::Html),
                "xhtml" | "xht" => read(&charset::page(&bytes, None), Form::Xml),
                "mht" | "mhtml" => match html_of_mime(&bytes) {
                    Some(page) => read(&page, Form::Html),
                    None => return Ok(None),
                },
                "txt" => charset::decode(&bytes, None).map(|plain| text::plain(&plain)),
                _ if bytes.trim_ascii_start().starts_with(b"<") => read(&charset::page(&bytes, None), Form::Html),
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

/// The page in a MIME message, such as a page saved as one file.
fn html_of_mime(message: &[u8]) -> Option<String> {
    let message = MessageParser::default().parse(message)?;
    message.parts.iter().find_map(|part| match &part.body {
        PartType::Html(page) => Some(page.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_a_message_is_found_and_decoded() {
        let quoted = b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>caf=C3=A9 =\r\nau lait</p>\r\n--x--\r\n";
        assert_eq!(html_of_mime(quoted).unwrap(), "<p>café au lait</p>");
        let coded = b"Content-Transfer-Encoding: base64\nContent-Type: text/html\n\nPHA+aGk8L3A+\n";
        assert_eq!(html_of_mime(coded).unwrap(), "<p>hi</p>");
        assert_eq!(html_of_mime(b"Content-Type: text/plain\n\nx"), None);
    }
}
