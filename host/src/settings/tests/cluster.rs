//! Faults of brokers, topics, limits and retries.

use std::num::NonZeroU16;
use std::str::FromStr;

use super::{replaced, shown, with};
use gristmill_kafka::Brokers;

#[test]
fn a_broker_needs_a_port_so_that_no_misspelt_word_is_a_host() {
    let expected = r#"
error: "brokers" in [kafka] names no broker: "embeded"
 --> pipes/p.toml:3:11
  |
3 | brokers = "embeded"
  |           ^^^^^^^^^ write "embedded", or "host:port" separated by commas, without a scheme
"#;
    assert_eq!(shown(replaced("\"embedded\"", "\"embeded\"")), expected);
    let error = Brokers::from_str("embeded").unwrap_err().to_string();
    assert_eq!(
        error,
        r#""embeded" is no broker: write "embedded", or "host:port" separated by commas, without a scheme"#
    );
    let bad = [
        "a:9092,,b:9092",
        "a:9092,",
        "a:0",
        "a:70000",
        "a:+9092",
        "a",
        ":9092",
        "a b:9092",
        "a:9092,embedded",
        "embedded:0",
        "embedded:70000",
        "http://b:9092",
        "SASL_SSL://a:9092",
        "user@a:9092",
        "a:9092/",
        "::1:9092",
        "[::1]",
        "[::1:9092",
        "[a]:9092",
    ];
    for brokers in bad {
        assert!(Brokers::from_str(brokers).is_err(), "{brokers}");
        let shown = shown(replaced("embedded", brokers));
        assert!(shown.contains("names no broker"), "{brokers}: {shown}");
    }
    for brokers in ["a:9092,b:9093", "[::1]:9092,[fe80::a]:1", "kafka_1.example-a.com:09092", "10.0.0.1:65535"] {
        let read = replaced("embedded", brokers).unwrap().kafka.clone().unwrap().brokers;
        assert_eq!(read, Brokers::Addresses(brokers.to_owned()));
    }
    let port = NonZeroU16::new(19092);
    assert_eq!(
        replaced("embedded", "embedded:19092").unwrap().kafka.clone().unwrap().brokers,
        Brokers::Embedded { port }
    );
}

#[test]
fn every_property_that_cannot_be_set_is_told_at_its_line() {
    let properties = r#"brokers = "h:9092"
[kafka.properties]
socket.timeout.ms = "soon"
"plugin.library.paths" = "/tmp/evil.so"
sesion.timeout.ms = 6000
ssl.engine.location = { file = "x" }
acks = 1
x = 1"#;
    let expected = r#"
error: the Kafka property "socket.timeout.ms" cannot be "soon"
 --> pipes/p.toml:5:21
  |
5 | socket.timeout.ms = "soon"
  |                     ^^^^^^ Invalid value for configuration property "socket.timeout.ms"

error: the Kafka property "plugin.library.paths" cannot be set
 --> pipes/p.toml:6:26
  |
6 | "plugin.library.paths" = "/tmp/evil.so"
  |                          ^^^^^^^^^^^^^^ it would run code of its own in the host, or start a program

error: unknown Kafka property "sesion.timeout.ms"
 --> pipes/p.toml:7:21
  |
7 | sesion.timeout.ms = 6000
  |                     ^^^^ did you mean "session.timeout.ms"?

error: the Kafka property "ssl.engine.location" cannot be set
 --> pipes/p.toml:8:23
  |
8 | ssl.engine.location = { file = "x" }
  |                       ^^^^^^^^^^^^^^ it would run code of its own in the host, or start a program

error: the Kafka property "acks" cannot be "1"
 --> pipes/p.toml:9:8
  |
9 | acks = 1
  |        ^ a record counts as written only when every in-sync replica has it

error: unknown Kafka property "x"
  --> pipes/p.toml:10:5
   |
10 | x = 1
   |     ^ docs/pipeline-file.md lists those that can be set
"#;
    assert_eq!(shown(replaced("brokers = \"embedded\"", properties)), expected);
}

