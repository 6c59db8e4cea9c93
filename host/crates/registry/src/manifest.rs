//! Manifests: which blob is the component.

use gristmill_core::model::text;
use serde::Deserialize;

use super::Digest;

/// The largest manifest.
pub(crate) const LARGEST_MANIFEST: usize = 4 << 20;
/// The largest component.
pub(crate) const LARGEST_COMPONENT: usize = 64 << 20;
/// What is asked for: an image, not a list of images for machines.
pub(crate) const ACCEPT: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// How layers with a component are called, by the guidance of the CNCF and by older tools.
const COMPONENT: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// As much of a manifest as matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest {
    #[serde(default)]
    pub(crate) layers: Vec<Layer>,
    /// Those of a list of images for machines.
    #[serde(default)]
    manifests: Vec<serde_json::Value>,
}

/// One blob of a manifest.
#[derive(Debug, Deserialize)]
pub(crate) struct Layer {
    #[serde(rename = "mediaType")]
    pub(crate) media_type: String,
    digest: String,
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))
    }

    /// The one layer that is a component.
    pub(crate) fn component(&self) -> Result<(Digest, usize), String> {
        if !self.manifests.is_empty() {
            return Err("its manifest lists others for several machines; give the digest of one of them".into());
        }
        let components: Vec<&Layer> =
            self.layers.iter().filter(|layer| COMPONENT.contains(&layer.media_type.as_str())).collect();
        let [layer] = components[..] else {
            let types: Vec<&str> = self.layers.iter().map(|layer| layer.media_type.as_str()).collect();
            let types = text::line(&types.join(", "), 200);
            return Err(format!("its manifest has {} layers of application/wasm, not one ({types})", components.len()));
        };
        let size = usize::try_from(layer.size).ok().filter(|size| *size <= LARGEST_COMPONENT);
        let size = size.ok_or_else(|| format!("it has {} bytes; at most {LARGEST_COMPONENT} are taken", layer.size))?;
        Ok((layer.digest()?, size))
    }
}

impl Layer {
    pub(crate) fn digest(&self) -> Result<Digest, String> {
        Digest::parse(&self.digest).ok_or_else(|| {
            format!("its manifest names a blob by \"{}\"; only sha256 is known", text::line(&self.digest, 100))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(manifest: &str) -> String {
        Manifest::read(manifest.as_bytes()).and_then(|manifest| manifest.component()).unwrap_err()
    }

    #[test]
    fn what_is_no_component_is_said() {
        assert!(fault("nothing").contains("cannot be read"));
        assert!(fault(r#"{"manifests": [{}]}"#).contains("several machines"));
        assert!(fault(r#"{"layers": [{"mediaType": "image/png", "digest": "x", "size": 1}]}"#).contains("(image/png)"));
        let layer = |digest: &str, size: &str| {
            fault(&format!(
                r#"{{"layers": [{{"mediaType": "application/wasm", "digest": "{digest}", "size": {size}}}]}}"#
            ))
        };
        assert!(layer("sha512:abc", "1").contains("only sha256"));
        assert!(layer("sha256:abc", "18446744073709551615").contains("at most"));
    }
}
