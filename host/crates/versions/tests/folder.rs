//! The folder of versions over kills and processes that share it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_versions::{By, Change, Digest, Folder, Note, StageName, Standing};

/// Tells a child of this test what to do.
const WRITER: &str = "GRISTMILL_TEST_WRITER";
/// How many versions a writer writes: so few that the history is never shortened.
const MOST: u32 = 20;
const STAGE: StageName<'_> = StageName { pipeline: "p", stage: "s" };

fn open(root: &Path) -> Folder {
    Folder::open(root, NonZeroUsize::new(3).unwrap()).unwrap()
}

fn note(folder: &Folder, module: &[u8], change: Change) -> u64 {
    let (digest, file) = (Digest::of(module), Digest::of(b"file"));
    let note = Note { digest: &digest, change, by: By::Push, file: &file, reason: None };
    folder.note(STAGE, note, Some(module)).unwrap().version
}

/// The module that a writer writes as its n-th.
fn module(writer: u32, number: u32) -> Vec<u8> {
    format!("{writer}-{number}-").repeat(2_000).into_bytes()
}

/// No test of its own: what the children of the one below do, until they are killed.
#[test]
fn writes_versions_if_it_is_told_to() {
    let Ok(root) = std::env::var(WRITER) else { return };
    let folder = open(Path::new(&root));
    for number in 0..MOST {
        note(&folder, &module(std::process::id(), number), Change::Serving);
    }
    loop {
        std::thread::park();
    }
}

fn writer(root: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "writes_versions_if_it_is_told_to"]).env(WRITER, root);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_kill_at_any_moment_loses_nothing_that_was_noted_and_leaves_nothing_half() {
    let root = tempfile::tempdir().unwrap();
    let folder = open(root.path());
    let mut noted = 0;
    for round in 0..8_u64 {
        let mut writers = [writer(root.path()), writer(root.path())];
        let until = Instant::now() + Duration::from_secs(120);
        let wanted = noted + 4 + usize::try_from(round).unwrap();
        while folder.history(STAGE).unwrap().len() < wanted {
            assert!(Instant::now() < until, "the writers write nothing");
            std::thread::yield_now();
        }
        for writer in &mut writers {
            writer.kill().unwrap();
            writer.wait().unwrap();
        }
        let history = folder.history(STAGE).unwrap();
        assert!(history.len() >= wanted, "what was there once stays");
        noted = history.len();
        for entry in &history {
            let module = folder.module(&entry.digest).unwrap();
            assert!(module.is_some(), "a module is whole before its version is noted");
        }
        let standing = Standing::of(&history);
        assert_eq!(standing.serving().unwrap().0, history.last().unwrap().digest);
        let numbers: Vec<u64> = standing.versions.iter().map(|version| version.number).collect();
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "two writers never give one number twice");
        let version = note(&folder, format!("after {round}").as_bytes(), Change::Ready);
        assert_eq!(version, expected.len() as u64 + 1);
        noted += 1;
    }
}

#[test]
fn modules_that_no_stage_has_use_for_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let folder = open(root.path());
    for name in ["a", "b", "c", "d", "e"] {
        note(&folder, name.as_bytes(), Change::Serving);
    }
    note(&folder, b"bad", Change::Refused);
    assert_eq!(
        folder.clean().unwrap(),
        3,
        "a and b, which are older than the three that are kept, and what was refused"
    );
    let has = ["a", "b", "c", "d", "e", "bad"].map(|name| folder.has(&Digest::of(name.as_bytes())));
    assert_eq!(has, [false, false, true, true, true, false]);
    assert_eq!(open(root.path()).history(STAGE).unwrap().len(), 6, "the history stays");
}

#[test]
fn a_folder_that_cannot_be_used_says_so() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("file"), "").unwrap();
    let failed = Folder::open(&root.path().join("file/versions"), NonZeroUsize::MIN).err().unwrap();
    assert!(failed.to_string().contains("file/versions"), "{failed}");
}
