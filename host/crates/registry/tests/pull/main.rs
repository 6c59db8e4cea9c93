//! Components from a registry over real HTTP, and from one that does what it should not.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]

mod signed;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_registry::{Credentials, Digest, Network, PullError, Reference, Registry};
use gristmill_test_servers::{Answer, RegistryDouble};
use tempfile::TempDir;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 and so on";

/// A registry with one component, and a host's cache.
pub(crate) struct World {
    pub(crate) server: RegistryDouble,
    pub(crate) manifest: Digest,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_layer("application/wasm", COMPONENT.len())
    }

    /// A component whose manifest says this of its layer.
    fn with_layer(media_type: &str, size: usize) -> Self {
        let server = RegistryDouble::start();
        let component = Digest::of(COMPONENT);
        let manifest = format!(
            r#"{{"schemaVersion": 2, "layers": [{{"mediaType": "{media_type}", "digest": "{component}", "size": {size}}}]}}"#
        );
        let digest = Digest::of(manifest.as_bytes());
        server.put(format!("/v2/acme/shout/manifests/{digest}"), Answer::Whole(manifest.into()));
        server.put(blob(), Answer::Whole(COMPONENT.to_vec()));
        Self { server, manifest: digest, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn reference(&self) -> Reference {
        Reference::parse(&format!("oci://{}/acme/shout:1.0@{}", self.server.host(), self.manifest)).unwrap()
    }

    pub(crate) fn registry(&self, network: Network) -> Registry {
        Registry::new(self.folder.path().join("oci"), Credentials::in_file(self.docker()), network)
    }

    fn docker(&self) -> std::path::PathBuf {
        self.folder.path().join("config.json")
    }

    async fn pull(&self) -> Result<Vec<u8>, PullError> {
        self.registry(Network::Online).component(&self.reference(), None).await.map(Into::into)
    }

    async fn refusal(&self) -> String {
        let error = self.pull().await.unwrap_err().to_string();
        // What was refused is not kept either.
        let offline = self.registry(Network::Offline).component(&self.reference(), None).await;
        assert!(matches!(offline, Err(PullError::Offline { .. })), "{offline:?}");
        error
    }
}

fn blob() -> String {
    format!("/v2/acme/shout/blobs/{}", Digest::of(COMPONENT))
}

#[tokio::test]
async fn a_component_is_fetched_once_and_found_offline_from_then_on() {
    let world = World::new();
    assert!(matches!(
        world.registry(Network::Offline).component(&world.reference(), None).await,
        Err(PullError::Offline { .. })
    ));
    assert!(world.server.asked().is_empty(), "nothing is fetched offline");
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
    assert_eq!(world.server.asked().len(), 2);
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
    assert_eq!(world.registry(Network::Offline).component(&world.reference(), None).await.unwrap(), COMPONENT);
    assert_eq!(world.server.asked().len(), 2, "what is in the cache is not asked for again");
}

#[tokio::test]
async fn a_file_of_the_cache_that_was_changed_is_fetched_again() {
    let world = World::new();
    world.pull().await.unwrap();
    for file in std::fs::read_dir(world.folder.path().join("oci")).unwrap() {
        std::fs::write(file.unwrap().path(), "changed").unwrap();
    }
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
}

#[tokio::test]
async fn content_of_another_digest_is_refused() {
    let world = World::new();
    world.server.put(blob(), Answer::Whole(COMPONENT.iter().map(|byte| byte ^ 1).collect()));
    let error = world.refusal().await;
    assert!(error.contains("in place of sha256:") && error.starts_with("the component of oci://"), "{error}");
    let world = World::new();
    world.server.put(format!("/v2/acme/shout/manifests/{}", world.manifest), Answer::Whole(b"{}".to_vec()));
    assert!(world.refusal().await.contains("the manifest of oci://"));
}

#[tokio::test]
async fn a_blob_that_breaks_off_is_refused() {
    let world = World::new();
    world.server.put(blob(), Answer::Truncated(COMPONENT.to_vec()));
    let error = world.pull().await.unwrap_err();
    assert!(matches!(error, PullError::Connection { .. }), "{error}");
}

#[tokio::test]
async fn a_blob_or_a_manifest_without_end_is_refused_at_its_bound() {
    let world = World::new();
    world.server.put(blob(), Answer::Endless);
    let error = world.refusal().await;
    assert!(error.contains(&format!("larger than {} bytes", COMPONENT.len())), "{error}");
    world.server.put(format!("/v2/acme/shout/manifests/{}", world.manifest), Answer::Endless);
    let fresh = Registry::new(world.folder.path().join("other"), Credentials::none(), Network::Online);
    let error = fresh.component(&world.reference(), None).await.unwrap_err();
    assert!(matches!(error, PullError::TooLarge { most: 4_194_304, .. }), "{error}");
}

#[tokio::test]
async fn what_is_too_large_or_no_component_is_refused_by_its_manifest() {
    let world = World::with_layer("application/wasm", 65 << 20);
    assert!(world.pull().await.unwrap_err().to_string().contains("at most 67108864"));
    let world = World::with_layer("application/vnd.oci.image.layer.v1.tar", 1);
    assert!(world.pull().await.unwrap_err().to_string().contains("0 layers of application/wasm"));
    assert_eq!(world.server.asked().len(), 1, "the blob is not asked for");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let world = World::new();
    world.server.put(blob(), Answer::Status(404));
    let error = world.pull().await.unwrap_err();
    assert!(matches!(&error, PullError::NotFound { what, .. } if what.starts_with("the component")), "{error}");
    world.server.put(blob(), Answer::Status(503));
    assert!(world.pull().await.unwrap_err().to_string().contains("HTTP 503"));
}

#[tokio::test]
async fn a_token_is_got_where_the_registry_says_with_the_account_of_docker() {
    let world = World::new();
    let host = world.server.host();
    let auth = BASE64_STANDARD.encode("me:secret");
    std::fs::write(world.docker(), format!(r#"{{"auths": {{"{host}": {{"auth": "{auth}"}}}}}}"#)).unwrap();
    let challenge = format!(r#"Bearer realm="http://{host}/token",service="acme",scope="repository:acme/shout:pull""#);
    world.server.lock("Bearer let-me-in", &challenge);
    world.server.put("/token", Answer::Whole(br#"{"token": "let-me-in"}"#.to_vec()));
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
    let asked = world.server.asked();
    let token = asked.iter().find(|asked| asked.path.starts_with("/token?")).unwrap();
    assert_eq!(token.authorization.as_deref(), Some(&*format!("Basic {auth}")));
    assert!(token.path.contains("service=acme") && token.path.contains("scope=repository"), "{}", token.path);
    assert_eq!(asked.iter().filter(|asked| asked.path.starts_with("/token")).count(), 1);
}

#[tokio::test]
async fn an_account_that_is_not_there_or_not_let_in_is_told_how_to_log_in() {
    let world = World::new();
    world.server.lock("Basic bWU6c2VjcmV0", r#"Basic realm="acme""#);
    let error = world.refusal().await;
    assert!(error.contains("`docker login 127.0.0.1:") && error.contains("HTTP 401"), "{error}");
    world.server.lock("Bearer x", r#"Bearer realm="http://token.example.com/token""#);
    assert!(world.refusal().await.contains("without TLS"), "a token is asked for over TLS");
    let host = world.server.host();
    std::fs::write(world.docker(), format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#)).unwrap();
    world.server.lock("Basic bWU6c2VjcmV0", r#"Basic realm="acme""#);
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_account_and_not_for_ever() {
    let world = World::new();
    let storage = RegistryDouble::start();
    storage.put("/somewhere", Answer::Whole(COMPONENT.to_vec()));
    let host = world.server.host();
    std::fs::write(world.docker(), format!(r#"{{"auths": {{"{host}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#)).unwrap();
    world.server.lock("Basic bWU6c2VjcmV0", r#"Basic realm="acme""#);
    world.server.put(blob(), Answer::Elsewhere(format!("http://{}/somewhere?signature=1", storage.host())));
    assert_eq!(world.pull().await.unwrap(), COMPONENT);
    assert_eq!(storage.asked()[0].authorization, None, "the account is the registry's alone");

    let world = World::new();
    world.server.put(blob(), Answer::Elsewhere("http://storage.example.com/somewhere".into()));
    assert!(world.refusal().await.contains("an address without TLS"));
    world.server.put(blob(), Answer::Elsewhere(blob()));
    assert!(world.refusal().await.contains("one address after another"));
}
