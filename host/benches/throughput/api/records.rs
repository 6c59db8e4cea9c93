//! What records of jobs cost a pipeline: `just bench records`.
//!
//! A host works the same backlog off without an API and with one, for all jobs and for those that came by HTTP only, of which
//! there are none here. Measured from a tenth of the backlog on to its end.

use std::time::Instant;

use gristmill_kafka::Settings;

use super::host::{Api, Binary, Pipeline};
use super::median;
use crate::rows::Input;
use crate::{Events, create, fill, flow, load};

/// The backlogs, and the jobs in flight: many, as for the other rows, or as many as by default.
const BACKLOGS: [(Input, u32); 3] = [(Input::Records, 2_000), (Input::Records, 64), (Input::Documents, 2_000)];

/// Prints the medians of so many rounds.
pub(crate) async fn measure(settings: &Settings, rounds: usize) {
    let binary = Binary::link(settings);
    let apis = [
        ("without an API", Api::Absent),
        ("record = \"submitted\"", Api::Recording("submitted")),
        ("record = \"all\"", Api::Recording("all")),
    ];
    println!("load average before: {}", load());
    let mut lines = Vec::new();
    for (input, in_flight) in BACKLOGS {
        let events = fill(settings, input, input.count()).await;
        let mut runs = [const { Vec::new() }; 3];
        for round in 1..=rounds {
            for (index, (what, api)) in apis.iter().enumerate() {
                let name = format!("{}-{index}-{round}", events.topic);
                let (speed, cpu) = run(settings, &binary, &events, in_flight, &name, *api).await;
                println!("round {round}: {what:<22} {} {in_flight:>5} {speed:>8.0} {cpu:>8.1} us", input.what());
                runs[index].push((speed, cpu));
            }
        }
        let medians = runs.map(|runs| {
            let (speeds, cpus) = runs.into_iter().unzip();
            (median(speeds), median(cpus))
        });
        for ((what, _), (speed, cpu)) in apis.iter().zip(medians) {
            let (base_speed, base_cpu) = medians[0];
            lines.push(format!(
                "{what:<22} {:<15} {in_flight:>9} {speed:>10.0} {cpu:>11.1} us   × {:<7.2} × {:<7.2}",
                input.what(),
                speed / base_speed,
                cpu / base_cpu
            ));
        }
    }
    println!("load average after: {}\n\nmedians of {rounds} rounds:", load());
    println!(
        "{:<22} {:<15} {:>9} {:>10} {:>14} {:>9} {:>9}",
        "", "", "in flight", "events/s", "CPU per event", "speed", "CPU"
    );
    println!("{}\n\n× is the ratio to the host without an API", lines.join("\n"));
}

/// Works the backlog off with a host of its own. Returns events a second, and its CPU time for each in us.
async fn run(
    settings: &Settings,
    binary: &Binary,
    events: &Events,
    in_flight: u32,
    name: &str,
    api: Api,
) -> (f64, f64) {
    let sink = create(settings, &format!("{name}.out")).await;
    let dead = create(settings, &format!("{name}.dead")).await;
    let stages = match events.input {
        Input::Records => flow::pass_stage(),
        Input::Documents => flow::standard_stages(),
    };
    let tables = format!("[limits]\nmax_in_flight = {in_flight}\n{stages}");
    let pipeline = Pipeline { name, source: &events.topic, sink: &sink, dead: &dead, tables };
    let mut host = binary.start(name, api, &[pipeline]).await;
    let first = events.count / 10;
    host.until_ended(name, first).await;
    let (begun, cpu) = (Instant::now(), host.cpu());
    host.until_ended(name, events.count).await;
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), (host.cpu() - cpu).as_secs_f64());
    let count = (events.count - first) as f64;
    (count / wall, cpu * 1e6 / count)
}
