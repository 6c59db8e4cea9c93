//! A stage from a registry, with the binary: fetched by `check`, then found without it.

use std::fs;
use std::path::Path;

use gristmill_test_servers::{Answer, RegistryDouble};
use sha2::{Digest, Sha256};

use crate::gristmill;

fn digest(bytes: &[u8]) -> String {
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

/// A registry with a standard stage, and what a pipeline file calls that.
fn registry() -> (RegistryDouble, String) {
    let component = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("stages").join("language.wasm");
    let component = fs::read(&component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
    let (blob, size) = (digest(&component), component.len());
    let manifest = format!(
        r#"{{"schemaVersion": 2, "layers": [{{"mediaType": "application/wasm", "digest": "{blob}", "size": {size}}}]}}"#
    );
    let name = digest(manifest.as_bytes());
    let server = RegistryDouble::start();
    server.put(format!("/v2/acme/language/manifests/{name}"), Answer::Whole(manifest.into()));
    server.put(format!("/v2/acme/language/blobs/{blob}"), Answer::Whole(component));
    let module = format!("oci://{}/acme/language:1.0@{name}", server.host());
    (server, module)
}

#[test]
fn a_stage_is_fetched_from_its_registry_once() {
    let (server, module) = registry();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let text = format!(
        "name = \"p\"\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
         dead_letter = {{ topic = \"dead\" }}\n[[stage]]\nname = \"language\"\nmodule = \"{module}\"\n"
    );
    fs::write(&file, text).unwrap();
    let check = |arguments: &[&str]| {
        let mut check = gristmill();
        // No account of whoever runs the test, and nothing that was fetched before.
        check.env("GRISTMILL_CACHE", folder.path().join("cache")).env("DOCKER_CONFIG", folder.path());
        let output = check.arg("check").args(arguments).arg(&file).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (good, said) = check(&["--offline"]);
    assert!(!good && said.contains("is not in the cache"), "{said}");
    assert!(server.asked().is_empty(), "nothing is fetched offline");
    let (good, said) = check(&[]);
    assert!(good, "{said}");
    assert_eq!(server.asked().len(), 2, "a manifest and a blob");
    drop(server);
    let (good, said) = check(&["--offline"]);
    assert!(good, "{said}");
}
