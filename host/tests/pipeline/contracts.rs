//! The pipeline of `examples/contracts`, killed in the middle of a contract.

use std::path::Path;

use crate::harness::{Harness, text};
use gristmill_model_server::{Behaviour, ModelServer, Script};

const CLAUSES: usize = 80;
/// The default of `limits.items_in_flight`: how many clauses of a contract are summarised at a time.
const AT_ONCE: usize = 8;

/// A static group member: a restarted host need not wait for the session of the killed one to expire.
const STATIC: &str = "[kafka.properties]\n\"group.instance.id\" = \"the-one\"\n";

/// The example's stages, with this server as both models.
fn pipeline(server: &ModelServer) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("contracts/pipeline.toml");
    let file = std::fs::read_to_string(file).unwrap();
    let (begin, end) = (file.find("[[stage]]").unwrap(), file.find("[models.small]").unwrap());
    let target = format!("targets = [{{ provider = \"openai\", model = \"x\", base_url = {:?} }}]", server.base_url());
    format!("{STATIC}{}[models.small]\n{target}\n[models.smart]\n{target}\n", &file[begin..end])
}

/// A contract whose clauses alternate between English and German, each of a chunk's size.
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

/// Answers that name their clause, sent immediately or held.
fn answers(behaviour: fn(String) -> Behaviour) -> Script {
    let analysis = r#"{"overview": "about a fee", "risks": [], "verdict": "sign"}"#;
    let script = Script::new().when("one-sided for the customer", [behaviour(analysis.to_owned())]);
    (0..CLAUSES).fold(script, |script, number| {
        let answer = format!("{{\"summary\": \"what clause {number:02} says\"}}");
        script.when(&format!("Clause {number:02}"), [behaviour(answer)])
    })
}

/// The only output, with the names of this run replaced.
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
    // Twice in the middle of the clauses, then while waiting for the analysis of the whole contract.
    for (answered, waiting) in [(30, AT_ONCE), (61, AT_ONCE), (CLAUSES, 1)] {
        let mut host = harness.start();
        server.release(answered - server.paid());
        let are_asked = "the answers are stored and the next are requested";
        harness.until(are_asked, &mut host, async || server.paid() == answered && server.in_flight() == waiting).await;
        host.kill().await;
        server.until("the requests of the killed host are cancelled", |server| server.in_flight() == 0).await;
    }
    server.release(1);
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(server.paid(), CLAUSES + 1, "each answer is paid for once");
    assert_eq!(server.calls(), CLAUSES + 1 + 2 * AT_ONCE + 1, "requests in flight at a kill are sent again");
    let german = server.seen().iter().filter(|seen| seen.body.to_string().contains("Fasse die Klausel")).count();
    assert!((CLAUSES / 2..=CLAUSES / 2 + 2 * AT_ONCE).contains(&german), "{german} were asked in German");
    assert_eq!(output(&harness).await, undisturbed, "the output equals that of an undisturbed run");
    assert_eq!(host.terminate().await, Some(0));
}
