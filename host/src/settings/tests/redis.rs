//! `[redis]` in place of `[kafka]`.

use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::SecretRef;
use gristmill_redis::Creation;

use super::{LEAST, parse, shown};
use crate::settings::{Named, Pipeline};
use gristmill_config::ConfigError;

/// The least pipeline on Redis, with more in its section and more at the top.
fn on_redis(more: &str, top: &str) -> Result<Pipeline, ConfigError> {
    let section = format!("{top}\n[redis]\nurl = \"redis://localhost\"\n{more}");
    parse(&LEAST.replace("[kafka]\nbrokers = \"embedded\"", &section))
}

#[test]
fn the_least_is_an_address() {
    let pipeline = on_redis("", "").unwrap();
    let Some(Named::Redis(redis)) = pipeline.broker() else { panic!("{:?}", pipeline.broker()) };
    assert_eq!(redis.url.to_string(), "redis://localhost:6379");
    assert_eq!((redis.claim_after, redis.create_streams), (Duration::from_secs(60), Creation::Missing));
    assert_eq!((redis.max_len, &redis.consumer), (None, &None));
}

#[test]
fn everything_can_be_said() {
    let more = "username = \"mill\"\npassword = { file = \"secrets/redis\" }\nconsumer = \"host-1\"\nclaim_after = \"2m\"\n\
                max_len = 10000\ncreate_streams = false\ntls = { ca = \"ca.pem\" }\n";
    let section = format!("[redis]\nurl = \"rediss://cache.example:6380/1\"\n{more}");
    let pipeline = parse(&LEAST.replace("[kafka]\nbrokers = \"embedded\"", &section)).unwrap();
    let redis = pipeline.redis.as_ref().unwrap();
    assert_eq!(redis.password, Some(SecretRef::File(PathBuf::from("pipes/secrets/redis"))));
    assert_eq!(redis.tls.as_ref().unwrap().ca, Some(PathBuf::from("pipes/ca.pem")));
    assert_eq!((redis.create_streams, redis.max_len.unwrap().get()), (Creation::Never, 10_000));
}

#[test]
fn a_file_has_one_broker() {
    let both = shown(parse(&LEAST.replace("[source]", "[redis]\nurl = \"redis://a\"\n[source]")));
    assert!(both.contains("error: the file has [kafka] and [redis]") && both.contains("--> pipes/p.toml:4"), "{both}");
    let none = shown(parse(&LEAST.replace("[kafka]\nbrokers = \"embedded\"\n", "")));
    assert!(none.contains("neither \"kafka\" nor \"redis\"") && none.contains("add [kafka]"), "{none}");
}

#[test]
fn what_redis_cannot_do_is_refused_where_it_stands() {
    for (top, line, fault) in [
        ("order = \"key\"", 2, "Redis keeps no order"),
        ("order = \"partition\"", 2, "Redis keeps no order"),
        ("delivery = \"exactly-once\"", 2, "Redis cannot deliver exactly once"),
    ] {
        let shown = shown(on_redis("", top));
        assert!(shown.contains(fault) && shown.contains(&format!("--> pipes/p.toml:{line}")), "{shown}");
        assert_eq!(shown.matches("error:").count(), 1, "{shown}");
    }
    let by_item = LEAST
        .replace("[kafka]\nbrokers = \"embedded\"", "[redis]\nurl = \"redis://a\"")
        .replace("topic = \"analysed\"", "topic = \"analysed\"\nkey = \"item\"");
    let shown = shown(parse(&by_item));
    assert!(shown.contains("items cannot be the keys") && shown.matches("error:").count() == 1, "{shown}");
}

#[test]
fn a_fault_is_told_with_the_way_out() {
    for (section, fault) in [
        ("url = \"localhost\"", "is no address of Redis"),
        ("url = \"redis://u:p@a\"", "is no address of Redis"),
        ("url = \"redis://a\"\npassword = \"hunter2\"", "must not stand in the file"),
        ("url = \"redis://a\"\nconsumer = \"my host\"", "is no name of a consumer"),
        ("url = \"redis://a\"\nclaim_after = \"1s\"", "5s"),
        ("url = \"redis://a\"\nmax_len = 0", "out of range"),
        ("url = \"redis://a\"\ntls = { ca = \"ca.pem\" }", "write rediss:// in url"),
        ("url = \"rediss://a,b\"\ntls = { ca = \"ca.pem\" }", "SSL_CERT_FILE"),
        ("url = \"rediss://a\"\ntls = { key = \"k.pem\" }", "needs its certificate"),
        ("", "has no \"url\""),
    ] {
        let shown = shown(parse(&LEAST.replace("[kafka]\nbrokers = \"embedded\"", &format!("[redis]\n{section}"))));
        assert!(shown.contains(fault), "{section}: {shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("u:p"), "{shown}");
    }
}
