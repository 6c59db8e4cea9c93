//! What every state store promises, on a file of SQLite, PostgreSQL and Redis, and for records of jobs in memory: one list of
//! cases, run over each.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]
#![allow(clippy::print_stdout, reason = "a test says which case it is at")]

mod acts;
mod answers;
mod counters;
mod deliveries;
mod documents;
mod forgotten;
mod hash;
mod jobs;
mod lists;
mod model;
mod outage;
mod records;
mod refusals;
#[path = "../../src/samples.rs"]
mod samples;
mod spending;
mod state;
mod submissions;
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
    jobs::values_kept_in_one_write_each_get_an_answer_of_their_own,
    jobs::the_keys_of_what_is_kept_of_jobs_are_known,
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
    state::a_value_stays_until_it_is_deleted,
    state::a_write_that_expects_something_else_changes_nothing,
    state::quotas_are_kept_as_the_rule_says,
    state::of_hosts_that_expect_the_same_one_is_the_first,
];

/// Of records of jobs.
const RECORDS: &[Case] = cases![
    records::the_first_event_that_proves_itself_is_the_only_one,
    records::notes_of_jobs_without_a_record_make_one_and_never_run_backwards,
    records::hosts_that_note_the_same_new_jobs_at_once_agree,
    records::a_history_is_kept_up_to_its_bound,
    records::what_is_settling_ends_below_what_a_group_has_committed,
    records::records_survive_reopening,
    records::a_job_is_known_to_be_published,
    submissions::of_many_callers_with_one_key_one_is_the_first,
    submissions::a_batch_is_written_whole_or_not_at_all,
    submissions::keys_belong_to_their_owner,
    acts::hosts_hear_of_each_cancellation_in_order,
    acts::an_act_is_forgotten_once_its_job_is_over,
    acts::a_retry_is_a_run_of_its_own,
    lists::pages_are_stable_while_jobs_are_added,
    lists::a_filter_takes_what_its_rule_takes,
    lists::a_large_batch_is_summed_up_at_once,
    deliveries::a_webhook_is_due_when_its_job_is_over_and_taken_by_one_host,
    deliveries::what_a_host_has_taken_and_dropped_comes_back,
    deliveries::a_delivery_can_be_made_again,
];

/// Of records of jobs where they become too old.
const FORGOTTEN: &[Case] =
    cases![forgotten::records_go_with_everything_that_belongs_to_them, forgotten::an_unfinished_record_stays_longer,];

async fn run(kind: Kind) {
    for (name, case) in CASES.iter().chain(FORGOTTEN) {
        println!("{name}");
        case(&World::new(kind).await).await;
    }
}

async fn run_records(kind: Kind) {
    for (name, case) in RECORDS {
        println!("{name}");
        case(&World::new(kind).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_records_of_jobs() {
    run_records(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_records_of_jobs() {
    run_records(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_keeps_records_of_jobs() {
    run_records(Kind::Redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_records_of_jobs() {
    run_records(Kind::Memory).await;
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
