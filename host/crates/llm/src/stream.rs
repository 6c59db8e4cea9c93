//! Takes the body of an answer in as it comes: a document in one piece, or a stream whose events make one. Pure.
//!
//! Of a stream only the answer is kept, so that a long one takes no more memory than it would in one piece. Whether a body
//! is a stream shows in its first bytes, whatever was asked for: some servers stream unasked, others never.

use bytes::{Bytes, BytesMut};
use serde_json::Value;

/// How many bytes of a stream may come for each that its answer may have: every word comes with ids and numbers around it.
const BYTES_PER_BYTE: usize = 64;
/// What the lines of an event stream begin with. JSON begins with nothing of the kind.
const FIELDS: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What an event means for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// More must follow.
    Part,
    /// The answer is whole; its counts may still follow.
    Whole,
    /// Nothing follows that matters.
    Last,
    /// No event of this API.
    Unreadable,
}

/// Puts the events of one stream together, as an API sends them.
pub(crate) trait Gather: Send {
    /// Takes in the data of an event.
    fn add(&mut self, data: &str) -> Taken;

    /// How many bytes of the answer are kept so far.
    fn size(&self) -> usize;

    /// The body that the API would have sent in one piece, or the error in the stream. `None` if its end is missing: what
    /// came before is only a part of an answer.
    fn whole(&mut self) -> Option<Value>;
}

/// What separates the events of an API's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `data:` lines and an empty one (server-sent events).
    Events,
    /// Each line is an event, unless it begins as server-sent events do.
    Lines,
}

/// How the answer to a request is put together, should it come as a stream.
pub(crate) struct Gathering {
    pub(crate) framing: Framing,
    pub(crate) gather: Box<dyn Gather>,
}

/// The body is larger than its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// The stream has no end, or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut;

/// A body on its way.
pub(crate) struct Incoming {
    gather: Box<dyn Gather>,
    framing: Framing,
    form: Form,
    /// What is not taken in yet: the whole body, or of a stream the line that has not ended.
    rest: BytesMut,
    /// How much of it has no end of a line.
    searched: usize,
    /// The data of the event that has not ended.
    data: String,
    received: usize,
    most: usize,
    /// What the last event meant. `None` before the first.
    taken: Option<Taken>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Too few bytes to tell.
    Open,
    Document,
    Events,
    Lines,
}

impl Incoming {
    /// An empty body. The answer may have `most` bytes.
    pub(crate) fn new(Gathering { framing, gather }: Gathering, most: usize) -> Self {
        let (rest, data) = (BytesMut::new(), String::new());
        Self { gather, framing, form: Form::Open, rest, searched: 0, data, received: 0, most, taken: None }
    }

