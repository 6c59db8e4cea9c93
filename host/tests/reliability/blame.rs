//! A model server that is away for a while, and events that it refuses while it answers the others.

use std::time::{Duration, Instant};

use crate::extent::{Run, place, size};
use crate::harness::{Harness, Setup, header, model};
use crate::oracle::Oracle;
use crate::reader::Seen;
use gristmill_model_server::{Behaviour, ModelServer, Script};

/// A stage that asks the server about each event, with the default waits.
fn asking(server: &ModelServer) -> String {
    format!(
        "[[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\nretry = {{ first_wait = \"2s\" }}\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }}\n{}",
        model(server, "10s")
    )
}

fn summaries() -> Script {
    Script::new().when("", [Behaviour::answer("{\"summary\": \"a number\"}")])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_server_that_is_away_costs_time_and_no_events() {
    let _place = place().await;
    let run = Run::new("model outage");
    let server = ModelServer::start(summaries()).await;
    let harness = Harness::new(Setup::new(asking(&server))).await;
    let oracle = Oracle::new(&harness);
    oracle.send(200).await;
    let mut host = harness.start();
    harness.until("the first events are settled", &mut host, || harness.settled() >= 20).await;

    let address = server.address();
    server.stop().await;
    oracle.send(60).await;
    let outage = size(Duration::from_secs(15), Duration::from_secs(120));
    tokio::time::sleep(outage).await;
    host.must_live("while its model server was away");
    let _server = ModelServer::start_at(address, summaries()).await;
    let back = Instant::now();
    harness.until_all_settled(&mut host).await;
    let resumed = back.elapsed();
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let account = oracle.account(&out, &Seen::default());
    let told = host.log().matches("taking no new events").count();
    run.say(
        "figures",
        format!(
            "{} events, model server away for {outage:?}, {} lost, settled all {resumed:?} after it was back, the pause \
             told {told} times",
            account.events,
            account.lost.len(),
        ),
    );
    assert_eq!(harness.records("dead").await.len(), 0, "{}", host.last_words());
    account.must_be_complete();
    assert_eq!(account.repeated, 0);
    assert!((1..=10).contains(&told), "the pause was told {told} times:\n{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_server_refuses_is_one_dead_letter_and_the_offsets_move_on() {
    let _place = place().await;
    let run = Run::new("refused request");
    let limits = [("", 6), ("[limits]\nmax_in_flight = 2\n", 6), ("[limits]\nmax_in_flight = 1\n", 1)];
    let large = "Request too large for x in organization y on tokens per min (TPM): Limit 30000, Requested 39000.";
    for (limits, partitions) in limits {
        for (refusal, expected) in [
            (Behaviour::error(403, "blocked", "no"), "llm-misconfigured"),
            (Behaviour::error(502, "broken", "no"), "llm-unavailable"),
            (Behaviour::error(429, "rate_limit_exceeded", large), "llm-context-length-exceeded"),
        ] {
            let script = Script::new().when("event number 100 of", [refusal]);
            let script = script.when("", [Behaviour::answer("{\"summary\": \"a number\"}")]);
            let server = ModelServer::start(script).await;
            let setup = Setup { partitions, ..Setup::new(format!("{}{limits}", asking(&server))) };
            let harness = Harness::new(setup).await;
            let oracle = Oracle::new(&harness);
            oracle.send(300).await;
            let begun = Instant::now();
            let mut host = harness.start();
            harness.until_all_settled(&mut host).await;
            let took = begun.elapsed();
            assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

            let dead = harness.records("dead").await;
            let reasons: Vec<String> = dead.iter().map(|record| header(record, "failure_reason")).collect();
            run.say("figures", format!("300 events, one refused ({expected}), {limits:?}: all settled after {took:?}"));
            assert_eq!(reasons, [expected], "{}", host.last_words());
            let out = Seen::of(&harness.records("out").await, Some(&harness.name));
            let account = oracle.account(&out, &Seen::of(&dead, None));
            account.must_be_complete();
            assert_eq!(account.repeated, 0);
        }
    }
}
