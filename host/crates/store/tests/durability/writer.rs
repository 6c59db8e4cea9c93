//! A process that keeps values in a store until it is killed: this test's own executable, switched by its environment.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gristmill_core::ports::KeepOne;

use super::place::Place;
use super::{job, kept, key};

const FIRST: &str = "GRISTMILL_TEST_STORE_FIRST";
const BYTES: &str = "GRISTMILL_TEST_STORE_BYTES";
/// How many tasks keep values at once.
const KEEPERS: usize = 16;

/// What such a process writes.
pub(crate) struct Writer {
    /// The first number it keeps a value under; the others follow.
    pub(crate) first: u64,
    /// The size of each value.
    pub(crate) bytes: usize,
}

impl Writer {
    /// Starts it, with its files limited to `largest_file` bytes. It prints `kept N` for what was acknowledged,
    /// `failed REASON` for what was not.
    pub(crate) fn start(&self, place: &Place, largest_file: Option<usize>) -> Child {
        let this = std::env::current_exe().unwrap();
        let mut command = match largest_file {
            None => Command::new(this),
            Some(bytes) => {
                let mut shell = Command::new("bash");
                // In units of 1,024 bytes. Without the trap, the process would be killed instead of getting an error.
                let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", bytes / 1024);
                shell.args(["-c", &script]).arg(this);
                shell
            }
        };
        command.args(["--exact", "writer::writes_until_it_is_ended", "--nocapture", "--test-threads=1"]);
        place.tell(&mut command);
        command.env(FIRST, self.first.to_string()).env(BYTES, self.bytes.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }
}

/// Not a test in itself: without the environment it returns at once.
#[tokio::test(flavor = "multi_thread")]
async fn writes_until_it_is_ended() {
    let Some(place) = Place::told() else { return };
    let number = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let bytes = usize::try_from(number(BYTES)).unwrap();
    let next = Arc::new(AtomicU64::new(number(FIRST)));
    let broken = Arc::new(AtomicBool::new(false));
    // Ends the line that the test harness started.
    println!();
    let store = place.open().await;
    let keepers = (0..KEEPERS).map(|_| {
        let (store, next, broken) = (Arc::clone(&store), Arc::clone(&next), Arc::clone(&broken));
        tokio::spawn(async move {
            while !broken.load(Ordering::SeqCst) {
                let number = next.fetch_add(1, Ordering::SeqCst);
                match store.keep(&job(number / 4), key(number), &kept(number, bytes)).await {
                    Ok(_) => println!("kept {number}"),
                    Err(error) => {
                        println!("failed {error}");
                        broken.store(true, Ordering::SeqCst);
                    }
                }
            }
        })
    });
    for keeper in keepers.collect::<Vec<_>>() {
        keeper.await.unwrap();
    }
}
