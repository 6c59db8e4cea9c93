//! Reads a file that a configuration or a command line names. The only way to: such a path may name anything.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::quantity::ByteSize;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else: a folder, a pipe, a device.
    #[error("it is {what}, not a regular file")]
    NotAFile {
        /// What it is, with an article.
        what: &'static str,
    },
    /// It is larger than allowed.
    #[error("it is larger than {most}")]
    TooLarge {
        /// The bound.
        most: ByteSize,
    },
}

/// Reads a regular file of at most `most` bytes; symbolic links are followed. Nothing else is read or waited for: a pipe
/// would block for ever, a device may have no end.
///
/// # Errors
/// If it is no such file, or cannot be read.
pub fn read_file(path: &Path, most: ByteSize) -> Result<Vec<u8>, ReadError> {
    // Before it is opened, because for a device that alone can have an effect.
    check(std::fs::metadata(path)?.file_type())?;
    // And after, in case it was replaced in between; hence an open that does not block.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from)?);
    let metadata = file.metadata()?;
    check(metadata.file_type())?;
    if metadata.len() > most.get() {
        return Err(ReadError::TooLarge { most });
    }
    // It may grow meanwhile, and files of the kernel give no size.
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(most.get().saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most.get() {
        return Err(ReadError::TooLarge { most });
    }
    Ok(bytes)
}

fn check(kind: FileType) -> Result<(), ReadError> {
    let what = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(ReadError::NotAFile { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        read_file(path, ByteSize::kib(1)).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_through_links_too() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        std::fs::write(&file, vec![b'x'; 1024]).unwrap();
        assert_eq!(read_file(&link, ByteSize::kib(1)).unwrap().len(), 1024);
        std::fs::write(&file, vec![b'x'; 1025]).unwrap();
        assert_eq!(refused(&link), "it is larger than 1KiB");
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(refused(&pipe), "it is a named pipe, not a regular file");
        assert_eq!(refused(Path::new("/dev/zero")), "it is a device, not a regular file");
        assert_eq!(refused(folder.path()), "it is a folder, not a regular file");
        assert!(refused(&folder.path().join("nothing")).contains("No such file"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_without_a_size_is_bounded_too() {
        // Regular, and of length 0 by its metadata.
        assert!(matches!(
            read_file(Path::new("/proc/self/smaps"), ByteSize::bytes(10)),
            Err(ReadError::TooLarge { .. })
        ));
    }
}
