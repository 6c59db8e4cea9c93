//! Opens the file of a store: creates it for this user alone, checks that it is Gristmill's, and migrates it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::failure::{HELD, reason};
use gristmill_core::ports::StoreError;

/// How long opening waits for another process that writes the same file.
const BUSY: Duration = Duration::from_secs(60);
/// How many statements a connection keeps prepared: more than there are, but for filters of lists.
const STATEMENTS: usize = 128;
/// SQLite's `application_id` of the file, which marks it as Gristmill's.
const APPLICATION: i32 = 0x4772_6973;
/// The log is truncated to this size when it begins anew. Where it is written over, a sync has less to do.
const LOG_BYTES: i64 = 32 << 20;

/// The migrations to the newest version, in order. Never change a released one: add another.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE job (
        id      INTEGER PRIMARY KEY,
        name    TEXT NOT NULL UNIQUE,
        touched INTEGER NOT NULL,
        ended   INTEGER,
        state   INTEGER
    ) STRICT;
    CREATE INDEX job_unfinished ON job (touched) WHERE ended IS NULL;
    CREATE INDEX job_ended ON job (ended) WHERE ended IS NOT NULL;
    CREATE TABLE kept (
        job   INTEGER NOT NULL,
        key   BLOB NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (job, key)
    ) STRICT;
    CREATE TABLE document (
        id      INTEGER PRIMARY KEY,
        name    TEXT NOT NULL UNIQUE,
        touched INTEGER NOT NULL,
        last    BLOB,
        begun   BLOB,
        empty   INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX document_empty ON document (touched) WHERE empty;
    CREATE TABLE item (
        document   INTEGER NOT NULL,
        topic      TEXT NOT NULL,
        name       TEXT NOT NULL,
        generation BLOB NOT NULL,
        PRIMARY KEY (document, topic, name)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE spent (
        day          INTEGER NOT NULL,
        stage        TEXT NOT NULL,
        alias        TEXT NOT NULL,
        target       TEXT NOT NULL,
        calls        INTEGER NOT NULL,
        input        INTEGER NOT NULL,
        cached_input INTEGER NOT NULL,
        output       INTEGER NOT NULL,
        nano_usd     INTEGER NOT NULL,
        unpriced     INTEGER NOT NULL,
        PRIMARY KEY (day, stage, alias, target)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE answer (
        id      INTEGER PRIMARY KEY,
        key     BLOB NOT NULL UNIQUE,
        expires INTEGER NOT NULL,
        bytes   INTEGER NOT NULL,
        value   BLOB NOT NULL
    ) STRICT;
    CREATE INDEX answer_expires ON answer (expires, bytes);
    ",
    include_str!("records.sql"),
    "
    CREATE TABLE state_space (
        stage   TEXT PRIMARY KEY,
        keys    INTEGER NOT NULL,
        bytes   INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE state (
        stage   TEXT NOT NULL,
        key     TEXT NOT NULL,
        version INTEGER NOT NULL,
        value   BLOB NOT NULL,
        PRIMARY KEY (stage, key)
    ) STRICT, WITHOUT ROWID;
    ",
];

/// The file of a pipeline in the folder.
///
/// # Errors
/// The name would lead outside the folder, or could be mistaken for one of SQLite's own files.
pub(super) fn path(folder: &Path, pipeline: &str) -> Result<PathBuf, StoreError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if pipeline.is_empty() || pipeline.starts_with('.') || !pipeline.chars().all(legal) {
        let reason = format!("{pipeline:?} cannot be a file's name: use letters, digits, \"-\", \"_\" and \".\"");
        return Err(StoreError::Broken { store: folder.display().to_string(), reason });
    }
    Ok(folder.join(format!("{pipeline}.sqlite")))
}

/// One for each thread.
pub(super) struct Connections {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    /// Copies the log into the file.
    pub(super) checkpoints: Connection,
}

/// Opens the connections to the file. Waits for other processes that open or write it.
///
/// # Errors
/// The folder or the file cannot be created or opened; it belongs to another program or a newer version.
pub(super) fn open(path: &Path, max_size: u64) -> Result<Connections, StoreError> {
    let refused = |reason| StoreError::Broken { store: path.display().to_string(), reason };
    make(path).map_err(|error| {
        refused(format!(
            "its file or folder cannot be created ({error}); set store.folder to a folder that the user of this \
             process may write to"
        ))
    })?;
    let begun = Instant::now();
    loop {
        match prepare(path, max_size) {
            Ok(connections) => {
                let Connections { writer, reader, checkpoints } = &connections;
                // From now on SQLite waits only briefly; longer waits are up to the callers, who know about them.
                let held = [writer, reader, checkpoints].into_iter().try_for_each(|one| one.busy_timeout(HELD));
                return held.map(|()| connections).map_err(|error| refused(reason(&error, max_size)));
            }
            Err(Refusal::NotUsable(reason)) => return Err(refused(reason)),
            // Two processes may create the file at the same moment: SQLite does not always wait by itself here.
            Err(Refusal::Sqlite(error)) if is_busy(&error) && begun.elapsed() < BUSY => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(Refusal::Sqlite(error)) => return Err(refused(reason(&error, max_size))),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Creates a missing folder and file. They hold what stages emit, so only this user may read them.
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty()).collect();
    for folder in missing.into_iter().rev().filter(|folder| !folder.exists()) {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // A new folder is on the disk only once its parent is synchronised.
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
    }
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    File::open(folder)?.sync_all()
}

/// Why a file is refused.
enum Refusal {
    Sqlite(rusqlite::Error),
    NotUsable(String),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn prepare(path: &Path, max_size: u64) -> Result<Connections, Refusal> {
    let mut writer = connect(path)?;
    // Checked before anything is changed: the file may not be Gristmill's. In one transaction, because another process
    // may be creating it right now.
    let look = writer.transaction()?;
    let new = is_new(&look)?;
    look.finish()?;
    if new {
        // Takes effect only in a file without pages. Without it, a file never shrinks.
        writer.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = writer.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        let reason = "its file system cannot share memory between processes, as with network file systems; set \
                      store.folder to a folder on a local disk";
        return Err(Refusal::NotUsable(reason.into()));
    }
    // Once COMMIT returns, the data is on the disk: not only written, but synchronised.
    writer.pragma_update(None, "synchronous", "FULL")?;
    // A thread of ours checkpoints: SQLite's automatic checkpoints do not report failures, and writes wait for them.
    writer.pragma_update(None, "wal_autocheckpoint", 0)?;
    writer.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
    let page: u64 = writer.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = (max_size / page.max(1)).clamp(16, u32::MAX.into());
    writer.pragma_update(None, "max_page_count", i64::try_from(pages).unwrap_or(i64::MAX))?;
    migrate(&mut writer)?;
    let reader = connect(path)?;
    reader.pragma_update(None, "wal_autocheckpoint", 0)?;
    reader.pragma_update(None, "query_only", true)?;
    let checkpoints = connect(path)?;
    // What is copied is on the disk before the log may begin anew.
    checkpoints.pragma_update(None, "synchronous", "FULL")?;
    checkpoints.pragma_update(None, "wal_autocheckpoint", 0)?;
    checkpoints.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(Connections { writer, reader, checkpoints })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Opens the file to look into it, while others may write it. `None` if there is none yet.
///
/// # Errors
/// It cannot be opened, or belongs to another program or a newer version.
pub(super) fn look(path: &Path) -> Result<Option<Connection>, StoreError> {
    let refused = |reason| StoreError::Broken { store: path.display().to_string(), reason };
    if !path.exists() {
        return Ok(None);
    }
    let opened = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let looked = opened.map_err(Refusal::from).and_then(|connection| {
        connection.busy_timeout(HELD)?;
        is_new(&connection)?;
        Ok(connection)
    });
    match looked {
        Ok(connection) => Ok(Some(connection)),
        Err(Refusal::NotUsable(reason)) => Err(refused(reason)),
        Err(Refusal::Sqlite(error)) => Err(refused(error.to_string())),
    }
}

/// Whether the file is still empty. A file of another application or of a newer version is refused.
fn is_new(connection: &Connection) -> Result<bool, Refusal> {
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = version(connection)?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, version, objects) {
        (0, 0, 0) => Ok(true),
        (APPLICATION, version, _) if version <= MIGRATIONS.len() => Ok(false),
        (APPLICATION, version, _) => Err(Refusal::NotUsable(format!(
            "a newer Gristmill wrote it (version {version}, this one knows {}); use that version again, or move the \
             file away: unfinished jobs then pay again for what they had paid for",
            MIGRATIONS.len()
        ))),
        _ => Err(Refusal::NotUsable(format!(
            "it is an SQLite file of another application (id {application}); move it away, or set store.folder to \
             another folder"
        ))),
    }
}

fn version(connection: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Applies the missing migrations, all or none.
fn migrate(connection: &mut Connection) -> Result<(), Refusal> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Checked again: another process may have been faster.
    is_new(&transaction)?;
    let done = version(&transaction)?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if done < MIGRATIONS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    }
    transaction.commit()?;
    Ok(())
}
