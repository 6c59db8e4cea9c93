//! What jobs have spent on models, in their outcome.

use std::sync::Arc;

use super::play::{Arrive, Assign, Play, Stop, Wait};
use super::seconds;
use crate::model::{JobId, Spent, Usd};
use crate::ports::Accounts;

/// The first job has asked a model, the second has not.
struct Ledger;

impl Accounts for Ledger {
    fn spent(&self, job: &JobId) -> Option<Spent> {
        let spent = Spent { calls: 1, cost: Usd::nano(5_000_000), ..Spent::default() };
        job.as_str().ends_with("/1").then_some(spent)
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_tells_what_it_has_spent() {
    let play = Play { accounts: Some(Arc::new(Ledger)), ..Play::default() };
    let effects = play.effects(&[Assign(0), Arrive(0, 1, "a"), Arrive(0, 2, "b"), Wait(seconds(1)), Stop]).await;
    let told: Vec<&String> = effects.iter().filter(|line| line.contains("USD")).collect();
    assert_eq!(told, ["0s emitted 1 for 0.005 USD"]);
}
