//! Tests of the sender, with a store in memory and receivers that listen.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use gristmill_core::model::{
    Ended, EventDigest, JobId, JobRecord, PayloadText, Percent, Phase, Run, Standing, Submission,
};
use gristmill_core::ports::StoreError;
use gristmill_core::settings::SecretRef;
use serde_json::{Value, json};

use super::*;

static NOW: AtomicI64 = AtomicI64::new(1_800_000_000_000);

fn clock() -> Timestamp {
    Timestamp(NOW.load(Ordering::SeqCst))
}

/// What is stored of a delivery.
#[derive(Clone)]
struct Row {
    delivery: Delivery,
    record: JobRecord,
    leased_until: i64,
}

/// Deliveries in memory.
#[derive(Default)]
struct Rows(Mutex<Vec<Row>>);

#[async_trait]
impl Deliveries for Rows {
    async fn due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<(Delivery, JobRecord)>, StoreError> {
        let mut rows = self.0.lock().unwrap();
        let is_due = |row: &Row| row.delivery.due.is_some_and(|due| due <= now) && row.leased_until <= now.0;
        let mut due = Vec::new();
        for row in rows.iter_mut().filter(|row| is_due(row)).take(most as usize) {
            row.leased_until = now.0 + i64::try_from(lease.as_millis()).unwrap();
            due.push((row.delivery.clone(), row.record.clone()));
        }
        Ok(due)
    }

    async fn tried(&self, job: &JobId, run: Run, tried: &Tried, next: Option<Timestamp>) -> Result<(), StoreError> {
        let mut rows = self.0.lock().unwrap();
        let row = rows.iter_mut().find(|row| row.delivery.job == *job && row.delivery.run == run).unwrap();
        row.delivery.tries += 1;
        row.delivery.last = Some(tried.clone());
        row.delivery.due = next;
        row.leased_until = 0;
        Ok(())
    }

    async fn again(&self, _: &JobId, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("only the API asks")
    }

    async fn of(&self, _: &JobId) -> Result<Vec<Delivery>, StoreError> {
        Ok(self.0.lock().unwrap().iter().map(|row| row.delivery.clone()).collect())
    }
}

struct Host(Arc<Rows>);

impl Desk for Host {
    fn outgoing(&self) -> Vec<Outgoing> {
        vec![Outgoing { pipeline: "contracts".into(), deliveries: Arc::clone(&self.0) as _ }]
    }

    fn show(&self, pipeline: &str, record: &JobRecord) -> Value {
        json!({"job_id": record.job.as_str(), "pipeline": pipeline})
    }
}

fn job(number: u8) -> JobId {
    JobId::submitted(1_800_000_000_000, &[number; 10])
}

fn row(number: u8, url: &str, ended: Ended) -> Row {
    let event = EventDigest::of(None, PayloadText::Inline(b"x"));
    let submission = Submission {
        job: job(number),
        owner: None,
        batch: None,
        once: None,
        event,
        attributes: Vec::new(),
        webhook: Some(url.to_owned()),
        at: clock(),
    };
    let mut record = JobRecord::of(submission);
    record.standing = Standing { percent: Percent::ALL, ..Standing::at(Phase::Ended) };
    record.ended = Some(ended);
    let url = url.to_owned();
    let delivery = Delivery { job: job(number), run: Run::FIRST, url, tries: 0, last: None, due: Some(clock()) };
    Row { delivery, record, leased_until: 0 }
}

/// A sender of these deliveries, and the folder with its secret.
fn sender(rows: &Arc<Rows>) -> (Sender, std::path::PathBuf) {
    let folder = std::env::temp_dir().join(format!("gristmill-webhooks-{:016x}", fastrand::u64(..)));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("secret");
    std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let settings = WebhookSettings {
        secrets: vec![SecretRef::File(file)],
        allow: vec![Network("127.0.0.1/32".into())],
        timeout: Duration::from_secs(30),
        give_up: Duration::from_secs(60 * 60),
    };
    (Sender::new(&settings, Arc::new(Host(Arc::clone(rows))), clock).unwrap(), folder)
}

