//! The trace that a job belongs to, as in W3C Trace Context, level 1.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use super::canonical::Canonical;
use super::ids::JobId;

/// A trace and the caller's span in it: the content of a `traceparent` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: NonZeroU128,
    span: NonZeroU64,
    flags: u8,
}

/// Identifies a trace. Shown as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

/// Identifies a span in its trace. Shown as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

/// Which of the traces that begin with a job are recorded: a share, chosen by the trace's id, so that every host and every
/// redelivery chooses the same ones. The default is none. It does not apply to a trace that the producer began: whether
/// that one is recorded, the producer has decided.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    share: f64,
}

/// The last 56 bits of a trace's id, which W3C Trace Context requires to be random.
const RANDOM_BITS: u32 = 56;

/// The name of the header, in records and in HTTP.
pub const TRACEPARENT: &str = "traceparent";

/// Set if the caller records the trace.
const SAMPLED: u8 = 1;

/// The text is not a `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct BadTrace;

impl TraceContext {
    /// A trace for a job whose event has none. Derived from the job's id, so that a redelivery belongs to the same
    /// trace; not sampled, because nobody is recording it yet.
    #[must_use]
    pub fn of_job(job: &JobId) -> Self {
        let (trace, span) = Self::ids(job);
        Self { trace, span, flags: 0 }
    }

    /// The same trace, recorded if it is among those that are.
    #[must_use]
    pub fn sampled_by(self, sampling: Sampling) -> Self {
        let flags = if sampling.takes(self.trace) { self.flags | SAMPLED } else { self.flags };
        Self { flags, ..self }
    }

    /// The job's span within the trace of its event; the same on every redelivery.
    #[must_use]
    pub fn of_job_in(self, job: &JobId) -> Self {
        Self { span: Self::ids(job).1, ..self }
    }

    /// A span of its own within this one, with an id drawn by the caller. A trace that nobody records needs no further
    /// spans: then it is this one.
    #[must_use]
    pub fn child(self, draw: impl FnOnce() -> u64) -> Self {
        if !self.is_sampled() {
            return self;
        }
        Self { span: NonZeroU64::new(draw()).unwrap_or(NonZeroU64::MIN), ..self }
    }

    /// Whether the trace is recorded.
    #[must_use]
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(self) -> TraceId {
        TraceId(self.trace)
    }

    /// The span.
    #[must_use]
    pub fn span_id(self) -> SpanId {
        SpanId(self.span)
    }

    fn ids(job: &JobId) -> (NonZeroU128, NonZeroU64) {
        let mut digest = Canonical::digest("gristmill trace 1");
        digest.text(job.as_str());
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        let digest = digest.finish();
        trace.copy_from_slice(&digest[..16]);
        span.copy_from_slice(&digest[16..24]);
        let trace = NonZeroU128::new(u128::from_be_bytes(trace)).unwrap_or(NonZeroU128::MIN);
        let span = NonZeroU64::new(u64::from_be_bytes(span)).unwrap_or(NonZeroU64::MIN);
        (trace, span)
    }
}

impl TraceId {
    /// In the order of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

impl SpanId {
    /// In the order of the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Sampling {
    /// A share of the traces, from 0 for none to 1 for all. What is outside of these counts as the nearer one.
    #[must_use]
    pub fn share(share: f64) -> Self {
        Self { share: share.clamp(0.0, 1.0) }
    }

    /// As OpenTelemetry decides it: the highest random parts are taken first.
    fn takes(self, trace: NonZeroU128) -> bool {
        let all = (1_u64 << RANDOM_BITS) as f64;
        let random = trace.get() & ((1 << RANDOM_BITS) - 1);
        self.share > 0.0 && random as f64 >= all * (1.0 - self.share)
    }
}

impl TraceContext {
    /// As a `traceparent` header of version 00.
    #[must_use]
    pub fn text(self) -> [u8; 55] {
        // Written for each record, and the formats of the standard library take their time over each number.
        let mut text = *b"00-................................-................-..";
        write_hex(&mut text[3..35], self.trace.get());
        write_hex(&mut text[36..52], self.span.get().into());
        write_hex(&mut text[53..], self.flags.into());
        text
    }
}

impl fmt::Display for TraceContext {
    /// As [`TraceContext::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

/// Fills the place with the lowest digits of a number.
fn write_hex(place: &mut [u8], number: u128) {
    let mut rest = number;
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest & 0xf) as usize];
        rest >>= 4;
    }
}

impl FromStr for TraceContext {
    type Err = BadTrace;

    /// Reads a `traceparent`. Above version 00, only the four known fields are read, as the specification requires.
    fn from_str(text: &str) -> Result<Self, BadTrace> {
        let hex = |text: &str, length: usize| {
            let legal = text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            legal.then(|| u128::from_str_radix(text, 16).ok()).flatten()
        };
        let mut fields = text.trim().split('-');
        let mut next = |length| fields.next().and_then(|field| hex(field, length)).ok_or(BadTrace);
        let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        if version == 0xff || (version == 0 && fields.next().is_some()) {
            return Err(BadTrace);
        }
        let span = u64::try_from(span).ok().and_then(NonZeroU64::new).ok_or(BadTrace)?;
        let trace = NonZeroU128::new(trace).ok_or(BadTrace)?;
        Ok(Self { trace, span, flags: u8::try_from(flags).map_err(|_| BadTrace)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EventId, Partition, Position};

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn job(position: u128) -> JobId {
        let partition = Partition { topic: "in".into(), index: 0 };
        JobId::new("p", &EventId { partition, position: Position(position) })
    }

    #[test]
    fn a_traceparent_is_read_and_written_unchanged() {
        let trace: TraceContext = PARENT.parse().unwrap();
        assert_eq!(trace.to_string(), PARENT);
        assert!(trace.is_sampled());
    }

    #[test]
    fn what_is_no_traceparent_is_rejected() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(BadTrace), "{text}");
        }
        assert!("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x".parse::<TraceContext>().is_ok());
    }

    #[test]
    fn a_redelivered_job_belongs_to_the_same_trace() {
        assert_eq!(TraceContext::of_job(&job(7)), TraceContext::of_job(&job(7)));
        assert_ne!(TraceContext::of_job(&job(7)), TraceContext::of_job(&job(8)));
        let parent: TraceContext = PARENT.parse().unwrap();
        let own = parent.of_job_in(&job(7));
        assert_eq!(own.to_string()[..36], PARENT[..36], "the trace is unchanged");
        assert_ne!(own, parent, "the span is the job's own");
        assert!(own.is_sampled(), "the caller's sampled flag is kept");
    }

    #[test]
    fn a_share_of_the_traces_that_begin_here_is_recorded() {
        let recorded = |share| {
            let trace = |position| TraceContext::of_job(&job(position)).sampled_by(Sampling::share(share));
            (0..1_000).filter(|position| trace(*position).is_sampled()).count()
        };
        assert_eq!([0.0, 1.0, -1.0, 7.0].map(recorded), [0, 1_000, 0, 1_000]);
        assert!((50..150).contains(&recorded(0.1)), "{}", recorded(0.1));
        assert!((450..550).contains(&recorded(0.5)), "{}", recorded(0.5));
    }

    #[test]
    fn only_a_recorded_trace_gets_further_spans() {
        let parent: TraceContext = PARENT.parse().unwrap();
        let child = parent.child(|| 7);
        assert_eq!(child.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        assert_eq!(child.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span_id().to_string(), "00f067aa0ba902b7");
        let silent = TraceContext::of_job(&job(1));
        assert_eq!(silent.child(|| unreachable!("no id is drawn")), silent);
    }
}
