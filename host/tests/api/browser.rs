//! The page of `examples/upload` in a real browser: Debian's `chromium`, or what `GRISTMILL_TEST_BROWSER` names.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use gristmill_model_server::{Behaviour, ModelServer, Script};
use tokio::process::Command;

use crate::client::PATIENCE;
use crate::harness::{Harness, Setup};

/// How long the page is kept from being loaded, which is when the browser writes down what it shows: meanwhile it follows its
/// job. If that was too short, it is opened again.
const LOADING: Duration = Duration::from_secs(3);

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join("upload")
}

/// The browser of this machine.
async fn browser() -> String {
    let named = std::env::var("GRISTMILL_TEST_BROWSER").unwrap_or_else(|_| "chromium".to_owned());
    let version = Command::new(&named).arg("--version").output().await;
    let help = "run `cargo verify`, `cargo xtask clients` or `apt-get install -y chromium`, or name another one in \
                GRISTMILL_TEST_BROWSER";
    assert!(version.is_ok_and(|output| output.status.success()), "there is no browser {named:?}: {help}");
    named
}

/// What a page shows, as HTML, after its scripts have run.
async fn shown(browser: &str, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]).kill_on_drop(true);
    command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until a page shows a text; opens it anew each time, as somebody does who reloads it.
async fn until_shown(browser: &str, url: &str, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let page = shown(browser, url).await;
        if page.contains(text) {
            return page;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {text:?}\n{page}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What a user does with the page: a headless browser has no hands.
const USER: &str = "const chosen = new DataTransfer();\n\
    chosen.items.add(new File(['%PDF-1.4 broken'], 'broken.pdf', { type: 'application/pdf' }));\n\
    document.getElementById('file').files = chosen.files;\n\
    document.querySelector('button').click();\n";

/// Serves the page as it is, but for the address of the API and a script that takes its time; under `/by-hand`, somebody
/// uploads a document. Its policy lets the browser load both from here, and nothing else.
fn serve(listener: tokio::net::TcpListener, api: &str) {
    let read = |name: &str| std::fs::read_to_string(example().join("page").join(name)).unwrap();
    let page = read("index.html").replace("http://127.0.0.1:8080", api);
    let with = |scripts: &[&str]| {
        let scripts: String = scripts.iter().map(|name| format!("<script src=\"{name}\" defer></script>")).collect();
        page.replace("</head>", &format!("{scripts}</head>"))
    };
    let typed = |kind: &'static str, text: String| get(async move || ([(header::CONTENT_TYPE, kind)], text));
    let slow = async || {
        tokio::time::sleep(LOADING).await;
        ([(header::CONTENT_TYPE, "text/javascript")], "")
    };
    let router = Router::new()
        .route("/", typed("text/html", with(&["slow.js"])))
        .route("/by-hand", typed("text/html", with(&["user.js", "slow.js"])))
        .route("/page.js", typed("text/javascript", read("page.js")))
        .route("/page.css", typed("text/css", read("page.css")))
        .route("/user.js", typed("text/javascript", USER.to_owned()))
        .route("/slow.js", get(slow));
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// The stages of the example, with this server as the model.
fn stages(server: &ModelServer) -> String {
    let file = std::fs::read_to_string(example().join("pipeline.toml")).unwrap();
    let (begin, end) = (file.find("[[stage]]").unwrap(), file.find("[models.smart]").unwrap());
    let target = format!("targets = [{{ provider = \"openai\", model = \"x\", base_url = {:?} }}]", server.base_url());
    format!("{}[models.smart]\n{target}\n", &file[begin..end])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_the_stage_of_a_job_after_a_reload_and_how_it_ended() {
    let browser = browser().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let answer = r#"{"summary": "an agreement", "entities": []}"#;
    let server = ModelServer::start(Script::new().when("", [Behaviour::Held(answer.to_owned())])).await;
    let harness = Harness::new(Setup::embedded(stages(&server)).api(&format!("cors = [{site:?}]"))).await;
    let host = harness.start().await;
    serve(listener, host.client.base());

    let document = std::fs::read(example().join("input/supply-agreement.pdf")).unwrap();
    let job = host.client.submit(&harness.name, "application/pdf", document).await;
    let page = format!("{site}/#{job}/agreement.pdf");
    let held = until_shown(&browser, &page, "Stage 3 of 4: Analysing entities").await;
    assert!(held.contains("agreement.pdf") && held.contains("data-status=\"running\""), "{held}");
    server.release(1_000);
    host.client.until_over(&job).await;
    let over = until_shown(&browser, &page, "Done: ").await;
    assert!(over.contains("data-status=\"completed\""), "{over}");

    let failing = host.client.submit(&harness.name, "application/pdf", "%PDF-1.4 broken").await;
    host.client.until_over(&failing).await;
    let failed = until_shown(&browser, &format!("{site}/#{failing}/broken.pdf"), "It failed: ").await;
    assert!(failed.contains("data-status=\"failed\""), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_uploaded_from_the_page() {
    let browser = browser().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = format!("http://{}", listener.local_addr().unwrap());
    let server = ModelServer::start(Script::new()).await;
    let setup = Setup::embedded(stages(&server)).api(&format!("cors = [{site:?}]"));
    // The page names its pipeline.
    let harness = Harness::named("documents", setup).await;
    let host = harness.start().await;
    serve(listener, host.client.base());
    let page = until_shown(&browser, &format!("{site}/by-hand"), "It failed: ").await;
    assert!(page.contains("broken.pdf"), "{page}");
    let jobs = host.client.get("/v1/jobs").await.is(200).json();
    assert_eq!(jobs["jobs"][0]["status"], "failed", "{jobs:#}");
}