    /// Takes in the next bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.received = self.received.saturating_add(bytes.len());
        self.rest.extend_from_slice(bytes);
        if self.form == Form::Open {
            self.form = form(&self.rest, self.framing);
        }
        if matches!(self.form, Form::Events | Form::Lines) {
            while let Some(more) = self.rest.iter().skip(self.searched).position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(self.searched + more + 1);
                self.searched = 0;
                self.line(&line);
            }
            self.searched = self.rest.len();
        }
        let pending = self.rest.len().saturating_add(self.data.len()).saturating_add(self.gather.size());
        if pending > self.most || self.received > self.most.saturating_mul(BYTES_PER_BYTE) {
            return Err(TooLarge);
        }
        Ok(())
    }

    /// What the last event meant. `None` if there was none, as in a body that is no stream.
    pub(crate) fn taken(&self) -> Option<Taken> {
        self.taken
    }

    /// Whether something came that an answer begins with.
    pub(crate) fn has_begun(&self) -> bool {
        self.taken.is_some() || self.rest.trim_ascii_start().starts_with(b"{")
    }

    /// Whether the answer is complete, whatever becomes of the connection.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.taken, Some(Taken::Whole | Taken::Last))
    }

    /// The body in one piece.
    pub(crate) fn end(mut self) -> Result<Bytes, Cut> {
        if matches!(self.form, Form::Open | Form::Document) {
            return Ok(self.rest.freeze());
        }
        let line = self.rest.split();
        self.line(&line);
        self.event();
        match self.taken {
            Some(Taken::Unreadable) => Err(Cut),
            _ => self.gather.whole().map(|body| body.to_string().into()).ok_or(Cut),
        }
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii_end();
        let Ok(line) = std::str::from_utf8(line) else { return self.note(Taken::Unreadable) };
        match (self.form, line.strip_prefix("data:")) {
            (Form::Lines, _) => {
                self.data.push_str(line);
                self.event();
            }
            // An event may spread its data over several lines; it ends with an empty one.
            (_, Some(more)) => {
                self.data.push_str(more);
                self.data.push('\n');
            }
            (_, None) if line.is_empty() => self.event(),
            // Its name, its number, or a comment that keeps the connection open.
            (_, None) => {}
        }
    }

    fn event(&mut self) {
        let data = std::mem::take(&mut self.data);
        let data = data.trim();
        if !data.is_empty() && !matches!(self.taken, Some(Taken::Last | Taken::Unreadable)) {
            let taken = self.gather.add(data);
            self.note(taken);
        }
    }

    /// A stream that was whole stays so, and one that could not be read too.
    fn note(&mut self, now: Taken) {
        self.taken = match (self.taken, now) {
            (Some(Taken::Unreadable), _) => Some(Taken::Unreadable),
            (Some(Taken::Whole), Taken::Part | Taken::Unreadable) => Some(Taken::Whole),
            (Some(Taken::Last), _) => Some(Taken::Last),
            _ => Some(now),
        };
    }
}

