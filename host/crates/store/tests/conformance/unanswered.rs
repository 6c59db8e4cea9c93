//! A server that still commits when nobody waits for its answer any more.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill_core::ports::{KeepOne, StoreError};
use gristmill_test_servers as servers;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use super::spending::{on, spent};
use super::world::{World, job, key, text};

/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// The way to a server, which can be cut without its noticing: it is busy.
struct Way {
    address: SocketAddr,
    connections: Arc<Mutex<JoinSet<()>>>,
}

impl Way {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let open = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (mut host, _) = listener.accept().await.unwrap();
                let mut server = TcpStream::connect(&server).await.unwrap();
                open.lock().unwrap().spawn(async move {
                    let _ = copy_bidirectional(&mut host, &mut server).await;
                });
            }
        });
        Self { address, connections }
    }

    fn cut(&self) {
        self.connections.lock().unwrap().abort_all();
    }
}

/// Waits until a connection to the database waits for this.
async fn until_waits_for(administrator: &Client, event: &str) {
    let waits =
        format!("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND {event})");
    let deadline = Instant::now() + PATIENCE;
    while !administrator.query_one(&waits, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(Instant::now() < deadline, "nobody waits: {event}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lets commits wait for a standby of this name from now on; for none, if it is empty.
async fn standby(administrator: &Client, name: &str) {
    administrator.batch_execute(&format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'")).await.unwrap();
    administrator.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_commits_after_its_connection_was_lost_is_added_once() {
    let Some(server) = servers::Postgres::own().await else { return };
    let url = server.database().await;
    let (administrator, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let address = url.split(['@', '/']).nth(3).unwrap();
    let way = Way::to(address.to_owned()).await;
    let world = World::at(&url.replace(address, &way.address.to_string()));
    let store = world.open().await;
    store.note(on(1, "a"), spent(1)).unwrap();
    store.keep(&job(1), key(0), &text("x")).await.unwrap();

    standby(&administrator, "nobody").await;
    store.note(on(1, "a"), spent(1)).unwrap();
    until_waits_for(&administrator, "wait_event = 'SyncRep'").await;
    way.cut();
    // The note is written again, and is in the way of itself.
    until_waits_for(&administrator, "wait_event_type = 'Lock'").await;
    standby(&administrator, "").await;

    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = store.keep(&job(2), key(0), &text("x")).await {
        assert!(matches!(error, StoreError::Transient { .. }) && Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.all().await.unwrap()[0].1.calls, 2);
}
