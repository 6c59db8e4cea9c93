//! The encoding of records of jobs and of what happened in them: a version, then each field prefixed with its length.

use bytes::Bytes;
use gristmill_core::model::{
    Attribute, BatchId, Canonical, Ended, EventDigest, EventId, Failure, ItemId, JobId, JobRecord, KeptOutput, Moment,
    MomentKind, OutputRecord, Owner, Partition, Percent, Phase, Position, Run, Spent, StageAt, StageCount, Stamp,
    Standing, StoredPayload, Timestamp, Told, Usd, Waiting,
};

use crate::decoding::Decoding;

/// The first byte. Any change to the encoding needs a new version, and a new version of every store: records are not done
/// again like what is kept.
const VERSION: u8 = 2;

type To = Canonical<Vec<u8>>;

// Structs are destructured in full below, so that a new field does not compile until it is handled.

/// Encodes a record.
pub(crate) fn encode(record: &JobRecord) -> Vec<u8> {
    let JobRecord {
        job,
        owner,
        batch,
        attributes,
        webhook,
        created,
        updated,
        version,
        run,
        event,
        earlier_events,
        from_stage,
        place,
        earlier_place,
        first,
        standing: Standing { phase, percent, stage, done },
        ended,
        cancel,
        told,
    } = record;
    let mut to = To::new(Vec::with_capacity(512));
    to.kind(VERSION);
    to.text(job.as_str());
    to.optional(owner.as_ref(), |to, Owner { tenant, subject }| {
        to.text(tenant);
        to.text(subject);
    });
    to.optional(batch.as_ref(), |to, BatchId(id)| to.text(id));
    to.list(attributes.iter(), |to, attribute| attribute.encode(to));
    to.optional(webhook.as_deref(), Canonical::text);
    time(&mut to, *created);
    time(&mut to, *updated);
    to.number(*version);
    to.number(run.0.into());
    to.optional(event.as_ref(), |to, EventDigest(digest)| to.bytes(digest));
    to.list(earlier_events.iter(), |to, EventDigest(digest)| to.bytes(digest));
    to.optional(from_stage.as_deref(), Canonical::text);
    to.optional(place.as_ref(), event_id);
    to.optional(earlier_place.as_ref(), event_id);
    to.optional(first.as_ref(), |to, Stamp { place, time: at }| {
        event_id(to, place);
        time(to, *at);
    });
    to.kind(*phase as u8);
    to.kind(percent.get());
    to.number((*stage).into());
    to.number((*done).into());
    to.optional(*ended, |to, ended| to.kind(ended as u8));
    to.kind(u8::from(*cancel));
    self::told(&mut to, told);
    to.into_inner()
}

fn told(to: &mut To, told: &Told) {
    let Told { stage, waiting, attempts, last_error, dropped, spent: took, outputs, first_outputs } = told;
    to.optional(stage.as_ref(), |to, StageAt { name, index, of, items: StageCount { done, known } }| {
        to.text(name);
        for number in [index, of, done, known] {
            to.number((*number).into());
        }
    });
    to.optional(waiting.as_ref(), |to, Waiting { why, until }| {
        to.text(why);
        to.optional(*until, time);
    });
    to.number((*attempts).into());
    to.optional(last_error.as_ref(), failure);
    to.optional(dropped.as_deref(), Canonical::text);
    spent(to, took);
    to.number((*outputs).into());
    to.list(first_outputs.iter(), output);
}

fn output(to: &mut To, output: &OutputRecord) {
    let OutputRecord { topic, item, content_type, sha256, size, kept } = output;
    to.text(topic);
    to.text(item.as_str());
    to.optional(content_type.as_deref(), Canonical::text);
    to.bytes(sha256);
    to.number(*size);
    to.optional(kept.as_ref(), |to, kept| match kept {
        KeptOutput::Inline(bytes) => {
            to.kind(0);
            to.bytes(bytes);
        }
        KeptOutput::Object(stored) => {
            to.kind(1);
            // In full, like the others: its own text is what records in topics have.
            let StoredPayload { name: _, sha256: _, size: _ } = stored;
            to.text(&stored.to_string());
        }
    });
}

