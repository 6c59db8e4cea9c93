//! Who changed what: a line before each change, and one after it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use gristmill_core::model::{Caller, Owner, Timestamp};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

/// How many lines may wait to be written. More changes than that wait themselves.
const WAITING: usize = 1_000;

/// The outcome of a change that is not made yet.
const ASKED: &str = "asked";

/// Why a change is not written down. It must not be made then.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be opened.
    #[error("api.audit: {path} cannot be opened for appending: {reason}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: io::Error,
    },
    /// A line cannot be written.
    #[error("the audit log cannot be written, so nothing is changed: {0}")]
    Write(String),
}

/// Who asks for something, and from which address.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    pub(crate) from: SocketAddr,
}

/// A change that somebody asks for. Without anything of a token or a body.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Who; `None` where there are no tokens.
    pub(crate) caller: Option<Owner>,
    /// From which address.
    pub(crate) from: SocketAddr,
    /// What: `submit`, `cancel`, `retry`, `redeliver`.
    pub(crate) act: &'static str,
    /// Of which pipeline; empty if that is not known yet.
    pub(crate) pipeline: String,
    /// Which job or batch, or how many; empty if that is not known yet.
    pub(crate) job: String,
}

impl Change {
    pub(crate) fn of(asker: &Asker, act: &'static str, pipeline: &str, job: impl Into<String>) -> Self {
        let caller = asker.caller.owner.clone();
        Self { caller, from: asker.from, act, pipeline: pipeline.to_owned(), job: job.into() }
    }
}

/// A change that is written down, and may be made.
#[derive(Debug)]
pub(crate) struct Asked {
    change: Change,
    request: String,
}

/// A line, as it is written.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    /// The same in both lines of a change.
    request: &'a str,
    /// `asked`, or what became of it.
    outcome: &'a str,
    act: &'a str,
    tenant: Option<&'a str>,
    subject: Option<&'a str>,
    from: SocketAddr,
    pipeline: &'a str,
    job: &'a str,
}

/// A line for the file, and who waits for it.
type Waiting = (Vec<u8>, oneshot::Sender<Result<(), String>>);

/// Where the lines go.
enum Target {
    /// To a thread that has the file.
    File(mpsc::Sender<Waiting>),
    /// To the log.
    Log,
}

/// The audit log.
pub(crate) struct Audit {
    target: Target,
    clock: fn() -> Timestamp,
}

impl Audit {
    /// Opens the file, which only its owner may read if it is new; without one, lines go to the log.
    ///
    /// # Errors
    /// If it cannot be opened for appending.
    pub(crate) fn open(path: Option<&Path>, clock: fn() -> Timestamp) -> Result<Self, AuditError> {
        let Some(path) = path else { return Ok(Self { target: Target::Log, clock }) };
        let failed = |reason| AuditError::Open { path: path.to_owned(), reason };
        // A pipe without a reader would block for ever.
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(failed(io::Error::other("it is not a regular file")));
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        let (lines, waiting) = mpsc::channel(WAITING);
        // A disk may take long, and the tasks of a runtime must not wait for it. Ends with the sender.
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(file, waiting)).map_err(failed)?;
        Ok(Self { target: Target::File(lines), clock })
    }

    /// Writes down that somebody asks for a change. It is with the system when this returns: a crash of the process does not
    /// lose it. A dropped call might still write it.
    ///
    /// # Errors
    /// If it cannot be written. Then the change must not be made.
    pub(crate) async fn asked(&self, change: Change) -> Result<Asked, AuditError> {
        let asked = Asked { request: format!("{:016x}", fastrand::u64(..)), change };
        self.line(&asked, ASKED).await?;
        Ok(asked)
    }

    /// Writes down what became of it: `done`, or the type of the problem; and the job, if it was not known. If that
    /// cannot be written, the log says so: the change is made.
    pub(crate) async fn answered(&self, mut asked: Asked, outcome: &str, job: Option<&str>) {
        if let Some(job) = job {
            job.clone_into(&mut asked.change.job);
        }
        if let Err(reason) = self.line(&asked, outcome).await {
            error!(%reason, request = asked.request, outcome, "the second line of a change is missing in the audit log");
        }
    }

    async fn line(&self, asked: &Asked, outcome: &str) -> Result<(), AuditError> {
        let Asked { change, request } = asked;
        let Change { caller, from, act, pipeline, job } = change;
        let (tenant, subject) = (caller.as_ref().map(|c| &*c.tenant), caller.as_ref().map(|c| &*c.subject));
        match &self.target {
            // There, one line is enough: nothing is refused for want of it.
            Target::Log if outcome == ASKED => Ok(()),
            Target::Log => {
                info!(target: "gristmill::audit", request, outcome, act, ?tenant, ?subject, %from, ?pipeline, ?job, "audit");
                Ok(())
            }
            Target::File(lines) => {
                let time = time((self.clock)());
                let line = Line { time, request, outcome, act, tenant, subject, from: *from, pipeline, job };
                // In JSON a text is one line, whatever is in it.
                let mut line = serde_json::to_vec(&line).map_err(|error| AuditError::Write(error.to_string()))?;
                line.push(b'\n');
                let (written, wait) = oneshot::channel();
                let gone = || AuditError::Write("its thread has ended".to_owned());
                lines.send((line, written)).await.map_err(|_| gone())?;
                wait.await.map_err(|_| gone())?.map_err(AuditError::Write)
            }
        }
    }
}

