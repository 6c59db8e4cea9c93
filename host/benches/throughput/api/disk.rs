//! A bare loop of writes and syncs beside a measurement: how long the disk itself keeps somebody waiting in these seconds.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is written at once: about as much as the state store writes for a few jobs.
const BYTES: usize = 16 << 10;
/// The file, which is written over: nothing has to be allocated.
const FILE: u64 = 8 << 20;
/// Between two syncs.
const PAUSE: Duration = Duration::from_millis(1);

/// The loop.
pub(super) struct Disk {
    stop: Arc<AtomicBool>,
    loops: JoinHandle<Vec<Sync>>,
}

/// When a sync began, and when it was over.
struct Sync {
    begun: Instant,
    over: Instant,
}

impl Disk {
    /// Begins to write and sync a file in this folder.
    pub(super) fn start(folder: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let file = tempfile::tempfile_in(folder).unwrap();
        file.write_all_at(&vec![0; FILE.try_into().unwrap()], 0).unwrap();
        file.sync_all().unwrap();
        let until = Arc::clone(&stop);
        Self { stop, loops: thread::spawn(move || sync(&file, &until)) }
    }

    /// How long each of those would have waited who had something to write at these moments: for the first sync that began
    /// after it.
    pub(super) fn end(self, due: &[Instant]) -> Vec<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let syncs = self.loops.join().unwrap();
        let first_after = |due: &Instant| syncs.get(syncs.partition_point(|sync| sync.begun < *due));
        due.iter().filter_map(|due| first_after(due).map(|sync| sync.over - *due)).collect()
    }
}

fn sync(file: &File, until: &AtomicBool) -> Vec<Sync> {
    let (bytes, mut syncs, mut place) = ([1; BYTES], Vec::new(), 0);
    while !until.load(Ordering::Relaxed) {
        let begun = Instant::now();
        file.write_all_at(&bytes, place).unwrap();
        file.sync_all().unwrap();
        syncs.push(Sync { begun, over: Instant::now() });
        place = (place + BYTES as u64) % FILE;
        thread::sleep(PAUSE);
    }
    syncs
}