/// Runs a sender until that is true.
async fn until(rows: &Arc<Rows>, is_done: impl Fn(&[Row]) -> bool) {
    let (sender, folder) = sender(rows);
    let stop = CancellationToken::new();
    let running = tokio::spawn(sender.run(stop.clone()));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_done(&rows.0.lock().unwrap()) {
        assert!(Instant::now() < deadline, "not within a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    running.await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

type Got = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// A receiver that answers the first requests with these statuses and then with 204.
async fn receiver(statuses: &[u16]) -> (String, Got) {
    let got = Got::default();
    let statuses = Arc::new(Mutex::new(statuses.to_vec()));
    let keep = Arc::clone(&got);
    let answer = move |headers: HeaderMap, body: Bytes| {
        keep.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap()));
        let mut statuses = statuses.lock().unwrap();
        let status = if statuses.is_empty() { 204 } else { statuses.remove(0) };
        async move { StatusCode::from_u16(status).unwrap() }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = Router::new().route("/hook", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, got)
}

#[tokio::test]
async fn each_end_is_told_once_with_the_job_as_the_api_shows_it() {
    let (url, got) = receiver(&[]).await;
    let ends = [Ended::Completed, Ended::Failed, Ended::Cancelled];
    let rows: Vec<_> = ends.iter().zip(1..).map(|(ended, number)| row(number, &url, *ended)).collect();
    let rows = Arc::new(Rows(Mutex::new(rows)));
    until(&rows, |rows| rows.iter().all(|row| row.delivery.due.is_none())).await;
    let mut told = got.lock().unwrap().clone();
    told.sort_by_key(|(_, body)| body["data"]["job_id"].as_str().unwrap().to_owned());
    let kinds: Vec<_> = told.iter().map(|(_, body)| body["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["job.completed", "job.failed", "job.cancelled"]);
    let (headers, body) = &told[0];
    assert_eq!(headers["webhook-id"], format!("{};1", job(1)));
    assert_eq!(body["data"], json!({"job_id": job(1).as_str(), "pipeline": "contracts"}));
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(rows.0.lock().unwrap().iter().all(|row| row.delivery.tries == 1));
}

#[tokio::test]
async fn a_failed_try_is_noted_with_its_reason_and_comes_again_under_the_same_id() {
    let (url, got) = receiver(&[500]).await;
    let rows = Arc::new(Rows(Mutex::new(vec![row(9, &url, Ended::Completed)])));
    until(&rows, |rows| rows[0].delivery.tries == 1).await;
    {
        let mut rows = rows.0.lock().unwrap();
        let delivery = &mut rows[0].delivery;
        let last = delivery.last.clone().unwrap();
        assert_eq!((last.status, last.error.as_deref()), (Some(500), Some("it answers 500")));
        assert!(delivery.due.unwrap().0 >= clock().0 + 5_000);
        // The wait is over.
        delivery.due = Some(clock());
    }
    until(&rows, |rows| rows[0].delivery.due.is_none()).await;
    let got = got.lock().unwrap();
    let ids: Vec<_> = got.iter().map(|(headers, _)| &headers["webhook-id"]).collect();
    assert_eq!((ids.len(), ids[0]), (2, ids[1]));
}

#[tokio::test]
async fn what_is_unwanted_or_of_an_earlier_run_ends() {
    let (url, got) = receiver(&[410]).await;
    let rows = Arc::new(Rows(Mutex::new(vec![row(9, &url, Ended::Completed)])));
    until(&rows, |rows| rows[0].delivery.due.is_none()).await;
    assert_eq!(got.lock().unwrap().len(), 1);
    let mut again = row(8, &url, Ended::Completed);
    again.record.run = Run(2);
    let rows = Arc::new(Rows(Mutex::new(vec![again, row(7, "http://10.0.0.1/", Ended::Failed)])));
    until(&rows, |rows| rows.iter().all(|row| row.delivery.due.is_none())).await;
    let errors: Vec<_> =
        rows.0.lock().unwrap().iter().map(|row| row.delivery.last.clone().unwrap().error.unwrap()).collect();
    assert!(errors[0].contains("run again") && errors[1].contains("not told"), "{errors:?}");
    assert_eq!(got.lock().unwrap().len(), 1);
}

/// The receiver of docs/webhooks.md checks what is sent here.
#[test]
fn the_check_of_the_documentation_takes_our_messages_and_no_others() {
    let page = include_str!("../../../../../docs/webhooks.md");
    let code = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let secrets = Secrets::of(&[(SecretRef::Env("HOOK".into()), secret.into())]).unwrap();
    let now =
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let (id, body) = ("job;1", r#"{"type":"job.completed"}"#);
    let check = |seconds: i64, body: &str, signature: &str| {
        let script = format!(
            "{code}\nheaders = {{'webhook-id': {id:?}, 'webhook-timestamp': '{seconds}', 'webhook-signature': {signature:?}}}\n\
             print(is_ours({secret:?}, headers, {body:?}.encode()))"
        );
        let output = std::process::Command::new("python3").args(["-c", &script]).output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).trim() == "True")
    };
    let signature = secrets.sign(id, now, body.as_bytes());
    let Some(is_ours) = check(now, body, &signature) else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    assert!(is_ours);
    assert_eq!(check(now, body, &format!("v1,AAAA {signature}")), Some(true));
    assert_eq!(check(now, r#"{"type":"job.failed"}"#, &signature), Some(false));
    let old = secrets.sign(id, now - 3_600, body.as_bytes());
    assert_eq!(check(now - 3_600, body, &old), Some(false));
}