#[test]
fn properties_must_fit_each_other_and_the_pipeline() {
    let times = "brokers = \"h:9092\"\nproperties = { \"max.poll.interval.ms\" = 31000 }";
    let expected = r#"
error: the Kafka property "max.poll.interval.ms" does not fit
 --> pipes/p.toml:4:41
  |
4 | properties = { "max.poll.interval.ms" = 31000 }
  |                                         ^^^^^ max.poll.interval.ms is 31000, below session.timeout.ms, which is 45000

error: the Kafka property "max.poll.interval.ms" does not fit
 --> pipes/p.toml:4:41
  |
4 | properties = { "max.poll.interval.ms" = 31000 }
  |                                         ^^^^^ a host that drains does not poll: with drain_timeout under [limits] it needs at least 34000
"#;
    assert_eq!(shown(replaced("brokers = \"embedded\"", times)), expected);
    let embedded = "brokers = \"embedded\"\nproperties = { \"session.timeout.ms\" = 6000 }";
    assert!(shown(replaced("brokers = \"embedded\"", embedded)).contains("the broker decides this"));
    let contradiction = "brokers = \"h:9092\"\nproperties = { \"max.in.flight\" = 100 }";
    assert!(shown(replaced("brokers = \"embedded\"", contradiction)).contains("contradict each other"));
}

#[test]
fn every_bad_property_is_told() {
    let properties = r#"brokers = "embedded"
[kafka.properties]
a = [1]
b = { env = 5 }
c = { file = "x", env = "Y" }
"sasl.password" = { env = "A=B" }
x.y = 1
"x.y" = 2"#;
    let expected = r#"
error: "a" in [kafka.properties] must be a string, number or boolean, not an array
 --> pipes/p.toml:5:5
  |
5 | a = [1]
  |     ^^^ or a secret: { env = "NAME" }, { file = "path" }

error: "env" in [kafka.properties.b] must be a string, not an integer
 --> pipes/p.toml:6:13
  |
6 | b = { env = 5 }
  |             ^ write it in quotes

error: "c" in [kafka.properties] must have one of "env" and "file"
 --> pipes/p.toml:7:5
  |
7 | c = { file = "x", env = "Y" }
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^ write { env = "NAME" } or { file = "path" }

error: "env" in [kafka.properties.sasl.password] is not the name of a variable
 --> pipes/p.toml:8:27
  |
8 | "sasl.password" = { env = "A=B" }
  |                           ^^^^^ for example OPENAI_API_KEY

error: the property "x.y" is there twice, with dots and in quotes
  --> pipes/p.toml:10:9
   |
10 | "x.y" = 2
   |         ^ keep one of them
"#;
    assert_eq!(shown(replaced("brokers = \"embedded\"", properties)), expected);
}

#[test]
fn topics_to_create_need_both_numbers() {
    let expected = r#"
error: [kafka.create_topics] has no "replication"
 --> pipes/p.toml:4:17
  |
4 | create_topics = { partitions = 0 }
  |                 ^^^^^^^^^^^^^^^^^^ add replication = 3, or 1 on one broker

error: "partitions" in [kafka.create_topics] is out of range
 --> pipes/p.toml:4:32
  |
4 | create_topics = { partitions = 0 }
  |                                ^ from 1 to 10000
"#;
    assert_eq!(shown(replaced("[source]", "create_topics = { partitions = 0 }\n[source]")), expected);
}

#[test]
fn a_topic_is_named_as_kafka_allows() {
    let expected = r#"
error: "topic" in [source] is not a topic: "my topic"
 --> pipes/p.toml:5:9
  |
5 | topic = "my topic"
  |         ^^^^^^^^^^ topics have 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-"
"#;
    assert_eq!(shown(replaced("documents", "my topic")), expected);
    for topic in ["..", ".", "ä", &"x".repeat(250)] {
        assert!(shown(replaced("documents", topic)).contains("is not a topic"), "{topic}");
    }
    replaced("documents", &"x".repeat(249)).unwrap();
}

#[test]
fn a_pipeline_must_not_read_what_it_writes() {
    let expected = r#"
error: [sink] and [source] are the same topic "documents"
 --> pipes/p.toml:7:9
  |
7 | topic = "documents"
  |         ^^^^^^^^^^^ the pipeline would read what it writes, without end: name another topic
"#;
    assert_eq!(shown(replaced("analysed", "documents")), expected);
    let expected = r#"
error: [dead_letter] and [source] are the same topic "documents"
 --> pipes/p.toml:9:9
  |
9 | topic = "documents"
  |         ^^^^^^^^^^^ the pipeline would read what it writes, without end: name another topic
"#;
    assert_eq!(shown(replaced("\"dead\"", "\"documents\"")), expected);
}

