//! The host file: what pipelines take from it, and what can be wrong with it.

use std::path::{Path, PathBuf};

use gristmill_admin::Admin;
use gristmill_core::settings::SecretRef;

use super::LEAST;
use crate::settings::{HostFile, Pipeline, host_schema};

const HOST: &str = r#"pipelines = "pipelines"
[models.smart]
targets = [{ provider = "scripted", script = "answers.toml" }]
[store]
folder = "state"
keep_ended = "2h"
[limits]
instances = 32
memory = "256MiB"
"#;

/// A folder with a host file and a pipeline file.
fn files(host: &str, pipeline: &str) -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (host_file, pipeline_file) = (folder.path().join("gristmill.toml"), folder.path().join("p.toml"));
    std::fs::write(&host_file, host).unwrap();
    std::fs::write(&pipeline_file, pipeline).unwrap();
    (folder, host_file, pipeline_file)
}

fn fault(host: &str) -> String {
    let (_folder, file, _) = files(host, "");
    HostFile::load(&file).unwrap_err().to_string()
}

#[test]
fn a_pipeline_takes_models_and_store_from_its_host() {
    let asking = format!("{LEAST}grants = [\"llm\"]\n");
    let (folder, host, pipeline) = files(HOST, &asking);
    let host = HostFile::load(&host).unwrap();
    assert_eq!(host.pipelines, Some(folder.path().join("pipelines")), "paths start at the file");
    assert_eq!((host.limits.instances.get(), host.limits.memory.unwrap().to_string()), (32, "256MiB".to_owned()));
    let loaded = Pipeline::load_in(&pipeline, &host).unwrap();
    assert_eq!(loaded.store.folder, Some(folder.path().join("state")));
    assert_eq!(loaded.models.keys().map(ToString::to_string).collect::<Vec<_>>(), ["smart"]);
    let alone = Pipeline::load(&pipeline).unwrap_err().to_string();
    assert!(alone.contains("may ask models, but there are none"), "{alone}");
    Pipeline::load_to_reach(&pipeline).expect("who only reads its topics needs no models");
}

#[test]
fn what_a_pipeline_says_itself_counts() {
    let own = format!(
        "{LEAST}[store]\nkeep_ended = \"1h\"\n[models.smart]\ntargets = [{{ provider = \"openai\", model = \"own\" }}]\n"
    );
    let (_folder, host, pipeline) = files(HOST, &own);
    let loaded = Pipeline::load_in(&pipeline, &HostFile::load(&host).unwrap()).unwrap();
    assert_eq!((loaded.store.folder.as_deref(), loaded.store.keep_ended.as_secs()), (None::<&Path>, 3_600));
    assert!(format!("{:?}", loaded.models).contains("own"), "{:?}", loaded.models);
}

#[test]
fn all_faults_of_a_host_file_are_reported_at_their_places() {
    let faults = fault("[limits]\ninstances = 0\nmemroy = \"1MiB\"\n[models.smart]\ntargets = []\n");
    for expected in [":2:13", "\"instances\" in [limits]", ":3:1", "did you mean \"memory\"?", ":5:11"] {
        assert!(faults.contains(expected), "{expected}: {faults}");
    }
    assert!(fault("[source]\ntopic = \"a\"\n").contains("unknown key \"source\""));
}

#[test]
fn the_keys_of_its_store_have_to_fit_each_other() {
    for (store, expected) in [
        ("url = \"redis://a\"\nfolder = \"x\"\n", "folder means nothing"),
        ("url = \"postgres://a/b\"\nmax_size = \"1GiB\"\n", "max_size means nothing"),
        ("password = { env = \"NAME\" }\n", "password means nothing"),
        ("keep_ended = \"8d\"\nkeep_unfinished = \"1d\"\n", "shorter time"),
    ] {
        let fault = fault(&format!("[store]\n{store}"));
        assert!(fault.contains(expected) && fault.contains("gristmill.toml:"), "{store}: {fault}");
    }
}

