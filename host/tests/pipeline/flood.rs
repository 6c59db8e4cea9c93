//! Thousands who only wait at the admin server, beside a pipeline that runs.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reqwest::Client;

use crate::harness::{Harness, Host, jobs};
use crate::metrics::admin;

/// In each of the two times.
const EVENTS: usize = 2_000;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How many connections this process may open, at most 10,000.
fn most_connections() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    // What else is open.
    let most = limit.current.unwrap_or(u64::MAX).saturating_sub(500);
    usize::try_from(most).unwrap_or(usize::MAX).min(10_000)
}

/// Those who only wait: each has begun a request, and sends one byte more of it now and then.
struct Flood {
    opened: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Flood {
    fn start(address: SocketAddr, count: usize) -> Self {
        let (opened, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (counter, until) = (Arc::clone(&opened), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            let open = |_| {
                let mut stream = TcpStream::connect_timeout(&address, CONNECT).ok()?;
                stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx-slow: ").ok()?;
                counter.fetch_add(1, Ordering::Relaxed);
                Some(stream)
            };
            let mut waiting: Vec<TcpStream> =
                (0..count).take_while(|_| !until.load(Ordering::Relaxed)).filter_map(open).collect();
            while !until.load(Ordering::Relaxed) {
                // Those that were closed in favour of others have done their part.
                waiting.retain(|mut stream| stream.write_all(b"x").is_ok());
                thread::sleep(Duration::from_millis(500));
            }
        });
        Self { opened, stop, thread }
    }

    /// Ends it. Returns how many connections there were.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.opened.load(Ordering::Relaxed)
    }
}

/// How long the pipeline takes for so many events, until they are settled.
async fn time(harness: &Harness, host: &mut Host) -> Duration {
    let begun = Instant::now();
    harness.send((0..EVENTS).map(|number| ("text/plain", Some(number.to_string())))).await;
    harness.until_all_settled(host).await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_who_wait_at_the_admin_server_do_not_slow_a_pipeline() {
    let harness = Harness::new("[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n", 2).await;
    let mut host = harness.start();
    let url = admin(&harness, &mut host).await;
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    // What is compiled and connected first does not count.
    harness.send([("text/plain", Some("first".to_owned()))]).await;
    harness.until_settled(1, &mut host).await;
    let alone = time(&harness, &mut host).await;

    let count = most_connections();
    let flood = Flood::start(address, count);
    let opened = Arc::clone(&flood.opened);
    harness.until("the flood has begun", &mut host, async || opened.load(Ordering::Relaxed) > count / 10).await;
    let beside = time(&harness, &mut host).await;
    harness.until("all of them wait", &mut host, async || opened.load(Ordering::Relaxed) > count / 2).await;
    // On a machine so busy that 512 others come between its connection and its request, it is closed and tries again.
    let answers = async || {
        let asked = Client::new().get(format!("{url}/livez")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    };
    harness.until("whoever really asks is answered", &mut host, answers).await;
    let opened = flood.end();
    eprintln!("{EVENTS} events took {alone:?} alone and {beside:?} beside {opened} of {count} connections");
    // Far above what a busy machine makes of the same work twice, and far below a pipeline that waits for those who wait.
    assert!(beside < alone * 4 + Duration::from_secs(10), "{beside:?} beside {opened} connections, {alone:?} alone");
    assert_eq!(jobs(&harness.records("out").await).len(), 2 * EVENTS + 1, "nothing is lost");
    assert_eq!(host.terminate().await, Some(0));
}
