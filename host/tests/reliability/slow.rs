//! A stage that takes longer than `max.poll.interval.ms`.

use std::time::Duration;

use crate::extent::{Run, place};
use crate::harness::{Harness, Setup, model};
use crate::oracle::Oracle;
use crate::reader::Seen;
use gristmill_model_server::{Behaviour, ModelServer, Script};

const EVENTS: usize = 300;
const IN_FLIGHT: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_slower_than_the_poll_interval_does_not_cost_the_membership() {
    let _place = place().await;
    let run = Run::new("slow stage");
    let script = Script::new().when("", [Behaviour::Held("{\"summary\": \"at last\"}".into())]);
    let server = ModelServer::start(script).await;
    let stage = "[[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
                 config = { model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }\n";
    let limits = format!("[limits]\nmax_in_flight = {IN_FLIGHT}\ndrain_timeout = \"2s\"\n");
    let properties =
        [("max.poll.interval.ms", "6000"), ("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "500")];
    let setup = Setup::new(format!("{stage}{}{limits}", model(&server, "60s"))).properties(&properties);
    let harness = Harness::new(setup).await;
    let oracle = Oracle::new(&harness);
    oracle.send(EVENTS).await;
    let mut host = harness.start();
    harness.until("all slots are in use", &mut host, || server.in_flight() == IN_FLIGHT).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    host.must_live("while its stage was slow");
    assert_eq!(harness.settled(), 0, "nothing was finished yet");
    server.release(EVENTS);
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let log = host.log();
    let rebalances = log.lines().filter(|line| line.contains("revoked") || line.contains("poll interval")).count();
    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let account = oracle.account(&out, &Seen::default());
    run.say(
        "figures",
        format!("10 s in a stage, {rebalances} rebalances, {} repeated, {} paid", account.repeated, server.paid()),
    );
    account.must_be_complete();
    assert_eq!((rebalances, account.repeated), (0, 0), "{log}");
    assert_eq!(server.paid(), EVENTS, "each event was asked about once");
}
