//! Jobs are followed to their end, by their owners.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use gristmill_core::model::{
    Ended, Failure, ItemId, JobId, KeptOutput, Moment, MomentKind, ObjectName, OutputRecord, Phase, Run, StageAt,
    StageCount, StoredPayload, Timestamp, Told,
};
use gristmill_core::ports::{Delivery, Tried};
use serde_json::json;

use crate::served::{answer, problem, serve};

fn item() -> ItemId {
    use gristmill_core::model::DocumentId;
    ItemId::root(&DocumentId::named(b"d"))
}

fn output(content_type: &str, kept: Option<KeptOutput>) -> OutputRecord {
    let content_type = Some(content_type.to_owned());
    OutputRecord { topic: "out".into(), item: item(), content_type, sha256: [7; 32], size: 2, kept }
}

fn path(job: &JobId, rest: &str) -> String {
    format!("/v1/jobs/{job}{rest}")
}

#[tokio::test]
async fn a_job_is_shown_with_the_stage_it_is_at_and_304_until_it_changes() {
    let served = serve().await;
    let job = served.submit("x").await;
    let stage = StageAt { name: "analyse".into(), index: 2, of: 2, items: StageCount { done: 3, known: 8 } };
    let told = Told {
        stage: Some(stage),
        attempts: 4,
        last_error: Some(Failure::new("rate-limited", "later")),
        ..Told::default()
    };
    served.fake.note(&job, Phase::Running, 60, None, told);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shown = served.get(&path(&job, "")).send().await.unwrap();
    let tag = shown.headers()["etag"].clone();
    let shown = answer(shown, 200).await;
    assert_eq!((&shown["status"], &shown["progress"]), (&json!("running"), &json!(60)));
    assert_eq!(shown["current_stage"], "analyse");
    assert_eq!(shown["stage"], json!({ "index": 2, "of": 2, "label": "Analysing entities" }));
    assert_eq!(shown["items"], json!({ "done": 3, "of": 8 }));
    assert_eq!(shown["last_error"], "rate-limited: later");
    assert!(shown["created_at"].as_str().unwrap().ends_with('Z'));
    let same = served.get(&path(&job, "")).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!((same.status().as_u16(), &same.headers()["etag"]), (304, &tag));
    served.fake.fail(&job);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let other = served.get(&path(&job, "")).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(answer(other, 200).await["status"], "failed");
}

#[tokio::test]
async fn many_who_ask_for_one_job_cost_one_look_at_the_store() {
    let served = serve().await;
    let job = served.submit("x").await;
    served.fake.state().finds = 0;
    let begun = std::time::Instant::now();
    for shown in join_all((0..200).map(|_| served.get(&path(&job, "")).send())).await {
        answer(shown.unwrap(), 200).await;
    }
    let fresh = begun.elapsed().as_millis() as usize / 250 + 2;
    let finds = served.fake.state().finds;
    assert!(finds <= fresh, "{finds} looks in {:?}", begun.elapsed());
}

#[tokio::test]
async fn anothers_job_is_as_if_there_were_none_on_every_path() {
    let served = serve().await;
    let post = served.post("/v1/pipelines/p/jobs").header("authorization", "Bearer ann:jobs.write").body("x");
    let job = answer(post.send().await.unwrap(), 202).await["job_id"].as_str().unwrap().to_owned();
    let missing = "01900000-0000-7000-8000-000000000000";
    let all = "jobs.write,jobs.read,dlq.write";
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/events"),
        ("GET", "/timeline"),
        ("GET", "/result"),
        ("GET", "/result/1"),
        ("GET", "/webhooks"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("POST", "/webhooks/redeliver"),
    ] {
        let mut details = Vec::new();
        for id in [&*job, missing] {
            let url = format!("http://{}/v1/jobs/{id}{rest}", served.address);
            let request = served.client.request(method.parse().unwrap(), url);
            let sent = request.header("authorization", format!("Bearer bob:{all}")).send().await.unwrap();
            details.push(problem(sent, 404, "not-found").await.replace(id, "ID"));
        }
        assert_eq!(details[0], details[1], "{method} {rest}");
    }
    let list = |token: &str| served.get("/v1/jobs").header("authorization", format!("Bearer {token}")).send();
    let count = async |token: &str| answer(list(token).await.unwrap(), 200).await["jobs"].as_array().unwrap().len();
    assert_eq!((count("bob:jobs.read").await, count("ann:jobs.read").await, count("root:admin").await), (0, 1, 1));
    let cancelled = served.fake.state().jobs.values().any(|record| record.cancel);
    assert!(!cancelled);
}