#[test]
fn the_admin_server_is_a_table_or_switched_off() {
    let load = |text: &str| {
        let (folder, file, _) = files(text, "");
        (HostFile::load(&file).map(|file| file.admin), folder)
    };
    assert_eq!(load("admin = false\n").0.unwrap(), Admin::Off);
    assert_eq!(load("").0.unwrap(), Admin::default());
    let (admin, folder) = load("[admin]\nlisten = \"0.0.0.0:9464\"\ntoken = { file = \"token\" }\ntap = \"full\"\n");
    let Admin::On(admin) = admin.unwrap() else { panic!("it is on") };
    assert_eq!(admin.token, Some(SecretRef::File(folder.path().join("token"))), "paths start at the file");
    for (text, expected) in [
        ("admin = \"off\"\n", "admin = false"),
        ("[admin]\nlisten = \"localhost\"\n", "IP:PORT"),
        ("[admin]\nlisten = \"127.0.0.1:70000\"\n", "IP:PORT"),
        ("[admin]\ntap = \"some\"\n", "redacted"),
        ("[admin]\ntocken = \"x\"\n", "did you mean \"token\"?"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(expected), "{text}: {fault}");
    }
    let secret = fault("[admin]\ntoken = \"canary\"\n");
    assert!(secret.contains("must not stand in the file") && !secret.contains("canary"), "{secret}");
}

#[test]
fn a_host_without_a_file_has_the_defaults() {
    let (_folder, file, _) = files("", "");
    let loaded = HostFile::load(&file).unwrap();
    assert_eq!(HostFile { path: None, ..loaded }, HostFile::default());
    assert_eq!(host_schema()["title"], "Gristmill host");
}

/// The least that the API needs.
const API: &str = "[api]\nlisten = \"127.0.0.1:8080\"\n";
const AUTH: &str = "[auth]\nissuer = \"i\"\naudience = \"a\"\nkeys = { jwks = \"https://id.example/keys\" }\n";
const WEBHOOKS: &str = "[webhooks]\nsecrets = [{ env = \"WEBHOOK_SECRET\" }]\n";

#[test]
fn the_tables_of_the_api_belong_together() {
    let good = format!("{API}{AUTH}{WEBHOOKS}[objects]\ninline_max = \"64KiB\"\n");
    let (_folder, file, _) = files(&good, "");
    let loaded = HostFile::load(&file).unwrap();
    assert!(loaded.auth.is_some() && loaded.webhooks.is_some());
    assert_eq!(loaded.object_settings().unwrap().inline_max.to_string(), "64KiB");
    for table in [AUTH, WEBHOOKS] {
        let fault = fault(table);
        assert!(fault.contains("gristmill.toml:1:") && fault.contains("add [api]"), "{fault}");
    }
}

#[test]
fn large_payloads_are_kept_where_there_is_an_api_or_a_table_for_them() {
    let objects = |text: &str| {
        let (_folder, file, _) = files(text, "");
        HostFile::load(&file).unwrap().object_settings()
    };
    assert_eq!(objects(""), None);
    assert!(objects(API).is_some() && objects("[objects]\n").is_some());
}

#[test]
fn an_api_that_other_machines_reach_wants_tokens_or_to_be_told_twice() {
    let open = "[api]\nlisten = \"0.0.0.0:8080\"\n";
    let refused = fault(open);
    assert!(refused.contains("/gristmill.toml:2:10") && refused.contains("anyone = true"), "{refused}");
    for good in [format!("{open}anyone = true\n"), format!("{open}{AUTH}"), API.replace("127.0.0.1", "[::1]")] {
        let (_folder, file, _) = files(&good, "");
        HostFile::load(&file).unwrap();
    }
    let both = fault(&format!("{open}anyone = true\n{AUTH}"));
    assert!(both.contains("take one of the two out"), "{both}");
}

#[test]
fn payloads_are_in_one_place_and_outlive_the_jobs_that_wait_for_them() {
    let keys = "access_key = { env = \"A\" }, secret_key = { env = \"B\" }";
    let both = fault(&format!("[objects]\nfolder = \"o\"\ns3 = {{ bucket = \"b\", {keys} }}\n"));
    assert!(both.contains("a folder and a bucket"), "{both}");
    let short = fault("[objects]\nkeep = \"24h\"\n");
    assert!(short.contains(":2:8") && short.contains("objects.keep is 1d, store.keep_unfinished 7d"), "{short}");
    let long = fault("[objects]\n[store]\nkeep_unfinished = \"1000h\"\n");
    assert!(long.contains(":3:19"), "{long}");
}

#[test]
fn secrets_of_the_api_stand_elsewhere() {
    for (text, place) in [
        ("[webhooks]\nsecrets = [\"canary\"]\n", "must not stand in the file"),
        ("[objects.s3]\nbucket = \"b\"\naccess_key = \"canary\"\n", "must not stand in the file"),
        ("[auth]\nissuer = \"i\"\naudience = \"a\"\nkeys = { secret = \"canary\" }\n", "must not stand in the file"),
    ] {
        let fault = fault(text);
        assert!(fault.contains(place) && !fault.contains("canary"), "{fault}");
    }
}
