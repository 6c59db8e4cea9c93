//! What commands write to standard output and standard error. A reader that has gone, as `head` does, is no failure and
//! no panic.

use std::io::{self, Write};
use std::os::fd::AsFd;

use anyhow::Context;
use tokio::io::Interest;
use tokio::net::unix::pipe;

/// Whether somebody still reads standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Listening,
    Gone,
}

/// Writes to standard output.
///
/// # Errors
/// When it cannot be written for another reason than that its reader has gone.
pub(crate) fn print(text: &str) -> anyhow::Result<Reader> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// Writes a line to standard error, where nothing can be said about a failure.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Returns when the reader of standard output has gone; never if that cannot be known, as for a file.
pub(crate) async fn reader_gone() {
    // Unchecked, because the check would make writes to it return before they are done.
    match io::stdout().as_fd().try_clone_to_owned().and_then(pipe::Sender::from_owned_fd_unchecked) {
        Ok(stdout) => drop(stdout.ready(Interest::ERROR).await),
        Err(_) => std::future::pending().await,
    }
}

fn written(result: io::Result<()>) -> anyhow::Result<Reader> {
    match result {
        Ok(()) => Ok(Reader::Listening),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(error).context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let failed = |kind: io::ErrorKind| written(Err(kind.into()));
        assert_eq!(written(Ok(())).unwrap(), Reader::Listening);
        assert_eq!(failed(io::ErrorKind::BrokenPipe).unwrap(), Reader::Gone);
        assert!(failed(io::ErrorKind::StorageFull).unwrap_err().to_string().contains("standard output"));
    }
}
