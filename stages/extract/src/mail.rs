//! Mails (RFC 822, also saved web pages in MHTML) to Markdown: who wrote what to whom, the text, the names of attachments.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::content::Content;
use crate::document::Document;
use crate::html::{self, Form};
use crate::kind::Kind;
use crate::reject::Reject;
use crate::text;

/// Reads a mail; `limit` bounds the text in bytes.
///
/// # Errors
/// The text exceeds the limit, or there is neither a header nor a body.
pub(crate) fn read(payload: &[u8], content: Content, limit: usize) -> Result<Document, Reject> {
    let Some(mail) = MessageParser::default().parse(payload) else { return Err(Reject::Empty) };
    let mut blocks = vec![header(&mail)];
    let mut bytes = 0;
    // A mail may be sent in two forms: the HTML has the tables, and some senders leave the other one empty.
    for part in mail.html_bodies() {
        let body = body(part, content, limit)?;
        bytes += body.len();
        if bytes > limit {
            return Err(Reject::TooLarge(limit));
        }
        blocks.push(body);
    }
    blocks.push(attachments(&mail));
    blocks.retain(|block| !block.trim().is_empty());
    let title = mail.subject().map(one_line).filter(|subject| !subject.is_empty());
    Ok(Document { text: blocks.join("\n\n"), title, pages: None, kind: Kind::Mail })
}

fn header(mail: &Message) -> String {
    let mut lines = Vec::new();
    for (name, who) in [("From", mail.from()), ("To", mail.to()), ("Cc", mail.cc())] {
        let people = who.map(list).unwrap_or_default();
        if !people.is_empty() {
            lines.push(format!("{name}: {people}"));
        }
    }
    if let Some(date) = mail.date().filter(|date| date.is_valid()) {
        lines.push(format!("Date: {}", date.to_rfc3339()));
    }
    if let Some(subject) = mail.subject() {
        lines.push(format!("Subject: {}", one_line(subject)));
    }
    lines.join("\n")
}

fn list(who: &Address) -> String {
    let people: Vec<String> = who
        .iter()
        .filter_map(|person| match (person.name(), person.address()) {
            (Some(name), Some(address)) => Some(format!("{} <{address}>", one_line(name))),
            (Some(one), None) | (None, Some(one)) => Some(one_line(one)),
            (None, None) => None,
        })
        .collect();
    people.join(", ")
}

fn body(part: &MessagePart, content: Content, limit: usize) -> Result<String, Reject> {
    match &part.body {
        PartType::Html(page) => Ok(html::read(page, Form::Html, content, limit)?.text),
        PartType::Text(words) => Ok(text::plain(words).text),
        _ => Ok(String::new()),
    }
}

fn attachments(mail: &Message) -> String {
    let names: Vec<String> = mail
        .attachments()
        .filter_map(|part| match &part.body {
            PartType::Message(inner) => inner.subject().or_else(|| part.attachment_name()),
            _ => part.attachment_name(),
        })
        .map(one_line)
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("Attachments: {}", names.join(", ")),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(mail: &str) -> String {
        read(mail.as_bytes(), Content::Main, 10_000).unwrap().text
    }

    const HEADER: &str = "From: =?utf-8?q?J=C3=B6rg?= <joerg@mill.example>\r\nTo: Ann <ann@mill.example>\r\n\
                          Subject: Order 7\r\nDate: Mon, 2 Jun 2031 08:00:00 +0200\r\n";

    #[test]
    fn a_mail_is_its_header_and_its_text() {
        let mail = format!(
            "{HEADER}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe"
        );
        assert_eq!(
            text(&mail),
            "From: Jörg <joerg@mill.example>\nTo: Ann <ann@mill.example>\nDate: 2031-06-02T08:00:00+02:00\n\
             Subject: Order 7\n\nGrüße"
        );
        assert_eq!(read(mail.as_bytes(), Content::Main, 1000).unwrap().title.as_deref(), Some("Order 7"));
    }

    #[test]
    fn of_two_forms_one_is_read_and_attachments_are_named() {
        let mail = format!(
            "{HEADER}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
             Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nplain form\r\n\
             --a\r\nContent-Type: text/html\r\n\r\n<p>rich <b>form</b></p>\r\n--a--\r\n\
             --m\r\nContent-Type: application/pdf; name=\"offer.pdf\"\r\nContent-Disposition: attachment; filename=\"offer.pdf\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nSGk=\r\n--m--\r\n"
        );
        let text = text(&mail);
        assert!(text.ends_with("\n\nrich form\n\nAttachments: offer.pdf"), "{text}");
        assert!(!text.contains("plain form"), "{text}");
    }
}
