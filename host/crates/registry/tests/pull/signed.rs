//! Components that have to be signed.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_registry::{Digest, Network, PullError, TrustedKey};
use gristmill_test_servers::Answer;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use super::{COMPONENT, World};

fn key_pair(world: &World, name: &str, curve: Nid) -> (PKey<Private>, PathBuf) {
    let group = EcGroup::from_curve_name(curve).unwrap();
    let private = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let path = world.folder.path().join(name);
    std::fs::write(&path, private.public_key_to_pem().unwrap()).unwrap();
    (private, path)
}

/// Puts a signature beside the component, as `cosign sign --key` does.
fn sign(world: &World, key: &PKey<Private>, what: &Digest, document: impl Fn(String) -> String) {
    let text = document(format!(
        r#"{{"critical": {{"identity": {{"docker-reference": ""}}, "image": {{"docker-manifest-digest": "{what}"}}, "type": "cosign container image signature"}}, "optional": null}}"#
    ));
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = BASE64_STANDARD.encode(signer.sign_oneshot_to_vec(text.as_bytes()).unwrap());
    let (digest, size) = (Digest::of(text.as_bytes()), text.len());
    let manifest = format!(
        r#"{{"schemaVersion": 2, "layers": [{{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": "{digest}", "size": {size}, "annotations": {{"dev.cosignproject.cosign/signature": "{signature}"}}}}]}}"#
    );
    let tag = world.manifest.to_string().replace(':', "-");
    world.server.put(format!("/v2/acme/shout/manifests/{tag}.sig"), Answer::Whole(manifest.into()));
    world.server.put(format!("/v2/acme/shout/blobs/{digest}"), Answer::Whole(text.into()));
}

async fn pull(world: &World, key: &Path, network: Network) -> Result<Vec<u8>, PullError> {
    let key = TrustedKey::read(key)?;
    world.registry(network).component(&world.reference(), Some(&key)).await.map(Into::into)
}

async fn refusal(world: &World, key: &Path) -> String {
    match pull(world, key, Network::Online).await {
        Err(error @ PullError::NotSigned { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn only_what_the_key_has_signed_is_taken() {
    let world = World::new();
    let (ours, key) = key_pair(&world, "cosign.pub", Nid::X9_62_PRIME256V1);
    let (theirs, _) = key_pair(&world, "other.pub", Nid::X9_62_PRIME256V1);
    assert!(refusal(&world, &key).await.contains("no signature of it"));
    sign(&world, &theirs, &world.manifest, |text| text);
    assert!(refusal(&world, &key).await.contains("none of its signatures is of this key"));
    sign(&world, &ours, &Digest::of(b"another component"), |text| text);
    assert!(refusal(&world, &key).await.contains("signed another one"));
    sign(&world, &ours, &world.manifest, |text| text.replace("cosign container", "another kind of"));
    assert!(refusal(&world, &key).await.contains("signed another one"));
    sign(&world, &ours, &world.manifest, |text| text);
    assert_eq!(pull(&world, &key, Network::Online).await.unwrap(), COMPONENT);
    let before = world.server.asked().len();
    assert_eq!(pull(&world, &key, Network::Offline).await.unwrap(), COMPONENT, "the signature is in the cache, too");
    assert_eq!(world.server.asked().len(), before);
}

#[tokio::test]
async fn a_component_in_the_cache_is_not_taken_for_a_key_that_has_not_signed_it() {
    let world = World::new();
    let (_, key) = key_pair(&world, "cosign.pub", Nid::X9_62_PRIME256V1);
    world.registry(Network::Online).component(&world.reference(), None).await.unwrap();
    assert!(matches!(pull(&world, &key, Network::Offline).await, Err(PullError::Offline { .. })));
    assert!(refusal(&world, &key).await.contains("no signature of it"));
}

#[tokio::test]
async fn what_is_no_key_of_cosign_is_said() {
    let world = World::new();
    let (_, other) = key_pair(&world, "p384.pub", Nid::SECP384R1);
    assert!(TrustedKey::read(&other).unwrap_err().to_string().contains("not on the curve P-256"));
    let nothing = world.folder.path().join("nothing.pub");
    std::fs::write(&nothing, "nothing").unwrap();
    assert!(TrustedKey::read(&nothing).unwrap_err().to_string().contains("no public key in PEM"));
}