#[tokio::test]
async fn a_list_is_read_in_parts_and_filtered() {
    let served = serve().await;
    for number in 0..5 {
        let post = served.post("/v1/pipelines/p/jobs").header("gristmill-attribute-odd", (number % 2).to_string());
        answer(post.body("x").send().await.unwrap(), 202).await;
    }
    let (mut seen, mut query) = (Vec::new(), "?most=2".to_owned());
    loop {
        let part = answer(served.get(&format!("/v1/jobs{query}")).send().await.unwrap(), 200).await;
        seen.extend(part["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned()));
        let Some(cursor) = part["next_cursor"].as_str() else { break };
        query = format!("?most=2&cursor={cursor}");
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (5, 5));
    let odd = answer(served.get("/v1/jobs?attribute.odd=1&status=queued,running").send().await.unwrap(), 200).await;
    assert_eq!(odd["jobs"].as_array().unwrap().len(), 2);
    for wrong in ["?most=0", "?most=1001", "?cursor=zz", "?status=done", "?stauts=failed"] {
        problem(served.get(&format!("/v1/jobs{wrong}")).send().await.unwrap(), 400, "bad-request").await;
    }
}

#[tokio::test]
async fn a_stream_tells_each_state_and_ends_after_the_end() {
    let served = serve().await;
    let job = served.submit("x").await;
    let response = served.get(&path(&job, "/events")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        text += std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap();
    }
    assert!(text.contains("retry: 2000") && text.contains("event: job"), "{text}");
    served.fake.note(&job, Phase::Ended, 0, Some(Ended::Completed), Told::default());
    while let Some(chunk) = stream.next().await {
        text += std::str::from_utf8(&chunk.unwrap()).unwrap();
    }
    let states: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
    assert_eq!((&states[0]["status"], &states.last().unwrap()["status"]), (&json!("queued"), &json!("completed")));
    let last = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let again = |id: &str| served.get(&path(&job, "/events")).header("last-event-id", id).send();
    assert_eq!(again(last).await.unwrap().status().as_u16(), 204, "there is nothing more to come");
    assert!(again("1-1").await.unwrap().text().await.unwrap().contains("completed"));
}

#[tokio::test]
async fn readers_that_leave_are_noticed_and_others_share_one_look() {
    let served = serve().await;
    let job = served.submit("x").await;
    let open = async || {
        let mut stream = served.get(&path(&job, "/events")).send().await.unwrap().bytes_stream();
        stream.next().await.unwrap().unwrap();
        stream
    };
    let readers = join_all((0..50).map(|_| open())).await;
    served.fake.state().finds = 0;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let shared = served.fake.state().finds;
    assert!(shared <= 9, "{shared} looks in 2 s for 50 readers of one job");
    drop(readers);
    let mut last = usize::MAX;
    crate::served::until("nobody looks any more", || {
        std::thread::sleep(Duration::from_millis(1_500));
        let now = served.fake.state().finds;
        std::mem::replace(&mut last, now) == now
    })
    .await;
}

#[tokio::test]
async fn a_result_is_its_bytes_and_no_browser_runs_it() {
    let served = serve().await;
    let job = served.submit("x").await;
    let early = served.get(&path(&job, "/result")).send().await.unwrap();
    assert_eq!(early.headers()["retry-after"], "1");
    problem(early, 409, "wrong-state").await;
    let html = output("text/html", Some(KeptOutput::Inline("ok".into())));
    let told = Told { outputs: 1, first_outputs: vec![html], ..Told::default() };
    served.fake.note(&job, Phase::Ended, 0, Some(Ended::Completed), told);
    let result = served.get(&path(&job, "/result")).send().await.unwrap();
    for (name, value) in
        [("content-type", "text/html"), ("content-disposition", "attachment"), ("x-content-type-options", "nosniff")]
    {
        assert_eq!(result.headers()[name], value);
    }
    let tag = result.headers()["etag"].clone();
    assert_eq!(result.text().await.unwrap(), "ok");
    let same = served.get(&path(&job, "/result/1")).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(same.status().as_u16(), 304);
    let list = answer(served.get(&path(&job, "/result?list=true")).send().await.unwrap(), 200).await;
    assert_eq!(list["outputs"][0]["url"], path(&job, "/result/1"));
    problem(served.get(&path(&job, "/result/2")).send().await.unwrap(), 404, "not-found").await;
}

#[tokio::test]
async fn several_outputs_are_a_list_and_deleted_ones_are_gone() {
    let served = serve().await;
    let job = served.submit("x").await;
    let name: ObjectName = "p/gone".parse().unwrap();
    let stored = StoredPayload { name, sha256: [7; 32], size: 2 };
    let outputs = vec![
        output("text/plain", Some(KeptOutput::Inline("ok".into()))),
        output("text/plain", Some(KeptOutput::Object(stored))),
        output("text/plain", None),
    ];
    let told = Told { outputs: 101, first_outputs: outputs, ..Told::default() };
    served.fake.note(&job, Phase::Ended, 0, Some(Ended::Completed), told);
    let list = answer(served.get(&path(&job, "/result")).send().await.unwrap(), 200).await;
    assert_eq!((&list["total"], list["outputs"].as_array().unwrap().len()), (&json!(101), 3));
    assert_eq!(served.get(&path(&job, "/result/1")).send().await.unwrap().text().await.unwrap(), "ok");
    for gone in ["/result/2", "/result/3", "/result/101"] {
        problem(served.get(&path(&job, gone)).send().await.unwrap(), 410, "gone").await;
    }
    problem(served.get(&path(&job, "/result/x")).send().await.unwrap(), 404, "not-found").await;
}

#[tokio::test]
async fn timeline_and_webhooks_tell_what_happened() {
    let served = serve().await;
    let job = served.submit("x").await;
    let moment = Moment {
        at: Timestamp(5),
        run: Run::FIRST,
        stage: "parse".into(),
        item: item(),
        milliseconds: 12,
        what: MomentKind::Attempt(2, Some(Failure::new("timeout", "too slow"))),
    };
    let tried = Tried { at: Timestamp(6), status: Some(500), error: Some("500".into()) };
    let delivery =
        Delivery { job: job.clone(), run: Run::FIRST, url: "https://w".into(), tries: 9, last: Some(tried), due: None };
    served.fake.state().moments.insert(job.clone(), vec![moment]);
    served.fake.state().deliveries.push(delivery);
    let timeline = answer(served.get(&path(&job, "/timeline")).send().await.unwrap(), 200).await;
    assert_eq!(
        (&timeline["moments"][0]["attempt"], &timeline["moments"][0]["error"]["code"]),
        (&json!(2), &json!("timeout"))
    );
    let webhooks = answer(served.get(&path(&job, "/webhooks")).send().await.unwrap(), 200).await;
    assert_eq!(
        (&webhooks["deliveries"][0]["state"], &webhooks["deliveries"][0]["last_status"]),
        (&json!("given up"), &json!(500))
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let served = serve().await;
    for path in ["/", "/v1", "/v1/jobs/no-id", "/v1/jobs/p%2Fin%2F0%2F9", "/v1/batches/x", "/v1/jobs/%FF"] {
        let sent = served.get(path).send().await.unwrap();
        problem(sent, 404, "not-found").await;
    }
    let wrong = served.client.delete(format!("http://{}/v1/jobs", served.address)).send().await.unwrap();
    assert_eq!(wrong.headers()["allow"], "GET,HEAD");
    problem(wrong, 405, "method-not-allowed").await;
    assert_eq!(served.get("/livez").send().await.unwrap().text().await.unwrap(), "ok\n");
}
