//! A place for stores, and what tests keep there.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use gristmill_core::model::{EventId, JobId, Outcome, Partition, Position, Timestamp};
use gristmill_core::ports::{
    Acts, Answers, Deliveries, Documents, JobBook, Jobs, KeepOne, Kept, Key, Published, Spending, StageState, Store,
};
use gristmill_store::{MemoryJobs, Postgres, Redis, ServerSettings, Settings, Sqlite, StoreUrl};
use gristmill_test_servers as servers;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a store is.
pub(crate) trait Ports: Store + Answers + Documents + Spending + StageState {}

impl<T: Store + Answers + Documents + Spending + StageState> Ports for T {}

/// What a store of records of jobs is.
pub(crate) trait Records: Jobs + Acts + JobBook + Published + Deliveries {}

impl<T: Jobs + Acts + JobBook + Published + Deliveries> Records for T {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    Redis,
    /// For records of jobs only.
    Memory,
}

#[derive(Clone)]
pub(crate) enum Place {
    Folder(Arc<TempDir>),
    Server(StoreUrl),
    Memory(Arc<MemoryJobs>),
}

/// Where the hosts of a case keep what they do.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) pipeline: String,
    /// How far the clock of a file is ahead, in milliseconds. Servers have a clock of their own.
    pub(crate) ahead: Arc<AtomicI64>,
    pub(crate) keep_ended: Duration,
    pub(crate) keep_unfinished: Duration,
    pub(crate) max_answers: u64,
}

impl World {
    /// An empty one.
    pub(crate) async fn new(kind: Kind) -> Self {
        match kind {
            Kind::Sqlite => Self::of(Place::Folder(Arc::new(tempfile::tempdir().unwrap()))),
            Kind::Memory => {
                let (day, clock) = (Duration::from_secs(24 * 60 * 60), Arc::new(|| Timestamp(0)));
                Self::of(Place::Memory(Arc::new(MemoryJobs::new(day, day, clock))))
            }
            Kind::Postgres => Self::at(&servers::Postgres::shared().await.database().await),
            Kind::Redis => {
                static SHARED: OnceCell<servers::Redis> = OnceCell::const_new();
                Self::at(SHARED.get_or_init(servers::Redis::start).await.url())
            }
        }
    }

    /// One on this server.
    pub(crate) fn at(url: &str) -> Self {
        Self::of(Place::Server(url.parse().unwrap()))
    }

    fn of(place: Place) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self {
            place,
            // Tests share servers.
            pipeline: format!("p-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
            ahead: Arc::default(),
            keep_ended: Duration::from_secs(24 * 60 * 60),
            keep_unfinished: Duration::from_secs(7 * 24 * 60 * 60),
            max_answers: 1 << 30,
        }
    }

    /// The same place, for a pipeline that has nothing there yet.
    pub(crate) fn again(&self) -> Self {
        Self::of(self.place.clone())
    }

    /// The store as another host has it.
    pub(crate) async fn open(&self) -> Arc<dyn Ports> {
        self.open_for(&self.pipeline).await
    }

    /// The store of another pipeline.
    pub(crate) async fn open_for(&self, pipeline: &str) -> Arc<dyn Ports> {
        match &self.place {
            Place::Folder(folder) => Arc::new(Sqlite::open(self.file(folder, pipeline)).unwrap()),
            Place::Server(StoreUrl::Postgres(url)) => {
                Arc::new(Postgres::open(url, self.settings(pipeline)).await.unwrap())
            }
            Place::Server(StoreUrl::Redis(url)) => Arc::new(Redis::open(url, self.settings(pipeline)).await.unwrap()),
            Place::Memory(_) => panic!("for records only"),
        }
    }

    /// The records of jobs, as another host has them.
    pub(crate) async fn records(&self) -> Arc<dyn Records> {
        match &self.place {
            Place::Folder(folder) => Arc::new(Sqlite::open(self.file(folder, &self.pipeline)).unwrap()),
            Place::Server(StoreUrl::Postgres(url)) => {
                Arc::new(Postgres::open(url, self.settings(&self.pipeline)).await.unwrap())
            }
            Place::Server(StoreUrl::Redis(url)) => {
                Arc::new(Redis::open(url, self.settings(&self.pipeline)).await.unwrap())
            }
            Place::Memory(jobs) => Arc::<MemoryJobs>::clone(jobs),
        }
    }

    fn file(&self, folder: &TempDir, pipeline: &str) -> Settings {
        let ahead = Arc::clone(&self.ahead);
        let clock = move || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            Timestamp(i64::try_from(since.as_millis()).unwrap() + ahead.load(Ordering::SeqCst))
        };
        Settings {
            keep_ended: self.keep_ended,
            keep_unfinished: self.keep_unfinished,
            max_answers: self.max_answers,
            ..Settings::new(folder.path(), pipeline, Arc::new(clock))
        }
    }

    fn settings(&self, pipeline: &str) -> ServerSettings {
        ServerSettings {
            keep_ended: self.keep_ended,
            keep_unfinished: self.keep_unfinished,
            max_answers: self.max_answers,
            patience: PATIENCE,
            ..ServerSettings::new(pipeline)
        }
    }

    /// Lets time pass for a file. For a server, it passes by itself.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

/// Waits until it is so, and writes something else meanwhile: a file is swept along with writes.
pub(crate) async fn until(world: &World, store: &dyn Ports, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut round = 0;
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        round += 1;
        world.pass(Duration::from_secs(1));
        store.keep(&job(1_000_000), key(0), &text(&round.to_string())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn job(position: u128) -> JobId {
    let partition = Partition { topic: "in".into(), index: 0 };
    JobId::new("p", &EventId { partition, position: Position(position) })
}

pub(crate) fn key(number: u64) -> Key {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    Key(key)
}

pub(crate) fn text(text: &str) -> Kept {
    Kept::Outcome(Outcome::Drop(text.into()))
}
