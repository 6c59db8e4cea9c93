//! Lists of jobs over all pipelines of the host: which, in which order, from where on.

use std::fmt::Write;
use std::sync::Arc;

use futures_util::future::join_all;
use gristmill_core::model::{
    Attribute, BatchId, Caller, Cursor, JobFilter, JobId, JobQuery, JobRecord, Status, Summary, Timestamp, sha256,
};

use super::api::Api;
use super::desk::Pipeline;
use super::problem::{Kind, Problem};

/// The most jobs of one answer.
pub(crate) const MOST: u32 = 1_000;

/// Which jobs a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) pipeline: Option<String>,
    /// Names of statuses.
    pub(crate) statuses: Vec<String>,
    pub(crate) batch: Option<String>,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The same, ready to be asked for.
pub(crate) struct Listing {
    pipelines: Vec<Arc<Pipeline>>,
    filter: JobFilter,
}

/// A job of a list, and its pipeline.
pub(crate) type Listed = (Arc<Pipeline>, JobRecord);

impl Listing {
    /// What of it a caller may see.
    pub(crate) fn of(api: &Api, caller: &Caller, choice: Choice) -> Result<Self, Problem> {
        let pipelines = match &choice.pipeline {
            Some(name) => vec![api.pipeline(name)?],
            None => api.parts.desk.pipelines(),
        };
        let statuses = choice.statuses.iter().map(|name| status(name)).collect::<Result<_, _>>()?;
        let is_admin = caller.sees(None);
        let filter = JobFilter {
            statuses,
            owner: caller.owner.clone().filter(|_| !is_admin),
            batch: choice.batch.map(BatchId),
            attributes: choice.attributes.into_iter().map(|(name, value)| Attribute { name, value }).collect(),
        };
        // Somebody without a name, who is no admin either, has no jobs.
        let pipelines = if is_admin || filter.owner.is_some() { pipelines } else { Vec::new() };
        Ok(Self { pipelines, filter })
    }

    /// The first jobs after a place, the newest first.
    pub(crate) async fn page(&self, after: Option<Cursor>, most: u32) -> Result<Vec<Listed>, Problem> {
        let query = JobQuery { filter: self.filter.clone(), after, most };
        let parts = join_all(self.pipelines.iter().map(async |pipeline| {
            let records = pipeline.book.list(&query).await.map_err(|error| Problem::of_store(&error))?;
            Ok::<_, Problem>(records.into_iter().map(|record| (Arc::clone(pipeline), record)).collect::<Vec<_>>())
        }));
        let mut all = Vec::new();
        for part in parts.await {
            all.extend(part?);
        }
        all.sort_by(|(_, one), (_, other)| (other.created, &other.job).cmp(&(one.created, &one.job)));
        all.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(all)
    }

    /// How many there are.
    pub(crate) async fn summary(&self) -> Result<Summary, Problem> {
        let mut sum = Summary::default();
        for part in join_all(self.pipelines.iter().map(|pipeline| pipeline.book.summary(&self.filter))).await {
            let part = part.map_err(|error| Problem::of_store(&error))?;
            sum.percent += part.percent;
            for (all, some) in sum.by_status.iter_mut().zip(part.by_status) {
                *all += some;
            }
        }
        Ok(sum)
    }
}

fn status(name: &str) -> Result<Status, Problem> {
    let known = Status::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, status)| *status).ok_or_else(|| {
        let names = Status::ALL.map(|(name, _)| name).join(", ");
        Problem::new(Kind::BadRequest, format!("{name:?} is no status; there are: {names}"))
    })
}

/// The place of a job in the list of a choice, as clients carry it. Opaque, but no secret: it has nothing that they have
/// not seen.
pub(crate) fn write_cursor(choice: &Choice, record: &JobRecord) -> String {
    let text = format!("{};{};{}", mark(choice), record.created.0, record.job);
    text.bytes().fold(String::with_capacity(2 * text.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A cursor of the same choice.
pub(crate) fn read_cursor(choice: &Choice, hex: &str) -> Result<Cursor, Problem> {
    let bad = || Problem::new(Kind::BadRequest, "this cursor is none that this list has given");
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return Err(bad());
    }
    let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
    let bytes = bytes.collect::<Result<Vec<u8>, _>>().map_err(|_| bad())?;
    let text = String::from_utf8(bytes).map_err(|_| bad())?;
    let mut parts = text.splitn(3, ';');
    let (marked, created, job) = (parts.next(), parts.next(), parts.next());
    let created = created.and_then(|created| created.parse().ok()).map(Timestamp);
    match (created, job.and_then(JobId::read)) {
        (Some(created), Some(job)) if marked == Some(&mark(choice)) => Ok(Cursor { created, job }),
        _ => Err(bad()),
    }
}

/// Tells a choice from others.
fn mark(choice: &Choice) -> String {
    sha256(format!("{choice:?}").as_bytes())[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::{EventDigest, Submission};

    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let record = JobRecord::of(Submission {
            job: JobId::read("019abf88-b980-7fff-bfff-ffffffffffff").unwrap(),
            owner: None,
            batch: None,
            once: None,
            event: EventDigest([0; 32]),
            attributes: Vec::new(),
            webhook: None,
            at: Timestamp(5),
        });
        let choice = Choice { statuses: vec!["failed".into()], ..Choice::default() };
        let cursor = write_cursor(&choice, &record);
        assert_eq!(read_cursor(&choice, &cursor).unwrap(), Cursor { created: Timestamp(5), job: record.job });
        assert!(read_cursor(&Choice::default(), &cursor).is_err());
        for wrong in ["", "x", "zz", "ää", &cursor[2..], &cursor[..20], &cursor.replace("3b", "3c")] {
            assert!(read_cursor(&choice, wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_status_is_one_of_those_that_clients_read() {
        assert_eq!(status("waiting").unwrap(), Status::Waiting);
        assert!(status("Waiting").unwrap_err().detail.contains("accepted, queued"));
    }
}
