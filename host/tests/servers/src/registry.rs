//! A small OCI registry over real HTTP: manifests and blobs as a test puts them there, and answers that break off, never end,
//! lead elsewhere or ask who is there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A registry on a free local port, until it is dropped.
pub struct Registry {
    address: SocketAddr,
    shelf: Arc<Mutex<Shelf>>,
}

/// What a registry answers to one path.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes.
    Whole(Vec<u8>),
    /// These bytes but for the last, without which the connection ends.
    Truncated(Vec<u8>),
    /// Bytes without end, whose number is not said.
    Endless,
    /// Another address.
    Elsewhere(String),
    /// A status without content.
    Status(u16),
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path and the query.
    pub path: String,
    /// The header `authorization`.
    pub authorization: Option<String>,
}

#[derive(Default)]
struct Shelf {
    answers: BTreeMap<String, Answer>,
    /// What requests have to have as `authorization`, and the challenge for those that have not.
    locked: Option<(String, String)>,
    asked: Vec<Asked>,
    is_over: bool,
}

impl Registry {
    /// Starts an empty one.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let shared = Arc::clone(&shelf);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if lock(&shared).is_over {
                    return;
                }
                let (Ok(stream), shelf) = (stream, Arc::clone(&shared)) else { continue };
                // A client that breaks off is not the registry's fault.
                thread::spawn(move || serve(&stream, &shelf).ok());
            }
        });
        Self { address, shelf }
    }

    /// Where it is, as host:port.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Sets what it answers to a path such as `/v2/name/blobs/sha256:…`.
    pub fn put(&self, path: impl Into<String>, answer: Answer) {
        lock(&self.shelf).answers.insert(path.into(), answer);
    }

    /// From now on, everything below `/v2/` needs this header `authorization`; without it, it answers 401 with this challenge.
    pub fn lock(&self, authorization: &str, challenge: &str) {
        lock(&self.shelf).locked = Some((authorization.into(), challenge.into()));
    }

    /// What it was asked, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shelf).asked.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        lock(&self.shelf).is_over = true;
        // Wakes the thread that waits for the next connection.
        TcpStream::connect(self.address).ok();
    }
}

fn lock(shelf: &Mutex<Shelf>) -> std::sync::MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers one request, and ends the connection.
fn serve(mut stream: &TcpStream, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let head = lines.next().transpose()?.unwrap_or_default();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut authorization = None;
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let (answer, challenge) = {
        let mut shelf = lock(shelf);
        shelf.asked.push(Asked { path: path.clone(), authorization: authorization.clone() });
        let locked = shelf
            .locked
            .as_ref()
            .filter(|(wanted, _)| path.starts_with("/v2/") && authorization.as_deref() != Some(wanted));
        let challenge = locked.map(|(_, challenge)| challenge.clone());
        let bare = path.split('?').next().unwrap_or_default();
        (shelf.answers.get(bare).cloned().unwrap_or(Answer::Status(404)), challenge)
    };
    let end = "connection: close\r\n\r\n";
    if let Some(challenge) = challenge {
        return write!(
            stream,
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: {challenge}\r\ncontent-length: 0\r\n{end}"
        );
    }
    match answer {
        Answer::Whole(bytes) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{end}", bytes.len())?;
            stream.write_all(&bytes)
        }
        Answer::Truncated(bytes) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{end}", bytes.len())?;
            stream.write_all(&bytes[..bytes.len().saturating_sub(1)])
        }
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n{end}")?;
            loop {
                stream.write_all(&[0; 64 << 10])?;
            }
        }
        Answer::Elsewhere(location) => {
            write!(stream, "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\ncontent-length: 0\r\n{end}")
        }
        Answer::Status(status) => write!(stream, "HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n{end}"),
    }
}
