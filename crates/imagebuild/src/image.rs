//! An image's configuration and manifest: exact bytes, so that the same image has the same digest.
//!
//! `oci-spec` has the types. It keeps labels and annotations in maps without an order, so everything
//! is serialised through values whose keys are sorted (image-spec, "Canonicalization").

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter;

use chrono::{DateTime, SecondsFormat};
use oci_spec::OciSpecError;
use oci_spec::image::{
    Arch, ConfigBuilder, Descriptor, HistoryBuilder, ImageConfigurationBuilder, ImageIndexBuilder,
    ImageManifestBuilder, MediaType, Os, PlatformBuilder, RootFsBuilder, SCHEMA_VERSION,
    Sha256Digest,
};
use serde::Serialize;
use serde_json::json;

use crate::base::Base;
use crate::compress::Compression;
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
    /// Program and arguments that tell by their exit code whether the container is well. It is no
    /// part of the specification, but what Docker and podman look for in a configuration.
    pub health_check: Vec<String>,
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
    /// As Go calls it, such as `amd64`.
    pub architecture: String,
}

/// What goes by one name: an image, or images for several processors with the index that lists them
/// (image-spec, "Image Index").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// By architecture.
    pub images: Vec<Image>,
    /// The index as JSON; none if there is one image.
    pub index: Option<Vec<u8>>,
}

impl Bundle {
    /// Of one image or more, each for another processor.
    pub fn new(mut images: Vec<Image>) -> Result<Self, ImageError> {
        images.sort_by(|a, b| a.architecture.cmp(&b.architecture));
        let mut pairs = images.iter().zip(images.iter().skip(1));
        if let Some((image, _)) = pairs.find(|(a, b)| a.architecture == b.architecture) {
            return Err(ImageError::Twice(image.architecture.clone()));
        }
        if images.len() == 1 {
            return Ok(Self { images, index: None });
        }
        let listed = images.iter().map(|image| {
            let (digest, size) = (image.digest(), image.manifest.len() as u64);
            let mut entry = descriptor(MediaType::ImageManifest, digest, size)?;
            let platform = PlatformBuilder::default()
                .architecture(Arch::from(image.architecture.as_str()))
                .os(Os::Linux);
            entry.set_platform(Some(platform.build()?));
            Ok(entry)
        });
        let index = index(listed.collect::<Result<_, ImageError>>()?)?;
        Ok(Self { images, index: Some(index) })
    }

    /// What its name stands for: the index, or the manifest of its only image.
    pub fn top(&self) -> (MediaType, &[u8]) {
        match (&self.index, self.images.first()) {
            (Some(index), _) => (MediaType::ImageIndex, index),
            (None, image) => {
                let manifest = image.map(|image| image.manifest.as_slice()).unwrap_or_default();
                (MediaType::ImageManifest, manifest)
            }
        }
    }

    /// Its name for ever.
    pub fn digest(&self) -> Digest {
        Digest::of(self.top().1)
    }

    /// Configurations, manifests and index.
    pub fn small(&self) -> impl Iterator<Item = &[u8]> {
        let parts = self.images.iter().flat_map(|image| [&image.config, &image.manifest]);
        parts.chain(&self.index).map(Vec::as_slice)
    }