/// What a body that begins like this is.
fn form(body: &[u8], framing: Framing) -> Form {
    let begin = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body).trim_ascii_start();
    if begin.is_empty() || BYTE_ORDER_MARK.starts_with(begin) {
        return Form::Open;
    }
    if FIELDS.iter().any(|field| begin.starts_with(field)) {
        return Form::Events;
    }
    if FIELDS.iter().any(|field| field.starts_with(begin)) {
        return Form::Open;
    }
    match begin.iter().position(|byte| *byte == b'\n') {
        _ if framing == Framing::Events || begin.first() != Some(&b'{') => Form::Document,
        // A document over several lines is none of a line.
        Some(end) if serde_json::from_slice::<Value>(&begin[..end]).is_ok() => Form::Lines,
        Some(_) => Form::Document,
        None => Form::Open,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Joins strings, up to `"end"`; any other event is unreadable.
    #[derive(Default)]
    struct Words {
        text: String,
        ended: bool,
    }

    impl Gather for Words {
        fn add(&mut self, data: &str) -> Taken {
            match serde_json::from_str(data) {
                Ok(Value::String(end)) if end == "end" => {
                    self.ended = true;
                    Taken::Whole
                }
                Ok(Value::Object(_)) => Taken::Last,
                Ok(Value::String(word)) => {
                    self.text += &word;
                    Taken::Part
                }
                _ => Taken::Unreadable,
            }
        }

        fn size(&self) -> usize {
            self.text.len()
        }

        fn whole(&mut self) -> Option<Value> {
            self.ended.then(|| json!(self.text))
        }
    }

    fn incoming(framing: Framing, most: usize) -> Incoming {
        Incoming::new(Gathering { framing, gather: Box::<Words>::default() }, most)
    }

    /// What becomes of a body, in pieces of every size.
    fn read(framing: Framing, body: &str) -> Result<String, Cut> {
        let whole = |size: usize| {
            let mut incoming = incoming(framing, 1_000);
            for piece in body.as_bytes().chunks(size) {
                incoming.take(piece).unwrap();
            }
            incoming.end().map(|body| String::from_utf8(body.to_vec()).unwrap())
        };
        let once = whole(body.len().max(1));
        for size in 1..body.len() {
            assert_eq!(whole(size), once, "in pieces of {size}: {body}");
        }
        once
    }

    #[test]
    fn events_are_put_together_wherever_they_are_cut() {
        for body in [
            "data: \"hél\"\n\ndata: \"lo\"\n\ndata: \"end\"\n\n",
            "\u{feff}: ping\r\n\r\nevent: word\r\nid: 1\r\ndata: \"hél\"\r\n\r\ndata:\"lo\"\r\n\r\ndata: \"end\"",
            "retry: 5\ndata:\ndata: \"héllo\"\ndata:\n\n\n\ndata: \"end\"\n",
        ] {
            assert_eq!(read(Framing::Events, body).as_deref(), Ok("\"héllo\""), "{body}");
        }
        assert_eq!(read(Framing::Lines, "{}\n").as_deref(), Err(&Cut), "no end");
        assert_eq!(
            read(Framing::Lines, "data: \"a\"\n\ndata: \"end\"\n\n").as_deref(),
            Ok("\"a\""),
            "whatever the API"
        );
    }

    #[test]
    fn a_document_is_left_as_it_is() {
        for body in ["{\"data:\": 1}", " \n{}", "", "<html>", "\"data:\"", "{\n  \"a\": 1\n}\n", "[{}]\n", "dat", "{}"]
        {
            for framing in [Framing::Events, Framing::Lines] {
                assert_eq!(read(framing, body).as_deref(), Ok(body));
            }
        }
    }

    #[test]
    fn a_stream_that_breaks_off_or_cannot_be_read_is_cut() {
        for body in [
            "data: \"a\"\n\n",
            ": ping\n\n",
            "data: \"a\"\n\ndata: \"b",
            "data: \"a\"\n\ndata: [1\n\ndata: \"end\"\n\n",
        ] {
            assert_eq!(read(Framing::Events, body), Err(Cut), "{body}");
        }
        let mut invalid = incoming(Framing::Events, 1_000);
        invalid.take(b"data: \"\xff\"\n\ndata: \"end\"\n\n").unwrap();
        assert_eq!(invalid.end(), Err(Cut));
    }

    #[test]
    fn what_follows_the_end_changes_nothing() {
        for rest in ["data: \"", "data: [1\n\n", "\u{0}\n\n", "data: {}\n\ndata: nonsense\n\n"] {
            let body = format!("data: \"a\"\n\ndata: \"end\"\n\n{rest}");
            assert_eq!(read(Framing::Events, &body).as_deref(), Ok("\"a\""), "{rest}");
        }
        let mut incoming = incoming(Framing::Events, 1_000);
        assert_eq!((incoming.taken(), incoming.is_whole()), (None, false));
        for (piece, taken, whole) in [
            ("data: \"a\"\n\n", Taken::Part, false),
            ("data: \"end\"\n\n", Taken::Whole, true),
            ("data: {}\n\n", Taken::Last, true),
            ("data: \"b\"\n\n", Taken::Last, true),
        ] {
            incoming.take(piece.as_bytes()).unwrap();
            assert_eq!((incoming.taken(), incoming.is_whole()), (Some(taken), whole), "{piece}");
        }
    }

    #[test]
    fn the_answer_is_bounded_and_not_what_is_sent_around_it() {
        let mut document = incoming(Framing::Events, 10);
        assert_eq!(document.take(b"0123456789"), Ok(()));
        assert_eq!(document.take(b"0"), Err(TooLarge));
        let mut words = incoming(Framing::Events, 10);
        for _ in 0..9 {
            words.take(b"data:\"a\"\n\n").unwrap();
        }
        assert_eq!(words.take(b"data:\"aa\"\n\n"), Err(TooLarge), "eleven letters");
        let mut pings = incoming(Framing::Events, 10);
        let taken = (0..1_000).filter(|_| pings.take(b": ping\n\n").is_ok()).count();
        assert_eq!(taken, 80, "64 times the bound");
        let mut line = incoming(Framing::Events, 10);
        assert_eq!(line.take(b"data:01234567890"), Err(TooLarge));
    }
}
