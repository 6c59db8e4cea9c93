//! A look at a stage, which compiles it for that look alone: the same answers as loading it, and nothing is left behind.

use std::time::Duration;

use gristmill_wasm::{StageLimits, Start};
use serde_json::{Value, json};

use crate::harness::{Sandbox, guest, standard};

#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_what_loading_tells_and_leaves_nothing_behind() {
    for (wasm, config) in [
        (guest("misbehave"), json!({})),
        (guest("misbehave"), json!({ "init": "dice" })),
        (guest("misbehave"), json!({ "init": "map" })),
        (guest("batch"), json!({})),
        (standard("chunk"), json!({ "size": 500 })),
    ] {
        let sandbox = Sandbox::new();
        let looked = sandbox.look(wasm.clone(), config.clone()).await.unwrap();
        assert_eq!(sandbox.cached_files(), Vec::<std::path::PathBuf>::new(), "{config}");
        let loaded = sandbox.load(wasm.clone(), config.clone()).await.unwrap().described();
        assert_eq!(looked, loaded, "{config}");
        assert_eq!(sandbox.again().look(wasm, config).await.unwrap(), loaded, "from what was compiled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_refuses_what_loading_refuses_in_the_same_words() {
    let sandbox = Sandbox::new().limits(StageLimits { cpu: Duration::from_millis(200), ..StageLimits::default() });
    let table: [(Vec<u8>, Value); 6] = [
        (b"\0asm\x0d\0\x01\0".to_vec(), json!({})),
        (guest("misbehave"), json!({ "init": "unknown" })),
        (guest("misbehave"), json!({ "init": "refuse" })),
        (guest("misbehave"), json!({ "init": "panic" })),
        (guest("misbehave"), json!({ "init": "spin" })),
        (standard("chunk"), json!({ "size": 500, "overlap": 600 })),
    ];
    for (wasm, config) in table {
        let looked = sandbox.look(wasm.clone(), config.clone()).await.err().map(|error| error.to_string());
        let loaded = sandbox.load(wasm, config.clone()).await.err().map(|error| error.to_string());
        assert!(looked.is_some(), "{config}");
        assert_eq!(looked, loaded, "{config}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_takes_a_configuration_against_the_schema_of_what_was_compiled() {
    let sandbox = Sandbox::new();
    let start = sandbox.misbehave().await.described().start;
    assert_eq!(start, Start::Snapshot);
    let refused = sandbox.again().look(guest("misbehave"), json!({ "inti": "spin" })).await.unwrap_err().to_string();
    assert!(refused.contains("inti"), "{refused}");
}