    /// The layers of all of its images, each once.
    pub fn layers(&self) -> BTreeSet<Digest> {
        self.images.iter().flat_map(|image| &image.layers).map(|layer| layer.digest).collect()
    }
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
    /// Nobody could tell which to start.
    #[error("two programs are for {0}: an image has one for each kind of processor")]
    Twice(String),
    /// Not to be expected.
    #[error("the image can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Puts settings and layers together, on a base if there is one; with each layer goes what its
/// history says.
pub fn image(
    settings: &Settings,
    compression: Compression,
    base: Option<&Base>,
    layers: &[(String, Written)],
) -> Result<Image, ImageError> {
    let below = base.map(|base| base.layers.as_slice()).unwrap_or_default();
    let config = config(settings, base, layers)?;
    let own = |(_, layer): &(String, Written)| (compression.media_type(), layer.digest, layer.size);
    let based = below.iter().map(|(kind, layer)| (kind.clone(), layer.digest, layer.size));
    let mut annotations = settings.annotations.clone();
    annotations.insert(FORMAT_ANNOTATION.to_owned(), FORMAT.to_string());
    annotations.insert("org.opencontainers.image.created".to_owned(), time(settings.created));
    let manifest = manifest(&config, based.chain(layers.iter().map(own)), &annotations)?;
    let own = layers.iter().map(|(_, layer)| *layer);
    let layers = below.iter().map(|(_, layer)| *layer).chain(own).collect();
    let architecture = settings.architecture.clone();
    Ok(Image { config, manifest, layers, architecture })
}

/// A manifest with these layers, from the lowest: media type, digest and size of each.
pub(crate) fn manifest(
    config: &[u8],
    layers: impl IntoIterator<Item = (MediaType, Digest, u64)>,
    annotations: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ImageError> {
    let layers = layers.into_iter().map(|(kind, digest, size)| descriptor(kind, digest, size));
    let mut manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, Digest::of(config), config.len() as u64)?)
        .layers(layers.collect::<Result<Vec<_>, _>>()?);
    if !annotations.is_empty() {
        manifest = manifest.annotations(unordered(annotations));
    }
    canonical(&manifest.build()?)
}

fn config(
    settings: &Settings,
    base: Option<&Base>,
    layers: &[(String, Written)],
) -> Result<Vec<u8>, ImageError> {
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
    let based = base.map(|base| base.history.clone()).unwrap_or_default();
    let history = based.into_iter().map(Ok).chain(history);
    let below = base.into_iter().flat_map(|base| &base.layers).map(|(_, layer)| layer);
    let all = below.chain(layers.iter().map(|(_, layer)| layer));
    let diff_ids: Vec<String> = all.map(|layer| layer.diff_id.to_string()).collect();
    let config = ImageConfigurationBuilder::default()
        .created(created.clone())
        .architecture(Arch::from(settings.architecture.as_str()))
        .os(Os::Linux)
        .config(run.build()?)
        .rootfs(RootFsBuilder::default().typ("layers").diff_ids(diff_ids).build()?)
        .history(history.collect::<Result<Vec<_>, _>>()?)
        .build()?;
    let mut config = serde_json::to_value(&config)?;
    let run = config.get_mut("config").and_then(serde_json::Value::as_object_mut);
    if let (false, Some(run)) = (settings.health_check.is_empty(), run) {
        let test = iter::once("CMD").chain(settings.health_check.iter().map(String::as_str));
        run.insert("Healthcheck".to_owned(), json!({ "Test": test.collect::<Vec<_>>() }));
    }
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

/// As RFC 3339 writes it.
pub(crate) fn time(seconds: u64) -> String {
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
            health_check: Vec::new(),
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
        let made = image(&settings(), Compression::Gzip, None, &layers()).unwrap();
        for _ in 0..5 {
            let again = image(&settings(), Compression::Gzip, None, &layers()).unwrap();
            assert_eq!(again, made, "maps have no order");
        }
        let golden = "sha256:355042bf0b0ab4ee782febf2d333196e46b4b65b77c6b5dce3f818be3bff7292";
        assert_eq!(made.digest().to_string(), golden);
    }

    #[test]
    fn images_for_several_processors_are_listed() {
        let of = |architecture: &str| {
            let settings = Settings { architecture: architecture.to_owned(), ..settings() };
            image(&settings, Compression::Zstd, None, &layers()).unwrap()
        };
        let bundle = Bundle::new(vec![of("arm64"), of("amd64")]).unwrap();
        let index: serde_json::Value = serde_json::from_slice(bundle.top().1).unwrap();
        assert_eq!(index["manifests"][0]["platform"]["architecture"], "amd64");
        assert_eq!(index["manifests"][1]["digest"], of("arm64").digest().to_string());
        assert_eq!((bundle.small().count(), bundle.layers().len()), (5, 2));
        let error = Bundle::new(vec![of("amd64"), of("amd64")]).unwrap_err().to_string();
        assert!(error.starts_with("two programs are for amd64"), "{error}");
        let alone = Bundle::new(vec![of("amd64")]).unwrap();
        assert_eq!((alone.digest(), alone.index), (of("amd64").digest(), None));
    }

    #[test]
    fn a_runtime_reads_what_was_set() {
        let made = image(&settings(), Compression::Gzip, None, &layers()).unwrap();
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
