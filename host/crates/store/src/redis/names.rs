//! The names of keys. Do not change them: hosts of other versions read them.

use std::fmt::Write as _;
use std::sync::Arc;

use gristmill_core::model::{DocumentId, JobId, Partition, Run, Timestamp};
use gristmill_core::ports::{Counter, Key};

/// The keys of one pipeline.
#[derive(Clone)]
pub(super) struct Names(Arc<str>);

impl Names {
    pub(super) fn of(pipeline: &str) -> Self {
        Self(format!("gristmill:{pipeline}:").into())
    }

    fn named(&self, what: &str) -> String {
        format!("{}{what}", self.0)
    }

    /// A string: the version of what is written here.
    pub(super) fn version(&self) -> String {
        self.named("version")
    }

    /// A hash: what is kept of a job, by its key.
    pub(super) fn job(&self, job: &JobId) -> String {
        self.named(&format!("job:{job}"))
    }

    /// A hash: the last records of a document and its items.
    pub(super) fn document(&self, document: &DocumentId) -> String {
        self.named(&format!("document:{}", document.as_str()))
    }

    /// A hash: what was spent, a field for each sum.
    pub(super) fn spent(&self) -> String {
        self.named("spent")
    }

    /// A hash: what a stage keeps, and its sums.
    pub(super) fn state(&self, stage: &str) -> String {
        self.named(&format!("state:{stage}"))
    }

    /// A string: how far a host has added to that.
    pub(super) fn added(&self, host: &str) -> String {
        self.named(&format!("added:{host}"))
    }

    /// What the key of an answer begins with.
    pub(super) fn answers(&self) -> String {
        self.named("answer:")
    }

    /// A string: an answer.
    pub(super) fn answer(&self, key: Key) -> Vec<u8> {
        [self.answers().as_bytes(), &key.0].concat()
    }

    /// A sorted set, a hash and a number: when answers are too old, their sizes, and the sum of these.
    pub(super) fn of_answers(&self) -> [String; 3] {
        [self.named("answers"), self.named("answers:sizes"), self.named("answers:bytes")]
    }
}

/// A hash: what hosts of all pipelines count together.
pub(super) fn counter(counter: &Counter) -> String {
    format!("gristmill:counter:{}", counter.name)
}

/// The keys of records of jobs.
impl Names {
    /// What all names begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.0
    }

    /// A hash: the record of a job, its version, and the key that it came with.
    pub(super) fn record(&self, job: &JobId) -> String {
        self.named(&format!("record:{job}"))
    }

    /// A hash, for frontends that read it themselves.
    pub(super) fn status(&self, job: &JobId) -> String {
        self.named(&format!("status:{job}"))
    }

    /// A list: what happened in a run of a job.
    pub(super) fn moments(&self, job: &JobId, run: Run) -> String {
        self.named(&format!("moments:{}:{job}", run.0))
    }

    /// A string: the request that came with a key, and its job.
    pub(super) fn once(&self, key: &[u8; 32]) -> String {
        self.named(&format!("once:{}", hex(key)))
    }

    /// A sorted set, as all lists: members are in the order of lists.
    pub(super) fn list_of_all(&self) -> String {
        self.named("list:all")
    }

    pub(super) fn list_of_owner(&self, owner: &[u8; 32]) -> String {
        self.named(&format!("list:owner:{}", hex(owner)))
    }

    pub(super) fn list_of_batch(&self, batch: &[u8; 32]) -> String {
        self.named(&format!("list:batch:{}", hex(batch)))
    }

    pub(super) fn list_of_status(&self, status: i16) -> String {
        self.named(&format!("list:status:{status}"))
    }

    pub(super) fn list_of_attribute(&self, attribute: &[u8; 32]) -> String {
        self.named(&format!("list:attribute:{}", hex(attribute)))
    }

    /// A hash: status, hundredths and owner of each job of a batch.
    pub(super) fn batch(&self, batch: &[u8; 32]) -> String {
        self.named(&format!("batch:{}", hex(batch)))
    }

    /// A sorted set: what is settling in a partition, in the order of its positions.
    pub(super) fn settling(&self, partition: &Partition) -> String {
        self.named(&format!("settling:{partition}"))
    }

    /// A sorted set: when records are too old.
    pub(super) fn expiry(&self) -> String {
        self.named("records:expiry")
    }

    /// A sorted set: the jobs that are to be cancelled, by the numbers of the acts.
    pub(super) fn acts(&self) -> String {
        self.named("acts")
    }

    /// A hash: the runs of those jobs.
    pub(super) fn runs_of_acts(&self) -> String {
        self.named("acts:runs")
    }

    /// A number: of the last act.
    pub(super) fn last_act(&self) -> String {
        self.named("acts:last")
    }

    /// What the key of a delivery begins with. Its name comes after that.
    pub(super) fn deliveries(&self) -> String {
        self.named("delivery:")
    }

    /// A hash: a delivery.
    pub(super) fn delivery(&self, job: &JobId, run: Run) -> String {
        self.deliveries() + &name_of_delivery(job, run)
    }

    /// A sorted set: when deliveries are due.
    pub(super) fn due(&self) -> String {
        self.named("deliveries:due")
    }

    /// A sorted set: when deliveries come back that a host has taken.
    pub(super) fn leased(&self) -> String {
        self.named("deliveries:leased")
    }
}

/// The name of a delivery.
pub(super) fn name_of_delivery(job: &JobId, run: Run) -> String {
    format!("{}:{job}", run.0)
}

/// A job in a list: members of the same score are sorted byte by byte.
pub(super) fn listed(created: Timestamp, job: &JobId) -> String {
    format!("{:016x}{job}", crate::records::created(created))
}

/// A position in a partition, as text that sorts like it.
pub(super) fn position(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// A digest as text.
pub(super) fn hex(digest: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
