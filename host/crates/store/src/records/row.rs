//! By what records are found: digests, so that any text can be searched for, and numbers. Stored: do not change them.

use gristmill_core::model::{
    Attribute, BatchId, Canonical, IdempotencyKey, JobRecord, Owner, Partition, Phase, Status, Timestamp,
};

/// What a record is found by, besides its name and the time of its creation.
pub(crate) struct Row {
    /// See [`number`].
    pub(crate) status: i16,
    /// Hundredths; 100 for all that are over, as a sum counts them.
    pub(crate) percent: i16,
    pub(crate) owner: Option<[u8; 32]>,
    pub(crate) batch: Option<[u8; 32]>,
    /// Without repeats.
    pub(crate) attributes: Vec<[u8; 32]>,
    /// The partition, and the position in it, of what is settling.
    pub(crate) settling: Option<(Partition, [u8; 16])>,
    pub(crate) is_over: bool,
}

impl Row {
    /// Of a record.
    pub(crate) fn of(record: &JobRecord) -> Self {
        let is_over = record.standing.phase == Phase::Ended;
        let mut attributes: Vec<_> = record.attributes.iter().map(attribute).collect();
        attributes.sort_unstable();
        attributes.dedup();
        let place = record.place.as_ref().filter(|_| record.standing.phase == Phase::Settling);
        Self {
            status: number(Status::of(record)),
            percent: percent(record),
            owner: record.owner.as_ref().map(owner),
            batch: record.batch.as_ref().map(batch),
            attributes,
            settling: place.map(|place| (place.partition.clone(), place.position.0.to_be_bytes())),
            is_over,
        }
    }
}

/// Hundredths of a record, as a sum counts them.
fn percent(record: &JobRecord) -> i16 {
    if record.standing.phase == Phase::Ended { 100 } else { record.standing.percent.get().into() }
}

/// The number of a status.
pub(crate) fn number(status: Status) -> i16 {
    match status {
        Status::Accepted => 0,
        Status::Queued => 1,
        Status::Running => 2,
        Status::Waiting => 3,
        Status::Completed => 4,
        Status::Failed => 5,
        Status::Cancelled => 6,
    }
}

/// The status with this number.
pub(crate) fn status(stored: i64) -> Option<Status> {
    Status::ALL.iter().map(|(_, status)| *status).find(|status| i64::from(number(*status)) == stored)
}

/// The digest of an owner.
pub(crate) fn owner(Owner { tenant, subject }: &Owner) -> [u8; 32] {
    let mut digest = Canonical::digest("owner of a job");
    digest.text(tenant);
    digest.text(subject);
    digest.finish()
}

/// The digest of a batch.
pub(crate) fn batch(BatchId(id): &BatchId) -> [u8; 32] {
    let mut digest = Canonical::digest("batch of jobs");
    digest.text(id);
    digest.finish()
}

/// The digest of an attribute.
pub(crate) fn attribute(given: &Attribute) -> [u8; 32] {
    let mut digest = Canonical::digest("attribute of a job");
    given.encode(&mut digest);
    digest.finish()
}

/// The digest of a key of an owner's.
pub(crate) fn once(owner: Option<&Owner>, IdempotencyKey(key): &IdempotencyKey) -> [u8; 32] {
    let mut digest = Canonical::digest("key of a submission");
    digest.optional(owner, |to, Owner { tenant, subject }| {
        to.text(tenant);
        to.text(subject);
    });
    digest.text(key);
    digest.finish()
}

/// A time as bytes that sort like it.
pub(crate) fn created(Timestamp(milliseconds): Timestamp) -> u64 {
    milliseconds.cast_unsigned() ^ (1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_stay_and_owners_keep_their_keys_apart() {
        let hex = |bytes: [u8; 32]| bytes[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let owned = |tenant: &str, subject: &str| Owner { tenant: tenant.into(), subject: subject.into() };
        let key = IdempotencyKey("k".into());
        let all = [
            hex(owner(&owned("a", "b"))),
            hex(batch(&BatchId("b".into()))),
            hex(attribute(&Attribute { name: "a".into(), value: "b".into() })),
            hex(once(None, &key)),
            hex(once(Some(&owned("a", "b")), &key)),
            hex(once(Some(&owned("ab", "")), &key)),
        ];
        assert_eq!(all, GOLDEN);
    }

    #[test]
    fn numbers_of_statuses_are_read_as_they_are_written() {
        for (_, given) in Status::ALL {
            assert_eq!(status(number(given).into()), Some(given));
        }
        assert_eq!(status(7), None);
    }

    #[test]
    fn times_sort_like_their_bytes() {
        let times = [i64::MIN, -5, 0, 7, i64::MAX].map(|time| created(Timestamp(time)));
        assert!(times.is_sorted());
    }

    const GOLDEN: [&str; 6] = [
        "d7ca8501ff038ab6",
        "f4465d150b85c513",
        "374aeffe539bbece",
        "138d2a221d7297e2",
        "fa9a2952fdeb88b1",
        "92fc11103a425863",
    ];
}
