//! Mails (RFC 822, also saved web pages in MHTML) to Markdown: who wrote what to whom, the text, the names of attachments.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use crate::content::Content;
use crate::document::Document;
use crate::html::{self, Form};
use crate::kind::Kind;
use crate::reject::Reject;
use crate::text;

/// Mails within mails, at most. Deeper ones are only named.
const DEEPEST: usize = 4;

/// How many parts of a mail that breaks off are looked at.
const MOST_OPEN: usize = 16;

/// Reads a mail; `limit` bounds the text in bytes.
///
/// # Errors
/// The text exceeds the limit, or there is neither a header nor a body.
pub(crate) fn read(payload: &[u8], content: Content, limit: usize) -> Result<Document, Reject> {
    let payload = without_envelope(payload);
    let Some(mut mail) = MessageParser::default().parse(payload) else { return Err(Reject::Empty) };
    let completed = completed(&mail, payload);
    if let Some(whole) = completed.as_deref().and_then(|payload| MessageParser::default().parse(payload)) {
        take_apart(std::mem::replace(&mut mail, whole));
    }
    let mut text = Text { content, limit, blocks: Vec::new(), bytes: 0 };
    let read = text.mail(&mail, 0);
    let title = mail.subject().map(one_line).filter(|subject| !subject.is_empty());
    take_apart(mail);
    read?;
    Ok(Document { text: text.blocks.join("\n\n"), title, pages: None, kind: Kind::Mail })
}

/// Drops a mail part by part: mails within mails may be nested deeper than the stack allows.
fn take_apart(mail: Message) {
    let mut rest = vec![mail];
    while let Some(mut mail) = rest.pop() {
        for part in &mut mail.parts {
            if let PartType::Message(inner) = std::mem::take(&mut part.body) {
                rest.push(inner);
            }
        }
    }
}

/// A mail without the line that mailboxes put before it.
fn without_envelope(payload: &[u8]) -> &[u8] {
    match payload.starts_with(b"From ") {
        true => payload.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default(),
        false => payload,
    }
}

/// A mail that breaks off, with the ends of its parts; without them the last one cannot be decoded.
fn completed(mail: &Message, payload: &[u8]) -> Option<Vec<u8>> {
    if !mail.parts.iter().any(|part| part.is_encoding_problem) {
        return None;
    }
    let boundaries = mail.parts.iter().filter_map(|part| part.content_type()?.attribute("boundary"));
    let ends = boundaries.take(MOST_OPEN).map(|boundary| format!("--{boundary}--"));
    let open: Vec<String> =
        ends.filter(|end| !payload.windows(end.len()).any(|found| found == end.as_bytes())).collect();
    let mut whole = payload.to_vec();
    for end in open.iter().rev() {
        whole.extend_from_slice(format!("\r\n{end}").as_bytes());
    }
    (!open.is_empty()).then_some(whole)
}

/// The text so far.
struct Text {
    content: Content,
    limit: usize,
    blocks: Vec<String>,
    bytes: usize,
}

impl Text {
    fn mail(&mut self, mail: &Message, depth: usize) -> Result<(), Reject> {
        self.push(header(mail))?;
        // A mail may be sent in two forms: the HTML has the tables, and some senders leave the other one empty.
        let before = self.blocks.len();
        for part in mail.html_bodies() {
            self.body(part)?;
        }
        if self.blocks.len() == before {
            for part in mail.text_bodies() {
                self.body(part)?;
            }
        }
        let is_read = |part: &&MessagePart| depth < DEEPEST && matches!(part.body, PartType::Message(_));
        self.push(attachments(mail.attachments().filter(|part| !is_read(part))))?;
        for part in mail.attachments().filter(is_read) {
            if let PartType::Message(inner) = &part.body {
                self.mail(inner, depth + 1)?;
            }
        }
        Ok(())
    }

    fn body(&mut self, part: &MessagePart) -> Result<(), Reject> {
        match &part.body {
            PartType::Html(page) => self.push(html::read(page, Form::Html, self.content, self.limit)?.text),
            PartType::Text(words) => self.push(text::plain(words).text),
            _ => Ok(()),
        }
    }

    fn push(&mut self, block: String) -> Result<(), Reject> {
        self.bytes += block.len();
        if self.bytes > self.limit {
            return Err(Reject::TooLarge(self.limit));
        }
        if !block.trim().is_empty() {
            self.blocks.push(block);
        }
        Ok(())
    }
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

fn attachments<'a>(parts: impl Iterator<Item = &'a MessagePart<'a>>) -> String {
    let names: Vec<String> = parts
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

    #[test]
    fn mails_in_a_mail_are_read() {
        let inner =
            "Content-Type: message/rfc822\r\n\r\nFrom: Bo <bo@mill.example>\r\nSubject: Flour\r\n\r\nTen bags.\r\n";
        let mail = format!(
            "{HEADER}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
             Content-Type: text/plain\r\n\r\nSee below.\r\n--m\r\n{inner}--m--\r\n"
        );
        let read = text(&mail);
        assert!(read.ends_with("See below.\n\nFrom: Bo <bo@mill.example>\nSubject: Flour\n\nTen bags."), "{read}");
        let deep = format!("{}Subject: x\r\n\r\ny", "Content-Type: message/rfc822\r\n\r\n".repeat(100_000));
        assert!(text(&deep).len() < 1000);
    }

    #[test]
    fn a_mail_that_breaks_off_has_the_text_up_to_there() {
        let mail = format!(
            "From ann Mon Jun  2 08:00:00 2031\n{HEADER}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
             Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/html\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>gr=C3=BCn <b>and so"
        );
        let read = text(&mail);
        assert!(read.starts_with("From: Jörg") && read.ends_with("\n\ngrün and so"), "{read}");
    }
}
