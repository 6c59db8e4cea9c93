//! How items move through a job, whatever order they finish in.

use bytes::Bytes;

use super::*;
use crate::model::ItemId;

fn job(stages: &[&str]) -> Job {
    planned(Plan::straight(stages))
}

fn planned(plan: Plan) -> Job {
    let document = DocumentId::named(b"d");
    let item = Item {
        id: ItemId::root(&document),
        key: Some(Bytes::from_static(b"k")),
        payload: Bytes::from_static(b"whole"),
        content_type: None,
        headers: Vec::new(),
        attributes: Vec::new(),
    };
    Job::start(document, Arc::new(plan), item, 100_000)
}

fn output(payload: &'static str) -> Output {
    Output {
        payload: Bytes::from_static(payload.as_bytes()),
        content_type: None,
        key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        branch: None,
    }
}

fn emit(payloads: &[&'static str]) -> Verdict {
    Verdict::Decided(Outcome::Emit(payloads.iter().map(|payload| output(payload)).collect()))
}

fn failed(code: &str) -> Failed {
    Failed { failure: Failure::new(code, "why"), attempts: 3, kind: FailureKind::Fault }
}

fn payloads(end: Option<Disposition>) -> Vec<String> {
    match end {
        Some(Disposition::Emitted(items)) => {
            items.iter().map(|end| String::from_utf8_lossy(&end.item.payload).into_owned()).collect()
        }
        other => panic!("expected outputs, got {other:?}"),
    }
}

#[test]
fn outputs_keep_item_order_whatever_order_they_finish_in() {
    let mut job = job(&["split", "mark"]);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b", "c"]));
    let tasks: Vec<Task> = std::iter::from_fn(|| job.next_task()).collect();
    job.apply(tasks[2].clone(), emit(&["c1", "c2"]));
    job.apply(tasks[0].clone(), emit(&["a1"]));
    assert_eq!(job.end(), None, "an item is still running");
    job.apply(tasks[1].clone(), emit(&["b1"]));
    assert_eq!(payloads(job.end()), ["a1", "b1", "c1", "c2"]);
}

#[test]
fn an_item_that_is_mended_runs_alone() {
    let mut plan = Plan::straight(&["split", "parse", "mend"]);
    plan.nodes[1].next = Target::Sink;
    plan.nodes[1].on_failure = OnFailure::Rescue(2);
    let mut job = planned(plan);
    let split = job.next_task().unwrap();
    job.apply(split.clone(), emit(&["a", "b"]));
    let (a, b) = (job.next_task().unwrap(), job.next_task().unwrap());
    job.apply(a, Verdict::Failed(failed("bad")));
    job.apply(b, Verdict::Failed(failed("bad")));
    let mending = job.next_task().unwrap();
    assert!(mending.runs_alone() && !split.runs_alone());
}

#[test]
fn ids_are_made_of_parent_stage_and_ordinal() {
    let mut job = job(&["split"]);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b"]));
    let Some(Disposition::Emitted(items)) = job.end() else { panic!("no outputs") };
    assert_eq!(items[1].item.id.as_str(), "d/split.1");
    assert_eq!(items[1].item.key.as_deref(), Some(b"k".as_slice()), "siblings keep their parent's key");
}

#[test]
fn one_failed_item_dead_letters_the_whole_job_and_starts_nothing_new() {
    let mut job = job(&["split", "mark"]);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b", "c"]));
    let (first, second) = (job.next_task().unwrap(), job.next_task().unwrap());
    job.apply(first, Verdict::Failed(failed("trap")));
    assert!(job.next_task().is_none(), "c must not start");
    assert_eq!(job.end(), None, "b still runs");
    job.apply(second, emit(&["b1"]));
    let expected = Disposition::DeadLettered { stage: Some("mark".into()), failed: failed("trap") };
    assert_eq!(job.end(), Some(expected));
}

#[test]
fn a_dropped_item_leaves_its_siblings() {
    let mut job = job(&["split", "filter"]);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b"]));
    let (a, b) = (job.next_task().unwrap(), job.next_task().unwrap());
    job.apply(a, Verdict::Decided(Outcome::Drop("spam".into())));
    job.apply(b, emit(&["b"]));
    assert_eq!(payloads(job.end()), ["b"]);
}

#[test]
fn a_job_that_emits_nothing_is_dropped_with_its_reason() {
    let mut job = job(&["filter"]);
    let task = job.next_task().unwrap();
    job.apply(task, Verdict::Decided(Outcome::Drop("spam".into())));
    assert_eq!(job.end(), Some(Disposition::Dropped("spam".into())));
}

#[test]
fn an_unmapped_branch_is_a_fault_and_not_silence() {
    let mut job = job(&["route"]);
    let task = job.next_task().unwrap();
    let branched = Output { branch: Some("german".into()), ..output("x") };
    job.apply(task, Verdict::Decided(Outcome::Emit(vec![branched])));
    let Some(Disposition::DeadLettered { failed, .. }) = job.end() else { panic!("not dead-lettered") };
    assert_eq!(failed.failure.code, "unmapped-branch");
}

#[test]
fn a_stage_cannot_set_what_is_the_hosts() {
    let mut job = job(&["x"]);
    let task = job.next_task().unwrap();
    let attribute = |name: &str| crate::model::Attribute { name: name.into(), value: "v".into() };
    let header = |name: &'static str| crate::model::Header { name: name.into(), value: None };
    let greedy = Output {
        attributes: vec![attribute("sys.pipeline"), attribute("mine")],
        headers: vec![header("gristmill-job-id"), header("mine")],
        ..output("x")
    };
    job.apply(task, Verdict::Decided(Outcome::Emit(vec![greedy])));
    let Some(Disposition::Emitted(items)) = job.end() else { panic!("no outputs") };
    assert_eq!(items[0].item.attributes, [attribute("mine")]);
    assert_eq!(items[0].item.headers, [header("mine")]);
}

fn branch(label: &str, payload: &'static str) -> Output {
    Output { branch: Some(label.into()), ..output(payload) }
}

fn outputs(outputs: Vec<Output>) -> Verdict {
    Verdict::Decided(Outcome::Emit(outputs))
}

fn text(task: &Task) -> String {
    let text = |item: &Item| String::from_utf8_lossy(&item.payload).into_owned();
    match &task.input {
        Input::Item(item) => text(item),
        Input::Gathered(items) => items.iter().map(text).collect::<Vec<_>>().join("+"),
    }
}

#[test]
fn a_branch_leads_to_its_stage_its_topic_or_nowhere() {
    let mut plan = Plan::straight(&["route", "short", "long"]);
    let branches = [
        ("long", Target::Stage(2)),
        ("odd", Target::Topic("odd".into())),
        ("spam", Target::Drop),
        ("done", Target::Sink),
    ];
    plan.nodes[0].branches = branches.map(|(label, target)| (label.to_owned(), target)).into();
    plan.nodes[1].next = Target::Sink;
    let mut job = planned(plan);
    let route = job.next_task().unwrap();
    let labels = [branch("long", "l"), branch("odd", "o"), branch("spam", "x"), branch("done", "d"), output("s")];
    job.apply(route, outputs(labels.into()));
    let (long, short) = (job.next_task().unwrap(), job.next_task().unwrap());
    assert_eq!((long.stage, short.stage), (2, 1));
    job.apply(short, emit(&["s"]));
    job.apply(long, emit(&["l"]));
    let Some(Disposition::Emitted(ends)) = job.end() else { panic!("no outputs") };
    let topics: Vec<Option<&str>> = ends.iter().map(|end| end.topic.as_deref()).collect();
    assert_eq!(topics, [None, Some("odd"), None, None], "in the order of the first outputs");
}

fn gathering() -> Job {
    let mut plan = Plan::straight(&["split", "mark", "sum"]);
    plan.nodes[2].intake = Intake::Gathered;
    let mut job = planned(plan);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b", "c"]));
    job
}

#[test]
fn a_gathering_stage_waits_for_all_and_gets_them_in_order() {
    let mut job = gathering();
    let tasks: Vec<Task> = std::iter::from_fn(|| job.next_task()).collect();
    for task in [2, 0].map(|index| tasks[index].clone()) {
        let mark = match task.input {
            Input::Item(ref item) if item.payload == "c" => emit(&["c"]),
            _ => emit(&["a"]),
        };
        job.apply(task, mark);
    }
    assert!(job.next_task().is_none() && job.end().is_none(), "b still runs");
    job.apply(tasks[1].clone(), emit(&["b1", "b2"]));
    let sum = job.next_task().unwrap();
    assert_eq!(text(&sum), "a+b1+b2+c");
    job.apply(sum, emit(&["4"]));
    let Some(Disposition::Emitted(ends)) = job.end() else { panic!("no outputs") };
    assert_eq!(ends[0].item.id.as_str(), "d/sum.all/sum.0");
    assert_eq!(ends[0].item.key.as_deref(), Some(b"k".as_slice()), "all items share this key");
}

#[test]
fn a_gathering_stage_that_nothing_reaches_is_not_called() {
    let mut job = gathering();
    while let Some(task) = job.next_task() {
        assert_ne!(task.stage, 2);
        job.apply(task, Verdict::Decided(Outcome::Drop("empty".into())));
    }
    assert_eq!(job.end(), Some(Disposition::Dropped("empty".into())));
}

#[test]
fn a_skipped_item_leaves_its_siblings() {
    let mut plan = Plan::straight(&["split", "mark"]);
    plan.nodes[1].on_failure = OnFailure::Skip;
    let mut job = planned(plan);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b"]));
    let (a, b) = (job.next_task().unwrap(), job.next_task().unwrap());
    job.apply(a, Verdict::Failed(failed("trap")));
    job.apply(b, emit(&["b"]));
    assert_eq!(payloads(job.end()), ["b"]);
}

/// A job whose first stage has failed, with a second stage to rescue its item.
fn rescued() -> Job {
    let mut plan = Plan::straight(&["parse", "mend"]);
    plan.nodes[0].next = Target::Sink;
    plan.nodes[0].on_failure = OnFailure::Rescue(1);
    let mut job = planned(plan);
    let parse = job.next_task().unwrap();
    job.apply(parse, Verdict::Failed(failed("bad")));
    job
}

#[test]
fn a_rescue_sees_the_failure_and_its_item_is_tried_again() {
    let mut job = rescued();
    let mend = job.next_task().unwrap();
    let Input::Item(item) = &mend.input else { panic!("{mend:?}") };
    let told: Vec<(&str, &str)> =
        item.attributes.iter().map(|told| (told.name.as_str(), told.value.as_str())).collect();
    assert_eq!(told, [("sys.failure.stage", "parse"), ("sys.failure.code", "bad"), ("sys.failure.message", "why")]);
    job.apply(mend, emit(&["mended"]));
    let again = job.next_task().unwrap();
    assert_eq!((again.stage, text(&again).as_str()), (0, "mended"));
    let Input::Item(item) = &again.input else { panic!("{again:?}") };
    assert!(item.attributes.is_empty(), "only the rescue sees the failure");
    job.apply(again, emit(&["done"]));
    assert_eq!(payloads(job.end()), ["done"]);
}

#[test]
fn a_rescue_sees_the_details_of_the_failure() {
    let mut plan = Plan::straight(&["check", "mend"]);
    plan.nodes[0].on_failure = OnFailure::Rescue(1);
    let mut job = planned(plan);
    let check = job.next_task().unwrap();
    let failure = Failure::new("bad", "why").with_details(Some("[1]"));
    job.apply(check, Verdict::Decided(Outcome::Reject(failure)));
    let mend = job.next_task().unwrap();
    let Input::Item(item) = &mend.input else { panic!("{mend:?}") };
    let details = item.attributes.iter().find(|told| told.name == "sys.failure.details");
    assert_eq!(details.map(|told| told.value.as_str()), Some("[1]"));
}

#[test]
fn an_item_is_rescued_once() {
    let mut job = rescued();
    let mend = job.next_task().unwrap();
    job.apply(mend, emit(&["mended"]));
    let again = job.next_task().unwrap();
    job.apply(again, Verdict::Failed(failed("still-bad")));
    let expected = Disposition::DeadLettered { stage: Some("parse".into()), failed: failed("still-bad") };
    assert_eq!(job.end(), Some(expected));
}

#[test]
fn a_rescue_that_fails_leaves_the_first_failure() {
    let mut job = rescued();
    let mend = job.next_task().unwrap();
    job.apply(mend, Verdict::Failed(failed("helpless")));
    let Some(Disposition::DeadLettered { stage, failed }) = job.end() else { panic!("not dead-lettered") };
    assert_eq!((stage.as_deref(), failed.failure.code.as_str(), failed.attempts), (Some("parse"), "bad", 3));
    assert!(failed.failure.message.contains("helpless"), "{failed:?}");
}

#[test]
fn a_job_that_holds_too_much_is_dead_lettered() {
    let mut plan = Plan::straight(&["split", "mark"]);
    plan.nodes[0].on_failure = OnFailure::Skip;
    let mut job = planned(plan);
    let split = job.next_task().unwrap();
    let long: &'static str = "x".repeat(40_000).leak();
    job.apply(split, emit(&[long, long, long]));
    let Some(Disposition::DeadLettered { failed, .. }) = job.end() else { panic!("not dead-lettered") };
    assert_eq!(failed.failure.code, "job-too-large");
}

#[test]
fn what_outputs_inherit_counts_too() {
    let mut job = planned(Plan::straight(&["mark", "split"]));
    let mark = job.next_task().unwrap();
    let heavy = Attribute { name: "note".into(), value: "x".repeat(1_000) };
    job.apply(mark, Verdict::Decided(Outcome::Emit(vec![Output { attributes: vec![heavy], ..output("small") }])));
    let split = job.next_task().unwrap();
    job.apply(split, Verdict::Decided(Outcome::Emit(vec![output(""); 100])));
    let Some(Disposition::DeadLettered { failed, .. }) = job.end() else { panic!("not dead-lettered") };
    assert_eq!(failed.failure.code, "job-too-large");
}

#[test]
fn items_collect_attributes_up_to_a_bound() {
    let mut job = planned(Plan::straight(&["one", "two"]));
    for (stage, outcome) in [("one", None), ("two", Some("too-many-attributes"))] {
        let task = job.next_task().unwrap();
        let attribute = |number| Attribute { name: format!("{stage}-{number}"), value: String::new() };
        let attributes = (0..501).map(attribute).collect();
        job.apply(task, Verdict::Decided(Outcome::Emit(vec![Output { attributes, ..output("x") }])));
        let code = job.end().map(|end| match end {
            Disposition::DeadLettered { failed, .. } => failed.failure.code,
            other => panic!("{other:?}"),
        });
        assert_eq!(code.as_deref(), outcome, "{stage}");
    }
}

fn counted(job: &Job) -> Vec<(u32, u32)> {
    job.counts().iter().map(|count| (count.done, count.known)).collect()
}

#[test]
fn the_calls_of_each_stage_are_counted_and_what_is_gathered_is_one_call() {
    let mut plan = Plan::straight(&["split", "mark", "sum"]);
    plan.nodes[2].intake = Intake::Gathered;
    let mut job = planned(plan);
    assert_eq!(counted(&job), [], "not unless somebody wants to know");
    job.count();
    assert_eq!(counted(&job), [(0, 1), (0, 0), (0, 0)]);
    let split = job.next_task().unwrap();
    job.apply(split, emit(&["a", "b"]));
    assert_eq!(counted(&job), [(1, 1), (0, 2), (0, 0)]);
    for done in 1..=2 {
        let mark = job.next_task().unwrap();
        job.apply(mark, emit(&["m"]));
        assert_eq!(counted(&job), [(1, 1), (done, 2), (0, 1)]);
    }
    let sum = job.next_task().unwrap();
    job.apply(sum, emit(&["s"]));
    assert_eq!(counted(&job), [(1, 1), (2, 2), (1, 1)]);
}

#[test]
fn a_rescue_and_the_call_after_it_are_counted_too() {
    let mut plan = Plan::straight(&["parse", "mend"]);
    plan.nodes[0].next = Target::Sink;
    plan.nodes[0].on_failure = OnFailure::Rescue(1);
    let mut job = planned(plan);
    job.count();
    let parse = job.next_task().unwrap();
    job.apply(parse, Verdict::Failed(failed("bad")));
    assert_eq!(counted(&job), [(1, 1), (0, 1)]);
    let mend = job.next_task().unwrap();
    job.apply(mend, emit(&["mended"]));
    assert_eq!(counted(&job), [(1, 2), (1, 1)]);
}
