//! Server-sent events, as far as an admin server sends them: named events with data, and comments.

/// A line beyond this is cut off: no item is that large.
const LONGEST: usize = 1 << 20;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    /// Its name; "message" if it has none.
    pub(super) name: String,
    /// Its data; lines are joined.
    pub(super) data: String,
}

/// What has arrived of a stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    /// Whether the last byte was a carriage return, which a line feed may follow.
    returned: bool,
}

impl Stream {
    /// Takes what arrived, and returns the events that are whole now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<Sent> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                _ if self.line.len() < LONGEST => self.line.push(byte),
                _ => {}
            }
        }
        events
    }

    /// Takes a line. An empty one ends an event, which counts if it has data.
    fn line(&mut self, line: &str) -> Option<Sent> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return self.data.take().map(|data| Sent { name, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                None => self.data = Some(value.to_owned()),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
            },
            // Comments have an empty field; ids and retry times are not used.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str, data: &str) -> Sent {
        Sent { name: name.into(), data: data.into() }
    }

    #[test]
    fn events_arrive_whole_however_they_are_cut() {
        let text = b": hello\n\nevent: item\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\nevent: nothing\n\n";
        let expected = [sent("item", "{\"a\":\n1}"), sent("message", "x")];
        assert_eq!(Stream::default().take(text), expected);
        let mut stream = Stream::default();
        let one_by_one: Vec<Sent> = text.iter().flat_map(|byte| stream.take(&[*byte])).collect();
        assert_eq!(one_by_one, expected);
    }

    #[test]
    fn an_endless_line_takes_no_endless_memory() {
        let mut stream = Stream::default();
        stream.take(b"data: ");
        for _ in 0..3 {
            stream.take(&vec![b'x'; LONGEST]);
        }
        assert_eq!(stream.take(b"\n\n")[0].data.len(), LONGEST - "data: ".len());
    }
}
