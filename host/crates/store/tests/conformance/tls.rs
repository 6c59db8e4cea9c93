//! Servers that prove who they are.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gristmill_core::ports::{KeepOne, StoreError};
use gristmill_store::{Postgres, Redis, ServerSettings, StoreUrl};
use gristmill_test_servers as servers;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::world::{job, key, text};

/// A certificate for 127.0.0.1, signed by itself, and its key.
struct Certificate {
    _folder: TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=gristmill"]);
        openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
        let output = openssl.output().expect("openssl starts; install it with: apt-get install -y openssl");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // PostgreSQL reads its key as its own user, and only if nobody else can.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        if let (0, Some(user)) = (id(None).unwrap(), id(Some("postgres"))) {
            chown(&key, Some(user), None).unwrap();
        }
        Self { _folder: folder, certificate, key }
    }
}

fn id(user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg("-u").args(user).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().ok()
}

/// Opens the store, trusting this certificate, and keeps something.
async fn keeps(url: &str, ca: Option<&Path>) -> Result<(), StoreError> {
    let settings =
        ServerSettings { ca: ca.map(Path::to_owned), patience: Duration::ZERO, ..ServerSettings::new("p-tls") };
    match url.parse().unwrap() {
        StoreUrl::Postgres(url) => Postgres::open(&url, settings).await?.keep(&job(1), key(0), &text("x")).await?,
        StoreUrl::Redis(url) => Redis::open(&url, settings).await?.keep(&job(1), key(0), &text("x")).await?,
    };
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_has_to_prove_as_much_as_the_address_says() {
    let given = Certificate::new();
    let certificate = format!("ssl_cert_file={}", given.certificate.display());
    let key = format!("ssl_key_file={}", given.key.display());
    let arguments = ["-c", "ssl=on", "-c", &certificate, "-c", &key];
    let Some(server) = servers::Postgres::own_with(&arguments).await else { return };
    let address = server.database().await;
    let by_name = address.replace("127.0.0.1", "localhost");
    let ca = Some(given.certificate.as_path());
    for (url, mode, ca, is_good) in [
        (&address, "", None, true),
        (&address, "?sslmode=disable", None, true),
        (&address, "?sslmode=require", None, true),
        (&address, "?sslmode=verify-full", ca, true),
        (&address, "", ca, true),
        (&address, "?sslmode=verify-full", None, false),
        (&address, "?sslmode=verify-ca", None, false),
        (&by_name, "?sslmode=verify-full", ca, false),
        (&by_name, "?sslmode=verify-ca", ca, true),
        (&by_name, "?sslmode=require", ca, true),
    ] {
        let opened = keeps(&format!("{url}{mode}"), ca).await;
        match is_good {
            true => assert_eq!(opened, Ok(()), "{url}{mode} {ca:?}"),
            false => assert!(matches!(opened, Err(StoreError::Broken { .. })), "{url}{mode} {ca:?}: {opened:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_has_to_prove_who_it_is() {
    let given = Certificate::new();
    let port = servers::free_port().to_string();
    let (certificate, key) = (given.certificate.to_str().unwrap(), given.key.to_str().unwrap());
    let arguments = ["--tls-port", &port, "--tls-cert-file", certificate, "--tls-key-file", key];
    let arguments = [&arguments[..], &["--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"]].concat();
    let Some(_server) = servers::Redis::own_with(&arguments).await else { return };
    let address = format!("rediss://127.0.0.1:{port}");
    assert_eq!(keeps(&address, Some(&given.certificate)).await, Ok(()));
    assert!(keeps(&address, None).await.is_err(), "nobody that the system trusts has signed it");
    let by_name = format!("rediss://localhost:{port}");
    assert!(keeps(&by_name, Some(&given.certificate)).await.is_err(), "it is for another name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_goes_away_during_a_handshake_is_away_for_now() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://postgres@{}/x?sslmode=require", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut host, _) = listener.accept().await.unwrap();
            // It is asked for TLS, agrees, reads what comes next, and ends.
            let mut asked = [0; 8];
            host.read_exact(&mut asked).await.unwrap();
            host.write_all(b"S").await.unwrap();
            let _ = host.read(&mut [0; 4096]).await;
        }
    });
    let error = keeps(&url, None).await.unwrap_err();
    assert!(matches!(error, StoreError::Transient { .. }), "{error}");
}
