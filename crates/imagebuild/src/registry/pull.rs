//! An image out of a registry. Nothing is believed: every blob is the one that was asked for, or
//! there is an error.

use std::sync::atomic::AtomicU64;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::MultiProgress;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};

use super::client::{Got, RegistryError, Repository};
use super::push::{AT_A_TIME, watched};
use crate::blobs::{BlobError, Blobs};
use crate::digest::Digest;
use crate::image::{ImageError, descriptor};
use crate::read::{Named, Platforms, ReadError, in_oci, of_index};

/// Why an image was not pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// See there.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// See there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
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

/// Pulls what a name stands for, with the images of an index that are meant, into a folder of blobs;
/// those that are there already are not got again. With all of them goes what an index lists
/// besides, so that it can be pushed elsewhere as it is.
pub async fn pull(
    from: &Repository,
    reference: &str,
    platforms: Platforms<'_>,
    blobs: &Blobs,
    bars: &MultiProgress,
) -> Result<Named, PullError> {
    let name = || format!("{}:{reference}", from.shown());
    let got = from.get_manifest(reference).await?.ok_or_else(|| PullError::Absent(name()))?;
    let kind = MediaType::from(got.media_type.as_str());
    let top = descriptor(kind.clone(), got.digest, got.bytes.len() as u64)?;
    blobs.put(&got.bytes)?;
    if in_oci(&kind) != MediaType::ImageIndex {
        image(from, &name(), &got, blobs, bars).await?;
        return Ok(Named { images: vec![top.clone()], top });
    }
    let index: ImageIndex = serde_json::from_slice(&got.bytes)
        .map_err(|error| PullError::NoImage { name: name(), why: error.to_string() })?;
    let images: Vec<Descriptor> =
        of_index(index.manifests(), platforms)?.into_iter().cloned().collect();
    let wanted = if platforms == Platforms::All { index.manifests() } else { &images };
    for listed in wanted {
        let digest = listed.digest().to_string();
        let got = from.get_manifest(&digest).await?.ok_or(PullError::Absent(digest))?;
        blobs.put(&got.bytes)?;
        image(from, &name(), &got, blobs, bars).await?;
    }
    Ok(Named { top, images })
}

async fn image(
    from: &Repository,
    name: &str,
    manifest: &Got,
    blobs: &Blobs,
    bars: &MultiProgress,
) -> Result<(), PullError> {
    let no_image = |why: String| PullError::NoImage { name: name.to_owned(), why };
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
    stream::iter(got).buffer_unordered(AT_A_TIME).try_collect::<()>().await
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
