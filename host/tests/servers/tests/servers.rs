//! Servers keep what they acknowledged when they are killed, and end with the test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gristmill_test_servers::{Postgres, Redis};
use tokio_postgres::NoTls;

/// Asks Redis, in its inline form.
fn ask(url: &str, request: &str) -> std::io::Result<String> {
    let address = url.trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(format!("{request}\r\n").as_bytes())?;
    let mut answer = [0; 256];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[tokio::test]
async fn redis_keeps_what_it_acknowledged_when_it_is_killed() {
    let Some(mut redis) = Redis::own().await else { return };
    assert_eq!(ask(redis.url(), "SET a 1").unwrap(), "+OK\r\n");
    redis.kill();
    assert!(TcpStream::connect(redis.url().trim_start_matches("redis://")).is_err());
    redis.restart().await;
    assert_eq!(ask(redis.url(), "GET a").unwrap(), "$1\r\n1\r\n");
}

#[tokio::test]
async fn postgres_keeps_what_it_acknowledged_when_it_is_killed() {
    let Some(mut postgres) = Postgres::own().await else { return };
    let url = postgres.database().await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("CREATE TABLE a (b int); INSERT INTO a VALUES (7)").await.unwrap();
    postgres.kill();
    assert!(connection.await.unwrap().is_err(), "all its processes are killed");
    postgres.restart().await;
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let found: i32 = client.query_one("SELECT b FROM a", &[]).await.unwrap().get(0);
    assert_eq!(found, 7);
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let postgres = Postgres::shared().await;
    assert_ne!(postgres.database().await, postgres.database().await);
}

/// Not a test in itself: without the environment it returns at once.
#[tokio::test]
async fn starts_a_server_and_is_killed() {
    if std::env::var_os("GRISTMILL_TEST_SERVERS_CHILD").is_none() {
        return;
    }
    let redis = Redis::own().await.unwrap();
    println!("\nurl {}", redis.url());
    std::future::pending::<()>().await;
}

#[test]
fn a_server_ends_when_its_test_is_killed() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "starts_a_server_and_is_killed", "--nocapture"]);
    child.env("GRISTMILL_TEST_SERVERS_CHILD", "1").env_remove("GRISTMILL_TEST_REDIS").stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    while !url.starts_with("url ") {
        url.clear();
        assert_ne!(std::io::BufRead::read_line(&mut output, &mut url).unwrap(), 0, "the child ended");
    }
    let address = url.trim().trim_start_matches("url redis://").to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(&address).is_ok() {
        assert!(Instant::now() < deadline, "the server still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}
