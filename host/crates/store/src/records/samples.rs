//! Records of jobs that tests keep.

use gristmill_core::model::{
    Attribute, BatchId, Ended, EventDigest, EventId, Failure, ItemId, JobId, JobRecord, KeptOutput, Moment, MomentKind,
    OutputRecord, Owner, Partition, Percent, Phase, Position, Run, Spent, StageAt, StageCount, Stamp, Standing,
    StoredPayload, Submission, Timestamp, Told, Usd, Waiting,
};

fn place(position: u128) -> EventId {
    EventId { partition: Partition { topic: "in".into(), index: 3 }, position: Position(position) }
}

/// A record with nothing optional.
pub(crate) fn plain() -> JobRecord {
    let job = JobId::new("p", &place(42));
    JobRecord::of(Submission {
        job,
        owner: None,
        batch: None,
        once: None,
        event: EventDigest([7; 32]),
        attributes: Vec::new(),
        webhook: None,
        at: Timestamp(-5),
    })
}

/// A record with everything.
pub(crate) fn full() -> JobRecord {
    let text = |text: &str| text.to_owned();
    let output = |kept| OutputRecord {
        topic: text("out"),
        item: ItemId::recorded(text("a/chunk.1")),
        content_type: Some(text("text/plain")),
        sha256: [9; 32],
        size: u64::MAX,
        kept,
    };
    let name = "p/0-1/output-1".parse().unwrap();
    let object = KeptOutput::Object(StoredPayload { name, sha256: [8; 32], size: 5 });
    JobRecord {
        owner: Some(Owner { tenant: text("t\u{fc}r"), subject: text("s\0s") }),
        batch: Some(BatchId(text("b"))),
        attributes: vec![Attribute { name: text("n"), value: String::new() }],
        webhook: Some(text("https://example.com")),
        created: Timestamp(1_764_150_000_000),
        updated: Timestamp(1_764_150_000_001),
        version: 9,
        run: Run(2),
        earlier_events: vec![EventDigest([5; 32]), EventDigest([6; 32])],
        from_stage: Some(text("chunk")),
        place: Some(place(u128::MAX)),
        earlier_place: Some(place(1 << 65)),
        first: Some(Stamp { place: place(1 << 64), time: Timestamp(4) }),
        standing: Standing { phase: Phase::Settling, percent: Percent::new(99), stage: 2, done: 3 },
        ended: Some(Ended::Failed),
        cancel: true,
        told: Told {
            stage: Some(StageAt {
                name: text("chunk"),
                index: 2,
                of: 4,
                items: StageCount { done: 3, known: u32::MAX },
            }),
            waiting: Some(Waiting { why: text("rate limit"), until: Some(Timestamp(6)) }),
            attempts: 5,
            last_error: Some(Failure::new("bad", "worse").with_details(Some("{}"))),
            dropped: Some(text("spam")),
            spent: spent(),
            outputs: 300,
            first_outputs: vec![
                output(None),
                output(Some(KeptOutput::Inline(vec![0, 255].into()))),
                output(Some(object)),
            ],
        },
        ..plain()
    }
}

fn spent() -> Spent {
    Spent {
        calls: 1,
        input_tokens: 2,
        cache_read_input_tokens: 3,
        output_tokens: u64::MAX,
        cost: Usd::nano(4),
        unpriced: 5,
    }
}

/// One of each kind.
pub(crate) fn moments() -> Vec<Moment> {
    let moment = |what| Moment {
        at: Timestamp(6),
        run: Run(1),
        stage: "chunk".to_owned(),
        item: ItemId::recorded("a".to_owned()),
        milliseconds: 7,
        what,
    };
    vec![
        moment(MomentKind::Attempt(1, None)),
        moment(MomentKind::Attempt(2, Some(Failure::new("bad", "worse")))),
        moment(MomentKind::ModelCall("smart".to_owned(), "openai/m".to_owned(), spent())),
        moment(MomentKind::Restored),
    ]
}