fn failure(to: &mut To, failure: &Failure) {
    let Failure { code, message, details } = failure;
    to.text(code);
    to.text(message);
    to.optional(details.as_deref(), Canonical::text);
}

fn spent(to: &mut To, spent: &Spent) {
    let Spent { calls, input_tokens, cache_read_input_tokens, output_tokens, cost, unpriced } = *spent;
    for number in [calls, input_tokens, cache_read_input_tokens, output_tokens, cost.get(), unpriced] {
        to.number(number);
    }
}

fn time(to: &mut To, Timestamp(milliseconds): Timestamp) {
    to.number(milliseconds.cast_unsigned());
}

fn event_id(to: &mut To, id: &EventId) {
    let EventId { partition: Partition { topic, index }, position: Position(position) } = id;
    to.text(topic);
    to.number((*index).into());
    to.bytes(&position.to_be_bytes());
}

/// Encodes something that happened.
pub(crate) fn encode_moment(moment: &Moment) -> Vec<u8> {
    let Moment { at, run, stage, item, milliseconds, what } = moment;
    let mut to = To::new(Vec::with_capacity(128));
    to.kind(VERSION);
    time(&mut to, *at);
    to.number(run.0.into());
    to.text(stage);
    to.text(item.as_str());
    to.number(*milliseconds);
    match what {
        MomentKind::Attempt(number, failed) => {
            to.kind(0);
            to.number((*number).into());
            to.optional(failed.as_ref(), failure);
        }
        MomentKind::Restored => to.kind(1),
        MomentKind::ModelCall(alias, target, took) => {
            to.kind(2);
            to.text(alias);
            to.text(target);
            spent(&mut to, took);
        }
    }
    to.into_inner()
}

