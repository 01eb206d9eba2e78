//! An image's configuration and manifest: exact bytes, so that the same image has the same digest.
//!
//! `oci-spec` has the types. It keeps labels and annotations in maps without an order, so everything
//! is serialised through values whose keys are sorted (image-spec, "Canonicalization").

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SecondsFormat};
use oci_spec::OciSpecError;
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, HistoryBuilder, ImageConfigurationBuilder, ImageIndexBuilder,
    ImageManifestBuilder, MediaType, Os, RootFsBuilder, SCHEMA_VERSION, Sha256Digest,
};
use serde::Serialize;

use crate::digest::Digest;
use crate::layer::Written;

/// Changes whenever the same input makes other bytes than before.
pub const FORMAT: u32 = 1;
/// The annotation that says [`FORMAT`].
const FORMAT_ANNOTATION: &str = "imagebuild.format";
/// The annotation of a layout's index that names an image (image-spec, "Pre-Defined Annotation
/// Keys").
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// How a container of the image is started, and what is said of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// As Go calls it, such as `amd64`.
    pub architecture: String,
    /// Program and arguments.
    pub entrypoint: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Numbers, `uid:gid`.
    pub user: String,
    /// Absolute.
    pub working_dir: String,
    /// Such as `8080/tcp`.
    pub ports: Vec<String>,
    /// Such as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Labels of the configuration.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Seconds since 1970.
    pub created: u64,
}

/// An image but for its layers' bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The configuration as JSON.
    pub config: Vec<u8>,
    /// The manifest as JSON, whose digest is the image's.
    pub manifest: Vec<u8>,
    /// From the lowest.
    pub layers: Vec<Written>,
}

impl Image {
    /// The image's name for ever.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// What a registry stores for it: configuration, manifest and layers, in bytes.
    pub fn size(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.size).sum();
        layers + self.config.len() as u64 + self.manifest.len() as u64
    }
}

/// Why there is no image: a value that the specification does not allow.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The types' own words.
    #[error("the image would not be one: {0}")]
    Spec(#[from] OciSpecError),
    /// Not to be expected.
    #[error("the image can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Puts settings and layers together; with each layer goes what its history says.
pub fn image(settings: &Settings, layers: &[(String, Written)]) -> Result<Image, ImageError> {
    let config = config(settings, layers)?;
    let descriptors = layers
        .iter()
        .map(|(_, layer)| descriptor(MediaType::ImageLayerGzip, layer.digest, layer.size));
    let mut annotations = settings.annotations.clone();
    annotations.insert(FORMAT_ANNOTATION.to_owned(), FORMAT.to_string());
    annotations.insert("org.opencontainers.image.created".to_owned(), time(settings.created));
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, Digest::of(&config), config.len() as u64)?)
        .layers(descriptors.collect::<Result<Vec<_>, _>>()?)
        .annotations(unordered(&annotations))
        .build()?;
    let layers = layers.iter().map(|(_, layer)| *layer).collect();
    Ok(Image { config, manifest: canonical(&manifest)?, layers })
}

fn config(settings: &Settings, layers: &[(String, Written)]) -> Result<Vec<u8>, ImageError> {
    let created = time(settings.created);
    let mut run = ConfigBuilder::default()
        .entrypoint(settings.entrypoint.clone())
        .env(settings.env.clone())
        .user(settings.user.clone())
        .working_dir(settings.working_dir.clone());
    if !settings.ports.is_empty() {
        run = run.exposed_ports(settings.ports.clone());
    }
    if !settings.labels.is_empty() {
        run = run.labels(unordered(&settings.labels));
    }
    if let Some(signal) = &settings.stop_signal {
        run = run.stop_signal(signal.clone());
    }
    let history = layers.iter().map(|(comment, _)| {
        let entry = HistoryBuilder::default().created(created.clone()).comment(comment.clone());
        entry.created_by("imagebuild").build()
    });
    let diff_ids: Vec<String> = layers.iter().map(|(_, it)| it.diff_id.to_string()).collect();
    let config = ImageConfigurationBuilder::default()
        .created(created.clone())
        .architecture(Arch::from(settings.architecture.as_str()))
        .os(Os::Linux)
        .config(run.build()?)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build()?)
        .history(history.collect::<Result<Vec<_>, _>>()?)
        .build()?;
    canonical(&config)
}

/// An index with these manifests, each with the name that it goes by.
pub(crate) fn index(images: Vec<Descriptor>) -> Result<Vec<u8>, ImageError> {
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(images)
        .build()?;
    canonical(&index)
}

/// What points to some bytes.
pub(crate) fn descriptor(
    media_type: MediaType,
    digest: Digest,
    size: u64,
) -> Result<Descriptor, ImageError> {
    let digest: Sha256Digest = digest.hex().parse()?;
    Ok(Descriptor::new(media_type, size, digest))
}

fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn unordered(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// As JSON without white space, keys sorted.
fn canonical(value: &impl Serialize) -> Result<Vec<u8>, ImageError> {
    Ok(serde_json::to_vec(&serde_json::to_value(value)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let words = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let map = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
        };
        Settings {
            architecture: "amd64".to_owned(),
            entrypoint: words(&["/app/server", "--port", "80"]),
            env: words(&["A=b"]),
            user: "65532:65532".to_owned(),
            working_dir: "/app".to_owned(),
            ports: words(&["80/tcp"]),
            stop_signal: Some("SIGTERM".to_owned()),
            labels: map(&["c", "a", "b", "d"]),
            annotations: map(&["z", "y", "x", "w"]),
            created: 1_700_000_000,
        }
    }

    fn layers() -> Vec<(String, Written)> {
        let of = |byte: &str| Written {
            diff_id: Digest::of(byte.as_bytes()),
            digest: Digest::of(format!("{byte} packed").as_bytes()),
            size: 5,
        };
        vec![("libraries".to_owned(), of("a")), ("program".to_owned(), of("b"))]
    }

    /// A digest that changes here changes for everybody, and means a new format number.
    #[test]
    fn the_same_image_is_the_same_bytes_for_ever() {
        let made = image(&settings(), &layers()).unwrap();
        for _ in 0..5 {
            assert_eq!(image(&settings(), &layers()).unwrap(), made, "maps have no order");
        }
        let golden = "sha256:355042bf0b0ab4ee782febf2d333196e46b4b65b77c6b5dce3f818be3bff7292";
        assert_eq!(made.digest().to_string(), golden);
    }

    #[test]
    fn a_runtime_reads_what_was_set() {
        let made = image(&settings(), &layers()).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&made.config).unwrap();
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["created"], "2023-11-14T22:13:20Z");
        assert_eq!(config["config"]["Entrypoint"][2], "80");
        assert_eq!(config["config"]["ExposedPorts"], serde_json::json!({ "80/tcp": {} }));
        assert_eq!(config["config"]["StopSignal"], "SIGTERM");
        assert_eq!(config["rootfs"]["diff_ids"][0], Digest::of(b"a").to_string());
        assert_eq!(config["history"].as_array().unwrap().len(), 2);
        let manifest: serde_json::Value = serde_json::from_slice(&made.manifest).unwrap();
        assert_eq!(manifest["config"]["digest"], Digest::of(&made.config).to_string());
        assert_eq!(manifest["layers"][1]["size"], 5);
        assert_eq!(manifest["annotations"][FORMAT_ANNOTATION], "1");
    }
}