fn time(at: Timestamp) -> String {
    let since = Duration::from_millis(u64::try_from(at.0).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// Writes lines, those that wait together, until nobody can send any more.
fn write(mut file: File, mut waiting: mpsc::Receiver<Waiting>) {
    // Whether the end of the file may be half a line.
    let mut is_torn = false;
    while let Some((line, first)) = waiting.blocking_recv() {
        let (mut lines, mut told) = (if is_torn { b"\n".to_vec() } else { Vec::new() }, vec![first]);
        lines.extend(line);
        while let Ok((line, next)) = waiting.try_recv() {
            lines.extend(line);
            told.push(next);
        }
        let written = file.write_all(&lines).map_err(|error| error.to_string());
        is_torn = written.is_err();
        for waits in told {
            // Whoever asked may be gone.
            let _ = waits.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::Value;

    use super::*;

    fn clock() -> Timestamp {
        Timestamp(1_800_000_000_123)
    }

    fn change(job: &str) -> Change {
        Change {
            caller: Some(Owner { tenant: "acme".into(), subject: "ann\n{\"act\":\"forged\"}".into() }),
            from: "192.0.2.1:5000".parse().unwrap(),
            act: "cancel",
            pipeline: "contracts".into(),
            job: job.into(),
        }
    }

    #[tokio::test]
    async fn a_change_has_two_lines_whatever_is_in_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let audit = Audit::open(Some(&path), clock).unwrap();
        let asked = audit.asked(change("")).await.unwrap();
        let before = std::fs::read_to_string(&path).unwrap();
        assert_eq!(before.lines().count(), 1);
        audit.answered(asked, "done", Some("job\r\n1")).await;
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [first, second] = lines.as_slice() else { panic!("{text}") };
        assert_eq!(first["time"], "2027-01-15T08:00:00.123Z");
        assert_eq!((&first["outcome"], &second["outcome"]), (&"asked".into(), &"done".into()));
        assert_eq!((&first["job"], &second["job"]), (&"".into(), &"job\r\n1".into()));
        assert_eq!(first["request"], second["request"]);
        assert_eq!((&first["tenant"], &first["act"]), (&"acme".into(), &"cancel".into()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn an_old_file_is_continued_and_many_lines_stay_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let audit = Audit::open(Some(&path), clock).unwrap();
        let asks = (0..500).map(|number| audit.asked(change(&number.to_string())));
        assert!(futures_util::future::join_all(asks).await.iter().all(Result::is_ok));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 501);
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_changed() {
        // Every write to it fails: there is no space.
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let (lines, waiting) = mpsc::channel(1);
        std::thread::spawn(move || write(full, waiting));
        let audit = Audit { target: Target::File(lines), clock };
        let error = audit.asked(change("a")).await.unwrap_err();
        assert!(error.to_string().contains("nothing is changed"), "{error}");
        assert!(Audit::open(Some(Path::new("/dev/full")), clock).is_err());
        assert!(Audit::open(Some(Path::new("/nonexistent/audit")), clock).is_err());
    }
}
