//! The pipeline of `examples/contracts`, killed in the middle of one contract.

use std::path::Path;

use crate::harness::{Harness, text};
use gristmill_model_server::{Behaviour, ModelServer, Script};

const CLAUSES: usize = 80;
/// `limits.items_in_flight` unless set: so many clauses of a contract are summarised at once.
const AT_ONCE: usize = 8;

/// The group knows the host by a name, so it goes on without waiting for the end of the killed one's session.
const STATIC: &str = "[kafka.properties]\n\"group.instance.id\" = \"the-one\"\n";

/// The stages as they are in the folder, and this server as both models.
fn pipeline(server: &ModelServer) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("contracts/pipeline.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (begin, end) = (file.find("[[stage]]").unwrap(), file.find("[models.small]").unwrap());
    let target = format!("targets = [{{ provider = \"openai\", model = \"x\", base_url = {:?} }}]", server.base_url());
    format!("{STATIC}{}[models.small]\n{target}\n[models.smart]\n{target}\n", &file[begin..end])
}

/// A contract whose clauses are English and German in turn, each of a chunk's size.
fn contract() -> String {
    let clause = |number| {
        let words = match number % 2 {
            0 => "The customer shall pay the fee for the service within thirty days after the invoice. ",
            _ => "Der Kunde zahlt die Gebühr für die Leistung innerhalb von dreißig Tagen nach der Rechnung. ",
        };
        format!("## Clause {number:02}\n\n{}\n\n", words.repeat(5))
    };
    (0..CLAUSES).map(clause).collect()
}

/// Answers that tell which clause they are about, given at once or held.
fn answers(behaviour: fn(String) -> Behaviour) -> Script {
    let analysis = r#"{"overview": "about a fee", "risks": [], "verdict": "sign"}"#;
    let script = Script::new().when("one-sided for the customer", [behaviour(analysis.to_owned())]);
    (0..CLAUSES).fold(script, |script, number| {
        let answer = format!("{{\"summary\": \"what clause {number:02} says\"}}");
        script.when(&format!("Clause {number:02}"), [behaviour(answer)])
    })
}

/// The one output, with nothing in it of the names of this run.
async fn output(harness: &Harness) -> serde_json::Value {
    assert!(harness.records("dead").await.is_empty(), "{}", harness.log());
    let out = harness.records("out").await;
    assert_eq!(out.len(), 1, "{}", harness.log());
    serde_json::from_str(&text(&out[0]).replace(&harness.name, "NAME")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_of_eighty_clauses_is_resumed_where_its_host_was_killed() {
    let undisturbed = {
        let server = ModelServer::start(answers(Behaviour::Answer)).await;
        let harness = Harness::new(&pipeline(&server), 1).await;
        harness.send([("text/markdown", Some(contract()))]).await;
        let mut host = harness.start();
        harness.until_all_settled(&mut host).await;
        assert_eq!(host.terminate().await, Some(0));
        assert_eq!(server.calls(), CLAUSES + 1);
        output(&harness).await
    };
    let summary = |number: usize| undisturbed["items"][number]["json"]["summary"].as_str().unwrap();
    for number in 0..CLAUSES {
        assert_eq!(summary(number), format!("what clause {number:02} says"), "clauses are gathered in order");
    }

    let server = ModelServer::start(answers(Behaviour::Held)).await;
    let harness = Harness::new(&pipeline(&server), 1).await;
    harness.send([("text/markdown", Some(contract()))]).await;
    // In the middle of the clauses, twice; then while the analysis of the whole is awaited.
    for (answered, waiting) in [(30, AT_ONCE), (61, AT_ONCE), (CLAUSES, 1)] {
        let mut host = harness.start();
        server.release(answered - server.paid());
        let are_asked = "the answers are kept and the next are asked for";
        harness.until(are_asked, &mut host, async || server.paid() == answered && server.in_flight() == waiting).await;
        host.kill().await;
        server.until("what was asked for is given up", |server| server.in_flight() == 0).await;
    }
    server.release(1);
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(server.paid(), CLAUSES + 1, "each answer is paid for once");
    assert_eq!(server.calls(), CLAUSES + 1 + 2 * AT_ONCE + 1, "what was on its way at a kill is asked for again");
    let german = server.seen().iter().filter(|seen| seen.body.to_string().contains("Fasse die Klausel")).count();
    assert!((CLAUSES / 2..=CLAUSES / 2 + 2 * AT_ONCE).contains(&german), "{german} were asked in German");
    assert_eq!(output(&harness).await, undisturbed, "what comes out is what an undisturbed run has");
    assert_eq!(host.terminate().await, Some(0));
}
