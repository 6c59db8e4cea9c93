//! Three hosts of one group that come and go, against a model server that enforces its limits: how much of a limit gets
//! through, and how many calls are refused.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_model_server::{Limits, ModelServer, Script};

use crate::extent::{Run, alone, size};
use crate::harness::{Harness, QUICK, Setup};
use crate::host::Host;
use crate::oracle::Oracle;

/// The share of the hosts is that of the partitions: six can be divided among one, two and three.
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hosts_that_come_and_go_use_98_percent_of_the_requests_and_are_hardly_refused() {
    let limits = Limits { requests: 600, tokens: 1_000_000 };
    come_and_go("requests of three hosts", limits, "requests_per_minute = 600, tokens_per_minute = 1000000").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_hosts_that_come_and_go_use_98_percent_of_the_tokens_and_are_hardly_refused() {
    let limits = Limits { requests: 100_000, tokens: 9_000 };
    come_and_go("tokens of three hosts", limits, "requests_per_minute = 100000, tokens_per_minute = 9000").await;
}

async fn come_and_go(name: &'static str, limits: Limits, declared: &str) {
    let _place = alone().await;
    let run = Run::new(name);
    let script = Script::new().within(limits).otherwise(|_| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "{\"summary\": \"as the model sees it\"}".to_owned()
    });
    let server = Arc::new(ModelServer::start(script).await);
    let sections = format!(
        "[[stage]]\nname = \"enrich\"\nmodule = \"builtin:enrich\"\ngrants = [\"llm\"]\n\
         config = {{ model = \"m\", tasks = [\"summary\"], fields = [\"/body\"] }}\n\
         [limits]\nmax_in_flight = 64\ndrain_timeout = \"3s\"\n\
         [models.m]\nmax_concurrent = 64\n\
         targets = [{{ provider = \"openai\", model = \"x\", base_url = {:?}, max_output_tokens = 10, limits = {{ {declared} }} }}]\n",
        server.base_url()
    );
    let harness = Harness::new(Setup::new(sections).properties(QUICK)).await;
    let oracle = Oracle::new(&harness);
    // Twice of what they can get through, so that they never run dry.
    let (phase, phases) = (size(Duration::from_secs(50), 2 * MINUTE), 4_u32);
    let minutes = (phase * phases + MINUTE).as_secs_f64() / 60.0;
    oracle.send((limits.answers() as f64 * minutes * 2.0) as usize).await;

    let mut hosts = vec![harness.start_apart(0)];
    harness.until("the first call is made", &mut hosts[0], || server.calls() > 0).await;
    let begun = Instant::now();
    tokio::time::sleep(MINUTE).await;
    for change in 0..phases {
        match change {
            1 | 2 => hosts.push(harness.start_apart(change as usize)),
            3 => {
                let mut leaves = hosts.remove(1);
                assert_eq!(leaves.terminate().await, Some(0), "{}", leaves.last_words());
            }
            _ => {}
        }
        tokio::time::sleep(phase).await;
        for host in &mut hosts {
            host.must_live("while the limit was used");
        }
    }
    let (from, to) = (begun + MINUTE, Instant::now());
    let share = server.share(from, to);
    assert!(!harness.is_all_settled(), "there must be events left, or nothing was measured");
    let possible = limits.answers() as f64 * (to - from).as_secs_f64() / 60.0;
    let goodput = share.taken as f64 / possible;
    let refused = share.refused as f64 / (share.taken + share.refused) as f64;
    run.say(
        "figures",
        format!(
            "{} answers of {possible:.0} possible after the first minute ({:.1}%), {} refused ({:.2}%)",
            share.taken,
            goodput * 100.0,
            share.refused,
            refused * 100.0
        ),
    );
    end(hosts).await;
    // A rebalance takes some seconds, in which partitions have no owner: the short run has as many of them in less time.
    let least = size(0.9, 0.98);
    assert!(goodput >= least, "only {goodput:.3} of the limit got through");
    assert!(refused <= 0.01, "{refused:.4} of the calls were refused");
}

async fn end(hosts: Vec<Host>) {
    for mut host in hosts {
        assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    }
}
