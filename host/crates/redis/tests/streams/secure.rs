//! TLS, a user with only the rights that the guide names, and a cluster.

use std::path::Path;
use std::process::Command;

use gristmill_core::ports::{Broker, Browse, From, Guarantee, Outlet, Role, Start, Subscription, Topic, Until};
use gristmill_redis::{Certificates, RedisBroker, Settings};
use gristmill_test_servers::{Redis, free_port};

use crate::harness::{PATIENCE, events, numbered, payloads, settle};
use crate::redis::{Streams, connection, record, until};

/// Checks, writes, reads, settles and browses as this user on this server.
async fn serves(settings: &Settings, name: &str) {
    let broker = RedisBroker::new(settings.clone()).unwrap();
    let dead = format!("{name}.dead");
    let topic = |name: &str, role| Topic { name: name.into(), role };
    broker.check(&[topic(name, Role::Source), topic(&dead, Role::DeadLetters)]).await.unwrap();
    let groups = numbered(0..20).iter().map(|text| vec![record(name, text), record(&dead, text)]).collect();
    assert_eq!(broker.write(groups, None, &|_| {}).await.unwrap(), 20);
    let subscription = Subscription {
        topic: name.into(),
        dead_letters: dead.as_str().into(),
        group: "g".into(),
        start: Start::Earliest,
        drain_timeout: PATIENCE,
        guarantee: Guarantee::AtLeastOnce,
    };
    let mut joined = broker.connect(subscription).await.unwrap();
    let arrived = events(joined.source.as_mut(), 20).await;
    assert_eq!(payloads(&arrived), numbered(0..20));
    let Outlet::Sink(sink) = joined.outlet else { panic!("outputs go out each on its own") };
    sink.deliver(vec![record(&dead, "out"), record(name, "00020")]).await.unwrap();
    for event in &arrived {
        settle(joined.source.as_mut(), event);
    }
    let last = events(joined.source.as_mut(), 1).await;
    settle(joined.source.as_mut(), &last[0]);
    joined.source.close().await.unwrap();
    let mut records =
        broker.browse(Browse { topic: dead.as_str().into(), from: From::Last(1), until: Until::End }).await.unwrap();
    let event = records.next().await.unwrap().unwrap();
    assert!(joined.letters.find(&event.id).await.unwrap().is_some());
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_served_over_tls_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("san"), "subjectAltName=IP:127.0.0.1").unwrap();
    openssl(path, "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem");
    openssl(path, "req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out request.pem");
    openssl(
        path,
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem",
    );
    let port = free_port().to_string();
    let file = |name: &str| path.join(name).to_str().unwrap().to_owned();
    let (certificate, key, ca) = (file("server.pem"), file("key.pem"), file("ca.pem"));
    let arguments =
        ["--tls-port", &port, "--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let Some(_server) = Redis::own_with(&arguments).await else { return };
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let certificates = Certificates { ca: Some(read("ca.pem")), client: Some((read("server.pem"), read("key.pem"))) };
    let plain = Settings::new(format!("rediss://127.0.0.1:{port}").parse().unwrap());
    let settings = Settings { certificates: Some(certificates.clone()), ..plain.clone() };
    serves(&settings, "s").await;
    // Without the authority nobody is trusted, and without a certificate of its own nobody is let in.
    let no_client = Settings { certificates: Some(Certificates { client: None, ..certificates }), ..plain.clone() };
    for settings in [plain, no_client] {
        assert!(RedisBroker::new(settings).unwrap().check(&[]).await.is_err());
    }
}

/// The rights that the guide names, those for a cluster included.
fn rights() -> Vec<String> {
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/redis-streams.md")).unwrap();
    let (_, command) = guide.split_once("ACL SETUSER mill ").expect("the guide names the rights of a user");
    let (command, _) = command.split_once("```").unwrap();
    command.split_whitespace().filter(|word| word.starts_with('+')).map(str::to_owned).collect()
}

