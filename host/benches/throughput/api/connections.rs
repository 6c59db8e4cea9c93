//! HTTP over connections that stay open, with as little work as possible: the host is what is measured.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Its `ETag`.
    pub(super) tag: Option<String>,
}

/// Connections to one server, each for one request at a time, in turn: a server closes those that are idle for long.
pub(super) struct Connections {
    address: SocketAddr,
    idle: Mutex<VecDeque<Connection>>,
    room: Semaphore,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connections {
    /// At most so many.
    pub(super) fn new(address: SocketAddr, most: usize) -> Arc<Self> {
        Arc::new(Self { address, idle: Mutex::default(), room: Semaphore::new(most) })
    }

    /// Sends a request and reads the answer, once a connection is free.
    pub(super) async fn ask(&self, request: &[u8]) -> Answer {
        let _room = self.room.acquire().await.unwrap();
        let idle = self.idle.lock().unwrap().pop_front();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                Connection { stream, buffer: Vec::with_capacity(4_096) }
            }
        };
        let answer = connection.ask(request).await;
        self.idle.lock().unwrap().push_back(connection);
        answer
    }
}

impl Connection {
    async fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.unwrap();
        self.buffer.clear();
        let (answer, whole) = loop {
            let read = self.stream.read_buf(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the server has closed a connection");
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
                let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
                let length = header("content-length: ").map_or(0, |length| length.parse::<usize>().unwrap());
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                break (Answer { status, tag: header("etag: ").map(str::to_owned) }, end + 4 + length);
            }
        };
        while self.buffer.len() < whole {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0, "an answer broke off");
        }
        answer
    }
}