#[test]
fn results_and_failed_jobs_need_topics_of_their_own() {
    let expected = r#"
error: [dead_letter] and [sink] are the same topic "analysed"
 --> pipes/p.toml:9:9
  |
9 | topic = "analysed"
  |         ^^^^^^^^^^ nobody could tell results from failed jobs: name another topic
"#;
    assert_eq!(shown(replaced("\"dead\"", "\"analysed\"")), expected);
}

#[test]
fn what_a_source_says_is_checked() {
    let source = "topic = \"documents\"\ngroup = \"\"\nstart = \"begin\"\ncontent_type = \"json\"";
    let expected = r#"
error: "group" in [source] is empty
 --> pipes/p.toml:6:9
  |
6 | group = ""
  |         ^^ give it a value

error: unknown start "begin" for [source]
 --> pipes/p.toml:7:9
  |
7 | start = "begin"
  |         ^^^^^^^ starts are: earliest, latest

error: "content_type" in [source] is not a media type: "json"
 --> pipes/p.toml:8:16
  |
8 | content_type = "json"
  |                ^^^^^^ for example application/json
"#;
    assert_eq!(shown(replaced("topic = \"documents\"", source)), expected);
    let shown = shown(replaced("[sink]", "group = \"a\\nb\"\n[sink]"));
    assert!(shown.contains("\"group\" in [source] has control characters"), "{shown}");
}

#[test]
fn limits_say_their_form_and_their_bounds() {
    let limits = r#"[limits]
max_in_flight = 0
max_in_flight_bytes = "64mb"
items_in_flight = "8"
drain_timeout = 30
"#;
    let expected = r#"
error: "max_in_flight" in [limits] is out of range
  --> pipes/p.toml:14:17
   |
14 | max_in_flight = 0
   |                 ^ from 1 to 10000

error: "max_in_flight_bytes" in [limits] is not a size: "64mb"
  --> pipes/p.toml:15:23
   |
15 | max_in_flight_bytes = "64mb"
   |                       ^^^^^^ sizes look like "64MiB", "512KiB", "1GB", or 4096 for plain bytes

error: "items_in_flight" in [limits] must be a whole number, not a string
  --> pipes/p.toml:16:19
   |
16 | items_in_flight = "8"
   |                   ^^^ from 1 to 1000

error: "drain_timeout" in [limits] must be a duration, not an integer
  --> pipes/p.toml:17:17
   |
17 | drain_timeout = 30
   |                 ^^ durations look like "500ms", "2s", "1m30s", "1h" or "30d"
"#;
    assert_eq!(shown(with(limits)), expected);

    let expected = r#"
error: "max_in_flight_bytes" in [limits] is out of range
  --> pipes/p.toml:14:23
   |
14 | max_in_flight_bytes = 1024
   |                       ^^^^ from 64KiB to 16GiB

error: "drain_timeout" in [limits] is out of range
  --> pipes/p.toml:15:17
   |
15 | drain_timeout = "10m"
   |                 ^^^^^ from 100ms to 4m
"#;
    assert_eq!(shown(with("[limits]\nmax_in_flight_bytes = 1024\ndrain_timeout = \"10m\"\n")), expected);
}

#[test]
fn a_count_has_a_most() {
    let expected = r#"
error: "max_in_flight" in [limits] is out of range
  --> pipes/p.toml:14:17
   |
14 | max_in_flight = 10_001
   |                 ^^^^^^ from 1 to 10000
"#;
    assert_eq!(shown(with("[limits]\nmax_in_flight = 10_001\n")), expected);
    with("[limits]\nmax_in_flight = 10_000\n").unwrap();
}

#[test]
fn the_first_wait_is_not_longer_than_the_longest() {
    let expected = r#"
error: the first wait is longer than the longest in [retry]
  --> pipes/p.toml:14:14
   |
14 | first_wait = "90s"
   |              ^^^^^ first_wait is 1m30s, longest_wait 1m: change one
"#;
    assert_eq!(shown(with("[retry]\nfirst_wait = \"90s\"\n")), expected);
    let expected = r#"
error: the first wait is longer than the longest in retry of stage "extract"
  --> pipes/p.toml:13:26
   |
13 | retry = { longest_wait = "1s" }
   |                          ^^^^ first_wait is 2s, longest_wait 1s: change one
"#;
    assert_eq!(shown(with("retry = { longest_wait = \"1s\" }\n")), expected);
}
