//! The routes between stages: what they resolve to, and their faults.

use super::{LEAST, parse, shown};
use crate::settings::Pipeline;
use gristmill_config::ConfigError;
use gristmill_core::model::{Intake, OnFailure, Plan, Target};

/// A stage: its name, and the lines it has besides name and module.
type Lines<'a> = (&'a str, &'a str);

fn stages(stages: &[Lines<'_>]) -> Result<Pipeline, ConfigError> {
    let (mut text, _) = LEAST.split_once("[[stage]]").map(|(head, rest)| (head.to_owned(), rest)).unwrap();
    for (name, more) in stages {
        text.push_str(&format!("[[stage]]\nname = \"{name}\"\nmodule = \"builtin:x\"\n{more}\n"));
    }
    parse(&text)
}

#[track_caller]
fn plan(of: &[Lines<'_>]) -> Plan {
    Plan::clone(&stages(of).unwrap().plan)
}

#[test]
fn without_a_word_each_stage_leads_to_the_next() {
    assert_eq!(plan(&[("a", ""), ("b", ""), ("c", "")]), Plan::straight(&["a", "b", "c"]));
}

#[test]
fn ways_are_read() {
    let plan = plan(&[
        ("a", "branches = { urgent = \"c\", spam = \"drop\", odd = \"topic:review.v1\", done = \"sink\" }"),
        ("b", "next = \"d\""),
        ("c", "next = \"topic:urgent\"\non_failure = \"skip\""),
        ("d", "gather = true\non_failure = \"dead-letter\""),
    ]);
    let [a, b, c, d] = plan.nodes.as_slice() else { panic!("{plan:?}") };
    assert_eq!(a.next, Target::Stage(1));
    assert_eq!(a.branches["urgent"], Target::Stage(2));
    assert_eq!(a.branches["spam"], Target::Drop);
    assert_eq!(a.branches["odd"], Target::Topic("review.v1".into()));
    assert_eq!(a.branches["done"], Target::Sink);
    assert_eq!((&b.next, &c.next, &d.next), (&Target::Stage(3), &Target::Topic("urgent".into()), &Target::Sink));
    assert_eq!((c.on_failure, d.on_failure), (OnFailure::Skip, OnFailure::DeadLetter));
    assert_eq!((c.intake, d.intake), (Intake::Each, Intake::Gathered));
}

#[test]
fn a_stage_that_rescues_is_on_no_way() {
    let plan = plan(&[
        ("mend", ""),
        ("a", "on_failure = \"rescue:mend\""),
        ("other", ""),
        ("b", "on_failure = \"rescue:other\""),
    ]);
    assert_eq!(plan.first, 1, "events enter the first stage that does not rescue");
    assert_eq!(plan.nodes[1].next, Target::Stage(3), "over the one that rescues");
    assert_eq!(plan.nodes[1].on_failure, OnFailure::Rescue(0));
    assert_eq!(plan.nodes[3].on_failure, OnFailure::Rescue(2));
    assert_eq!(plan.nodes[3].next, Target::Sink);
}

#[test]
fn one_stage_can_rescue_several() {
    let plan = plan(&[("a", "on_failure = \"rescue:m\""), ("b", "on_failure = \"rescue:m\""), ("m", "gather = false")]);
    assert_eq!(plan.nodes[1].next, Target::Sink);
    assert_eq!((plan.nodes[0].on_failure, plan.nodes[1].on_failure), (OnFailure::Rescue(2), OnFailure::Rescue(2)));
}

#[test]
fn every_bad_way_is_told_at_its_place() {
    let bad = [
        ("first", "next = \"secnd\"\nbranches = { x = \"first\", \"Y\" = \"sink\" }"),
        ("second", "next = \"Topic\"\non_failure = \"rescue\""),
    ];
    let expected = r#"
error: "Y" in branches of stage "first" is not a name
  --> pipes/p.toml:14:27
   |
14 | branches = { x = "first", "Y" = "sink" }
   |                           ^^^ names have 1 to 64 of a-z, 0-9 and "-"

error: "next" in stage "second" is no route: "Topic"
  --> pipes/p.toml:18:8
   |
18 | next = "Topic"
   |        ^^^^^^^ write the name of a later stage, "sink", "drop", or "topic:NAME"

error: "on_failure" in stage "second" is no policy: "rescue"
  --> pipes/p.toml:19:14
   |
19 | on_failure = "rescue"
   |              ^^^^^^^^ did you mean "rescue:STAGE"? write "dead-letter", "skip", or "rescue:STAGE"
"#;
    assert_eq!(shown(stages(&bad)), expected);
    let bad = [("first", "next = \"secnd\"\nbranches = { x = \"first\" }"), ("second", "")];
    let expected = r#"
error: "next" in stage "first" names no stage: "secnd"
  --> pipes/p.toml:13:8
   |
13 | next = "secnd"
   |        ^^^^^^^ did you mean "second"? stages are: first, second

error: "x" in branches of stage "first" leads back to "first"
  --> pipes/p.toml:14:18
   |
14 | branches = { x = "first" }
   |                  ^^^^^^^ routes lead only to later stages: move that stage down in the file
"#;
    assert_eq!(shown(stages(&bad)), expected);
}

#[test]
fn a_stage_that_no_way_leads_to_is_a_fault() {
    let expected = r#"
error: no route leads to stage "b"
  --> pipes/p.toml:15:8
   |
15 | name = "b"
   |        ^^^ name it by next or branches of an earlier stage, or take it out
"#;
    assert_eq!(shown(stages(&[("a", "next = \"c\""), ("b", ""), ("c", "")])), expected);
    stages(&[("a", "next = \"c\"\nbranches = { x = \"b\" }"), ("b", ""), ("c", "")]).unwrap();
}

#[test]
fn faults_of_ways_say_the_way_out() {
    let cases: [(&[Lines<'_>], &str, &str); 12] = [
        (&[("sink", "")], "\"name\" in stage \"sink\" cannot be \"sink\"", "name the stage otherwise"),
        (&[("drop", "")], "\"name\" in stage \"drop\" cannot be \"drop\"", "name the stage otherwise"),
        (&[("a", "next = \"topic:documents\"")], "leads to \"documents\", the topic of events", "of its own"),
        (&[("a", "branches = { x = \"topic:dead\" }")], "leads to \"dead\", the topic of dead letters", "of its own"),
        (&[("a", "next = \"topic:a b\"")], "names no topic: \"topic:a b\"", "for example \"topic:"),
        (&[("a", "on_failure = \"rescue:a\"")], "names the stage itself", "name another stage"),
        (&[("a", "on_failure = \"rescue:bb\""), ("b", "")], "names no stage: \"bb\"", "did you mean \"b\"?"),
        (
            &[("a", "gather = true\non_failure = \"rescue:b\""), ("b", "")],
            "gathers, so it cannot be rescued",
            "\"skip\"",
        ),
        (&[("a", "next = \"b\"\non_failure = \"rescue:b\""), ("b", "")], "which is there to rescue", "another stage"),
        (
            &[("a", "on_failure = \"rescue:b\""), ("b", "next = \"sink\"")],
            "rescues, so it has no \"next\"",
            "take it out",
        ),
        (&[("a", "gather = \"yes\"")], "\"gather\" in stage \"a\" must be a boolean, not a string", "write true"),
        (&[("a", "on_failure = \"skp\"")], "is no policy: \"skp\"", "did you mean \"skip\"?"),
    ];
    for (of, message, label) in cases {
        let shown = shown(stages(of));
        assert!(shown.contains(message) && shown.contains(label), "{shown}");
    }
}

#[test]
fn a_stage_that_rescues_has_nothing_of_its_own() {
    let own = "gather = true\nnext = \"sink\"\nbranches = { x = \"drop\" }\non_failure = \"skip\"";
    let shown = shown(stages(&[("a", "on_failure = \"rescue:m\""), ("m", own)]));
    for key in ["gather", "next", "branches", "on_failure"] {
        assert!(shown.contains(&format!("stage \"m\" rescues, so it has no \"{key}\" of its own")), "{shown}");
    }
}

#[test]
fn two_stages_cannot_rescue_each_other() {
    let shown = shown(stages(&[("a", "on_failure = \"rescue:b\""), ("b", "on_failure = \"rescue:a\"")]));
    assert!(shown.contains("stage \"a\" rescues, so it has no \"on_failure\" of its own"), "{shown}");
}

/// The reference must not rot: the routes that it shows are routes.
#[test]
fn the_references_example_of_ways_parses() {
    let reference = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pipeline-file.md");
    if !reference.exists() {
        return;
    }
    let text = std::fs::read_to_string(&reference).unwrap();
    let block = text.split("```toml\n").find(|block| block.contains("next = \"english\"")).unwrap();
    let block = block.split("```").next().unwrap();
    let (head, _) = LEAST.split_once("[[stage]]").unwrap();
    let models = "[models.smart]\ntargets = [{ provider = \"scripted\", script = \"a.toml\" }]\n";
    let pipeline = parse(&format!("{head}{block}{models}")).unwrap();
    let report = pipeline.stages.len() - 1;
    assert_eq!(pipeline.plan.nodes[report].intake, Intake::Gathered);
    assert_eq!(pipeline.plan.nodes[2].next, Target::Stage(report), "over the stage that rescues");
}