/// Lets a user in that has only these rights.
async fn add_user(url: &str, keys: &str) {
    let mut user = redis::cmd("ACL");
    user.arg("SETUSER").arg("mill").arg("on").arg(">secret").arg("~gristmill:*").arg(keys).arg(rights());
    user.exec_async(&mut connection(url).await).await.unwrap();
}

fn as_user(url: &str) -> Settings {
    let (username, password) = (Some("mill".to_owned()), Some("secret".into()));
    Settings { username, password, ..Settings::new(url.parse().unwrap()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_needs_only_the_rights_of_the_guide() {
    let Some(server) = Redis::own().await else { return };
    add_user(server.url(), "~mine*").await;
    let settings = as_user(server.url());
    serves(&settings, "mine").await;
    let other = [Topic { name: "other".into(), role: Role::Source }];
    let error = RedisBroker::new(settings).unwrap().check(&other).await.unwrap_err();
    assert!(error.to_string().contains("other") && error.to_string().contains("may not"), "{error}");
}

/// A node of a cluster, which is alone as yet.
async fn node(bus: &str) -> Option<Redis> {
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "60000", "--cluster-port", bus];
    Redis::own_with(&arguments).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_is_served_by_a_cluster() {
    // Their own port plus 10,000, which they would take for each other, is often a client's.
    let bus = free_port().to_string();
    let mut nodes = Vec::new();
    for port in [&bus, &free_port().to_string(), &free_port().to_string()] {
        let Some(node) = node(port).await else { return };
        nodes.push(node);
    }
    let streams: Vec<Streams> = nodes.iter().map(|node| Streams::on(node.url())).collect();
    let port = |node: &Redis| node.url().rsplit(':').next().unwrap().to_owned();
    for (node, slots) in streams.iter().zip(["0 5000", "5001 10000", "10001 16383"]) {
        let () = node.run(&format!("CLUSTER ADDSLOTSRANGE {slots}")).await;
        let () = node.run(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", port(&nodes[0]))).await;
    }
    let whole = async |node: &Streams| {
        let info: String = node.run("CLUSTER INFO").await;
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    };
    for node in &streams {
        until(async || whole(node).await, "the nodes make no cluster").await;
    }
    // Not all of them: the client asks for the others.
    let url = format!("redis://127.0.0.1:{},127.0.0.1:{}", port(&nodes[0]), port(&nodes[1]));
    for node in &nodes {
        add_user(node.url(), "~*").await;
    }
    // Streams of different nodes.
    for name in ["a", "b", "c", "d"] {
        serves(&as_user(&url), name).await;
    }
    let () = streams[0].run("ACL SETUSER mill -cluster|slots").await;
    let () = streams[1].run("ACL SETUSER mill -cluster|slots").await;
    let error = RedisBroker::new(as_user(&url)).unwrap().check(&[]).await.unwrap_err();
    assert!(error.to_string().contains("lacks a right"), "not only that no node serves it: {error}");
    let stranger = Settings { password: Some("wrong".into()), ..as_user(&url) };
    let error = RedisBroker::new(stranger).unwrap().check(&[]).await.unwrap_err();
    assert!(error.to_string().contains("check username and password"), "{error}");
    let single = Settings::new(nodes[0].url().parse().unwrap());
    let error = RedisBroker::new(single).unwrap().check(&[]).await.unwrap_err();
    assert!(error.to_string().contains("two nodes"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_one_node_is_named_twice_and_a_single_server_is_none() {
    let Some(node) = node(&free_port().to_string()).await else { return };
    let streams = Streams::on(node.url());
    let () = streams.run("CLUSTER ADDSLOTSRANGE 0 16383").await;
    until(async || streams.run::<String>("CLUSTER INFO").await.contains("cluster_state:ok"), "no cluster").await;
    let twice = |url: &str| format!("{url},{}", url.trim_start_matches("redis://"));
    serves(&Settings::new(twice(node.url()).parse().unwrap()), "alone").await;

    let Some(single) = Redis::own().await else { return };
    let error =
        RedisBroker::new(Settings::new(twice(single.url()).parse().unwrap())).unwrap().check(&[]).await.unwrap_err();
    assert!(error.to_string().contains("cluster support disabled"), "{error}");
}