/// Decodes a record; `None` if the bytes are of another version or malformed.
pub(crate) fn decode(bytes: Bytes) -> Option<JobRecord> {
    let mut from = Decoding::of(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let record = from.record()?;
    from.is_done().then_some(record)
}

/// Decodes something that happened; `None` if the bytes are of another version or malformed.
pub(crate) fn decode_moment(bytes: Bytes) -> Option<Moment> {
    let mut from = Decoding::of(bytes);
    if from.byte()? != VERSION {
        return None;
    }
    let moment = from.moment()?;
    from.is_done().then_some(moment)
}

/// What records are of.
impl Decoding {
    fn record(&mut self) -> Option<JobRecord> {
        Some(JobRecord {
            job: JobId::read(&self.text()?)?,
            owner: self.optional(|from| Some(Owner { tenant: from.text()?, subject: from.text()? }))?,
            batch: self.optional(|from| from.text().map(BatchId))?,
            attributes: self.list(|from| Some(Attribute { name: from.text()?, value: from.text()? }))?,
            webhook: self.optional(Self::text)?,
            created: self.time()?,
            updated: self.time()?,
            version: self.number()?,
            run: Run(self.small()?),
            event: self.optional(|from| from.digest().map(EventDigest))?,
            earlier_events: self.list(|from| from.digest().map(EventDigest))?,
            from_stage: self.optional(Self::text)?,
            place: self.optional(Self::event_id)?,
            earlier_place: self.optional(Self::event_id)?,
            first: self.optional(|from| Some(Stamp { place: from.event_id()?, time: from.time()? }))?,
            standing: Standing {
                phase: self.phase()?,
                percent: Percent::new(self.byte()?),
                stage: self.small()?,
                done: self.small()?,
            },
            ended: self.optional(Self::ended)?,
            cancel: self.flag()?,
            told: self.told()?,
        })
    }

    fn told(&mut self) -> Option<Told> {
        Some(Told {
            stage: self.optional(|from| {
                let (name, index, of) = (from.text()?, from.small()?, from.small()?);
                Some(StageAt { name, index, of, items: StageCount { done: from.small()?, known: from.small()? } })
            })?,
            waiting: self.optional(|from| Some(Waiting { why: from.text()?, until: from.optional(Self::time)? }))?,
            attempts: self.small()?,
            last_error: self.optional(Self::failure)?,
            dropped: self.optional(Self::text)?,
            spent: self.spent()?,
            outputs: self.small()?,
            first_outputs: self.list(Self::output_record)?,
        })
    }

    fn output_record(&mut self) -> Option<OutputRecord> {
        Some(OutputRecord {
            topic: self.text()?,
            item: ItemId::recorded(self.text()?),
            content_type: self.optional(Self::text)?,
            sha256: self.digest()?,
            size: self.number()?,
            kept: self.optional(|from| match from.byte()? {
                0 => Some(KeptOutput::Inline(from.bytes()?)),
                1 => Some(KeptOutput::Object(from.text()?.parse().ok()?)),
                _ => None,
            })?,
        })
    }

    fn moment(&mut self) -> Option<Moment> {
        Some(Moment {
            at: self.time()?,
            run: Run(self.small()?),
            stage: self.text()?,
            item: ItemId::recorded(self.text()?),
            milliseconds: self.number()?,
            what: match self.byte()? {
                0 => MomentKind::Attempt(self.small()?, self.optional(Self::failure)?),
                1 => MomentKind::Restored,
                2 => MomentKind::ModelCall(self.text()?, self.text()?, self.spent()?),
                _ => return None,
            },
        })
    }

    fn failure(&mut self) -> Option<Failure> {
        Some(Failure { code: self.text()?, message: self.text()?, details: self.optional(Self::text)? })
    }

    fn spent(&mut self) -> Option<Spent> {
        Some(Spent {
            calls: self.number()?,
            input_tokens: self.number()?,
            cache_read_input_tokens: self.number()?,
            output_tokens: self.number()?,
            cost: Usd::nano(self.number()?),
            unpriced: self.number()?,
        })
    }

    fn event_id(&mut self) -> Option<EventId> {
        let partition = Partition { topic: self.text()?.into(), index: self.small()? };
        let position = self.bytes()?.as_ref().try_into().ok().map(u128::from_be_bytes)?;
        Some(EventId { partition, position: Position(position) })
    }

    fn digest(&mut self) -> Option<[u8; 32]> {
        self.bytes()?.as_ref().try_into().ok()
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.number().map(|number| Timestamp(number.cast_signed()))
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn phase(&mut self) -> Option<Phase> {
        const ALL: [Phase; 5] = [Phase::Accepted, Phase::Queued, Phase::Running, Phase::Settling, Phase::Ended];
        let number = self.byte()?;
        ALL.into_iter().find(|phase| *phase as u8 == number)
    }

    fn ended(&mut self) -> Option<Ended> {
        let number = self.byte()?;
        [Ended::Completed, Ended::Failed, Ended::Cancelled].into_iter().find(|ended| *ended as u8 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples::{full, moments, plain};

    #[test]
    fn every_record_and_moment_comes_back_as_it_was() {
        for record in [plain(), full()] {
            assert_eq!(decode(encode(&record).into()), Some(record));
        }
        for moment in moments() {
            assert_eq!(decode_moment(encode_moment(&moment).into()), Some(moment));
        }
    }

    #[test]
    fn bytes_that_are_cut_or_longer_or_of_another_version_are_nothing() {
        let bytes = encode(&full());
        for length in 0..bytes.len() {
            assert_eq!(decode(Bytes::copy_from_slice(&bytes[..length])), None, "{length} bytes");
        }
        assert_eq!(decode([&bytes[..], &[0]].concat().into()), None);
        assert_eq!(decode([&[VERSION + 1], &bytes[1..]].concat().into()), None);
    }

    #[test]
    fn the_encoding_stays() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(gristmill_core::model::sha256(&encode(&full())), GOLDEN_RECORD, "a change needs another version");
        let restored = moments().pop().unwrap();
        assert_eq!(hex(&encode_moment(&restored)), GOLDEN_MOMENT, "a change needs another version");
    }

    const GOLDEN_RECORD: &str = "ce5fd1f6494703ce1a187dce783ac1073e7e0cc60a3287b67f25a95694af10d3";
    const GOLDEN_MOMENT: &str =
        "020000000000000006000000000000000100000000000000056368756e6b000000000000000161000000000000000701";
}
