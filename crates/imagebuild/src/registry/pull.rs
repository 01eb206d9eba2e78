//! An image out of a registry. Nothing is believed: every blob is the one that was asked for, or
//! there is an error.

use std::sync::atomic::AtomicU64;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::MultiProgress;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};

use super::client::{Got, RegistryError, Repository};
use super::push::watched;
use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::read::{ReadError, for_architecture, in_oci};

/// So many blobs are got at a time.
const AT_A_TIME: usize = 4;

/// Why an image was not pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// See there.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// See there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such image.
    #[error("there is no image {0}")]
    Absent(String),
    /// It is something else.
    #[error("{name} is no image: {why}")]
    NoImage {
        /// What was asked for.
        name: String,
        /// Why.
        why: String,
    },
}

/// An image whose blobs were pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Of what the name stands for: an index of images for several processors, or the image.
    pub index: Digest,
    /// The image's manifest.
    pub manifest: Got,
}

/// Pulls the image for an architecture (as Go calls it; this machine's if none is said) into a
/// folder of blobs; those that are there already are not got again.
pub async fn pull(
    from: &Repository,
    reference: &str,
    architecture: Option<&str>,
    blobs: &Blobs,
    bars: &MultiProgress,
) -> Result<Pulled, PullError> {
    let name = || format!("{}:{reference}", from.shown());
    let no_image = |why: String| PullError::NoImage { name: name(), why };
    let got = from.get_manifest(reference).await?.ok_or_else(|| PullError::Absent(name()))?;
    let index = got.digest;
    let kind = in_oci(&MediaType::from(got.media_type.as_str()));
    let manifest = if kind == MediaType::ImageIndex {
        let index: ImageIndex =
            serde_json::from_slice(&got.bytes).map_err(|error| no_image(error.to_string()))?;
        let found = for_architecture(index.manifests(), architecture)?.digest().to_string();
        from.get_manifest(&found).await?.ok_or(PullError::Absent(found))?
    } else {
        got
    };
    let parsed: ImageManifest =
        serde_json::from_slice(&manifest.bytes).map_err(|error| no_image(error.to_string()))?;
    let wanted = parsed.layers().iter().chain([parsed.config()]);
    let mut parts = Vec::new();
    for descriptor in wanted {
        let digest = descriptor.digest().to_string();
        let digest = digest.parse().map_err(|_| no_image(format!("{digest:?} is no digest")))?;
        parts.push((digest, descriptor));
    }
    parts.dedup();
    let got = parts.iter().map(|(digest, it)| get(from, *digest, it, blobs, bars));
    stream::iter(got).buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    Ok(Pulled { index, manifest })
}

async fn get(
    from: &Repository,
    digest: Digest,
    descriptor: &Descriptor,
    blobs: &Blobs,
    bars: &MultiProgress,
) -> Result<(), PullError> {
    if blobs.has(digest, descriptor.size()) {
        return Ok(());
    }
    let (size, done) = (descriptor.size(), AtomicU64::new(0));
    let get = from.get_blob(digest, size, blobs, &done);
    Ok(watched(bars, "getting", digest, size, &done, get).await?)
}
