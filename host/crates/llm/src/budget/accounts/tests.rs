//! Accounts by job, stage, pipeline and day.

use super::*;
use crate::fixtures::job;
use crate::settings::StageBudget;

const NANO: fn(u64) -> Usd = Usd::nano;

fn budgets(job: Option<u64>, day: Option<u64>, total: Option<u64>) -> Budgets {
    let pipeline = BudgetSettings { job: job.map(NANO), day: day.map(NANO), total: total.map(NANO) };
    let stage = StageBudget { day: Some(NANO(40)), total: None };
    Budgets { pipeline, stages: [("tight".into(), stage)].into() }
}

fn spent(nano: u64) -> Option<Spent> {
    Some(Spent { calls: 1, cost: NANO(nano), ..Spent::default() })
}

fn scope(accounts: &mut Accounts, day: u32, position: u128, stage: &str, wanted: u64) -> Option<(BudgetScope, bool)> {
    let reserved = accounts.reserve(Day(day), &job(position), &stage.into(), NANO(wanted));
    reserved.err().map(|shortage| (shortage.scope, shortage.may_fit))
}

#[test]
fn a_reservation_counts_in_every_budget_or_in_none() {
    let mut accounts = Accounts::new(budgets(Some(100), Some(150), None), Day(7), Vec::new());
    assert_eq!(scope(&mut accounts, 7, 1, "s", 90), None);
    assert_eq!(scope(&mut accounts, 7, 1, "s", 11), Some((BudgetScope::Job, true)));
    assert_eq!(scope(&mut accounts, 7, 2, "tight", 41), Some((BudgetScope::Stage, false)));
    assert_eq!(scope(&mut accounts, 7, 2, "s", 61), Some((BudgetScope::Day, true)));
    assert_eq!(scope(&mut accounts, 7, 2, "s", 60), None, "what was refused has taken nothing");
    accounts.settle(Day(7), &job(1), &"s".into(), NANO(90), spent(95));
    assert_eq!(scope(&mut accounts, 7, 1, "s", 6), Some((BudgetScope::Job, false)), "used up comes before waiting");
    assert_eq!(scope(&mut accounts, 7, 1, "s", 0), None, "what is free fits");
}

#[test]
fn what_is_left_of_a_reservation_is_given_back() {
    let mut accounts = Accounts::new(budgets(None, Some(100), None), Day(7), Vec::new());
    assert_eq!(scope(&mut accounts, 7, 1, "s", 100), None);
    accounts.settle(Day(7), &job(1), &"s".into(), NANO(100), spent(30));
    assert_eq!(scope(&mut accounts, 7, 1, "s", 70), None);
    accounts.settle(Day(7), &job(1), &"s".into(), NANO(70), None);
    assert_eq!(scope(&mut accounts, 7, 1, "s", 70), None, "a call that cost nothing took nothing");
    assert_eq!(accounts.spent(&job(1)), spent(30));
}

#[test]
fn a_day_begins_with_nothing_spent_and_the_total_stays() {
    let on = |day, stage: &str| SpentOn { day: Day(day), stage: stage.into(), alias: "m".into(), target: "t".into() };
    let before = vec![(on(6, "s"), spent(500).unwrap()), (on(7, "s"), spent(90).unwrap())];
    let mut accounts = Accounts::new(budgets(None, Some(100), Some(700)), Day(7), before);
    assert_eq!(scope(&mut accounts, 7, 1, "s", 11), Some((BudgetScope::Day, false)));
    assert_eq!(scope(&mut accounts, 7, 1, "s", 10), None);
    assert_eq!(scope(&mut accounts, 8, 1, "s", 100), None);
    accounts.settle(Day(7), &job(1), &"s".into(), NANO(10), spent(10));
    accounts.settle(Day(8), &job(1), &"s".into(), NANO(100), None);
    assert_eq!(scope(&mut accounts, 8, 1, "s", 100), None, "what began yesterday is yesterday's");
    accounts.settle(Day(8), &job(1), &"s".into(), NANO(100), spent(100));
    assert_eq!(scope(&mut accounts, 9, 1, "s", 1), Some((BudgetScope::Pipeline, false)));
    assert_eq!(scope(&mut accounts, 8, 1, "s", 1), Some((BudgetScope::Pipeline, false)));
}

#[test]
fn a_job_that_comes_again_has_spent_what_its_kept_answers_say() {
    let mut accounts = Accounts::new(budgets(Some(100), None, None), Day(7), Vec::new());
    accounts.open(&job(1), spent(95).unwrap());
    assert_eq!(scope(&mut accounts, 7, 1, "s", 6), Some((BudgetScope::Job, false)));
    assert_eq!(scope(&mut accounts, 7, 1, "s", 5), None);
    accounts.settle(Day(7), &job(1), &"s".into(), NANO(5), spent(5));
    assert_eq!(accounts.spent(&job(1)).map(|spent| (spent.calls, spent.cost)), Some((2, NANO(100))));
    accounts.forget(&job(1));
    assert!(!accounts.knows(&job(1)) && accounts.ages.is_empty());
    assert_eq!(accounts.spent(&job(1)), None);
}

#[test]
fn jobs_that_never_end_are_forgotten_the_oldest_first() {
    let mut accounts = Accounts::default();
    for position in 0..=MOST_JOBS as u128 {
        accounts.open(&job(position), Spent::default());
    }
    assert_eq!((accounts.jobs.len(), accounts.ages.len()), (MOST_JOBS, MOST_JOBS));
    assert!(!accounts.knows(&job(0)) && accounts.knows(&job(1)));
}
