//! What every state store promises, on a file of SQLite, PostgreSQL and Redis: one list of cases, run over each.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]
#![allow(clippy::print_stdout, reason = "a test says which case it is at")]

mod answers;
mod counters;
mod documents;
mod jobs;
mod outage;
mod refusals;
#[path = "../../src/samples.rs"]
mod samples;
mod spending;
mod tls;
mod unanswered;
mod world;

use futures_util::future::LocalBoxFuture;

use world::{Kind, World};

type Case = (&'static str, for<'a> fn(&'a World) -> LocalBoxFuture<'a, ()>);

/// A list of cases, with their names.
macro_rules! cases {
    ($($case:path),* $(,)?) => {
        &[$((stringify!($case), |world| Box::pin($case(world)))),*]
    };
}

const CASES: &[Case] = cases![
    jobs::what_is_kept_is_there_after_reopening,
    jobs::of_two_hosts_that_keep_the_same_thing_the_first_wins,
    jobs::hosts_that_keep_the_same_things_at_once_agree,
    jobs::callers_of_one_host_that_keep_the_same_thing_agree,
    jobs::each_pipeline_has_its_own,
    jobs::large_values_and_many_at_once_are_kept,
    jobs::a_dropped_store_writes_what_was_asked_for,
    jobs::an_ended_job_is_deleted_when_its_time_is_over,
    jobs::a_replayed_job_is_unfinished_again,
    jobs::an_unfinished_job_is_deleted_when_its_time_is_over,
    answers::an_answer_is_found_until_its_time_is_over,
    answers::the_last_answer_counts,
    answers::answers_stay_within_their_bound_and_the_newest_stay,
    documents::what_a_document_may_have_left_in_the_sink_is_remembered,
    documents::a_late_redelivery_takes_nothing_from_a_greater_generation,
    documents::documents_stay_unless_they_left_nothing,
    documents::hosts_that_write_the_same_document_lose_no_item,
    spending::spending_is_summed_up_over_hosts,
    spending::a_sum_stops_at_the_largest_number,
    spending::what_was_spent_on_a_kept_answer_is_there_with_it,
    spending::the_answers_kept_of_a_job_say_what_it_has_spent,
];

async fn run(kind: Kind) {
    for (name, case) in CASES {
        println!("{name}");
        case(&World::new(kind).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_the_promises_of_a_store() {
    run(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_promises_of_a_store() {
    run(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_the_promises_of_a_store() {
    run(Kind::Redis).await;
}
