//! An image into a registry: what is there already is not sent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use serde::Serialize;

use super::client::{Mount, RegistryError, Repository};
use crate::blobs::Blobs;
use crate::digest::Digest;
use crate::read::in_oci;

/// So many blobs are sent at a time: more gain nothing, and some registries end connections then
/// (dotnet/sdk-container-builds#279).
pub(crate) const AT_A_TIME: usize = 4;

/// What a registry is to hold.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Its media type.
    pub media_type: String,
    /// The blobs that it names, and where they are.
    pub blobs: Vec<Part>,
    /// The images that it lists, if it is an index.
    pub images: Vec<Parcel>,
}

/// A blob of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its digest.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// On this machine.
    pub path: PathBuf,
    /// Another repository of the same registry that has it.
    pub mount_from: Option<String>,
    /// What was done for it already.
    pub done: Option<How>,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// Host and repository.
    pub repository: String,
    /// The image's name for ever.
    pub digest: Digest,
    /// Under which it can be pulled.
    pub tags: Vec<String>,
    /// Whether all of that was so before.
    pub unchanged: bool,
    /// What became of each blob; empty if all of it was there.
    pub blobs: Vec<PushedBlob>,
    /// How many requests were sent, those for tokens not counted.
    pub requests: u64,
    /// Whether the registry keeps a list of what refers to an image; nothing if it was not put now,
    /// or did not say.
    #[serde(skip)]
    pub keeps_referrers: Option<bool>,
}

/// What became of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PushedBlob {
    /// Its digest.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// What was done.
    pub how: How,
}

/// What was done for a blob to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing.
    Reused,
    /// It was taken from another repository of the registry.
    Mounted,
    /// It was sent.
    Uploaded,
}

impl Parcel {
    /// A manifest or index and what it names, whose blobs are in a folder. Those that another
    /// repository of the registry has are named with it.
    pub fn new(
        media_type: &MediaType,
        manifest: &[u8],
        blobs: &Blobs,
        elsewhere: &BTreeMap<Digest, String>,
    ) -> Result<Self, RegistryError> {
        let mut parcel = Self {
            manifest: manifest.to_vec(),
            media_type: media_type.to_string(),
            blobs: Vec::new(),
            images: Vec::new(),
        };
        if in_oci(media_type) == MediaType::ImageIndex {
            let index: ImageIndex =
                serde_json::from_slice(manifest).map_err(|error| refuse(error.to_string()))?;
            for image in index.manifests() {
                let manifest = blobs.get(digest(image)?);
                let manifest = manifest.map_err(|error| refuse(error.to_string()))?;
                parcel.images.push(Self::new(image.media_type(), &manifest, blobs, elsewhere)?);
            }
            return Ok(parcel);
        }
        let parsed: ImageManifest =
            serde_json::from_slice(manifest).map_err(|error| refuse(error.to_string()))?;
        for descriptor in parsed.layers().iter().chain([parsed.config()]) {
            let digest = digest(descriptor)?;
            parcel.blobs.push(Part {
                digest,
                size: descriptor.size(),
                path: blobs.path(digest),
                mount_from: elsewhere.get(&digest).cloned(),
                done: None,
            });
        }
        parcel.blobs.sort_by_key(|part| part.digest);
        parcel.blobs.dedup();
        Ok(parcel)
    }

    /// All of its blobs, and those of the images that it lists.
    pub fn parts(&mut self) -> Box<dyn Iterator<Item = &mut Part> + '_> {
        Box::new(self.blobs.iter_mut().chain(self.images.iter_mut().flat_map(Self::parts)))
    }
}

fn refuse(why: String) -> RegistryError {
    RegistryError::Answer { what: "the manifest".to_owned(), why }
}

fn digest(descriptor: &Descriptor) -> Result<Digest, RegistryError> {
    let digest = descriptor.digest().to_string();
    digest.parse().map_err(|_| refuse(format!("{digest:?} is no digest")))
}

/// Pushes it under these tags, or under its digest alone; what it lists goes first. Bars are drawn
/// for what is sent.
pub async fn push(
    to: &Repository,
    parcel: &Parcel,
    tags: &[String],
    bars: &MultiProgress,
) -> Result<Pushed, RegistryError> {
    let digest = Digest::of(&parcel.manifest);
    let mut names = tags.to_vec();
    if names.is_empty() {
        names.push(digest.to_string());
    }
    let there = stream::iter(&names).map(|name| to.head_manifest(name)).buffered(AT_A_TIME);
    let there: Vec<Option<Digest>> = there.try_collect().await?;
    let missing = names.iter().zip(there).filter(|(_, there)| *there != Some(digest));
    let missing: Vec<&String> = missing.map(|(name, _)| name).collect();
    let mut blobs = Vec::new();
    let mut keeps_referrers = None;
    if !missing.is_empty() {
        for image in &parcel.images {
            let pushed = Box::pin(push(to, image, &[], bars)).await?;
            blobs.extend(pushed.blobs);
        }
        let sent = parcel.blobs.iter().map(|part| deliver(to, part, bars));
        let sent = stream::iter(sent).buffer_unordered(AT_A_TIME);
        blobs.extend(sent.try_collect::<Vec<_>>().await?);
        blobs.sort_by_key(|blob: &PushedBlob| blob.digest);
        blobs.dedup_by_key(|blob| blob.digest);
        for name in &missing {
            let put = to.put_manifest(name, &parcel.media_type, &parcel.manifest).await?;
            keeps_referrers = Some(put.keeps_referrers);
        }
    }
    let unchanged = missing.is_empty();
    let (repository, tags, requests) = (to.shown(), tags.to_vec(), to.requests());
    Ok(Pushed { repository, digest, tags, unchanged, blobs, requests, keeps_referrers })
}

/// Sees to it that a blob is there.
pub async fn deliver(
    to: &Repository,
    part: &Part,
    bars: &MultiProgress,
) -> Result<PushedBlob, RegistryError> {
    let Part { digest, size, path, mount_from, .. } = part;
    let (digest, size) = (*digest, *size);
    let done = |how| Ok(PushedBlob { digest, size, how });
    if let Some(how) = part.done {
        return done(how);
    }
    if to.has_blob(digest).await? {
        return done(How::Reused);
    }
    let mut begun = None;
    if let Some(from) = mount_from {
        match to.mount(digest, from).await? {
            Mount::Done => return done(How::Mounted),
            Mount::Upload(session) => begun = Some(session),
        }
    }
    let sent = Arc::new(AtomicU64::new(0));
    let upload = to.put_blob(digest, size, path, begun, &sent);
    watched(bars, "uploading", digest, size, &sent, upload).await?;
    done(How::Uploaded)
}

/// Shows how much of it is done until it is.
pub(super) async fn watched<T>(
    bars: &MultiProgress,
    verb: &'static str,
    digest: Digest,
    size: u64,
    done: &AtomicU64,
    work: impl Future<Output = T>,
) -> T {
    let style = "{msg:34} {bar:30} {bytes:>11} of {total_bytes:11} {bytes_per_sec}";
    let style =
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bars.add(ProgressBar::new(size).with_style(style));
    let short: String = digest.hex().chars().take(12).collect();
    bar.set_message(format!("{verb} {short}"));
    let tick = async {
        loop {
            bar.set_position(done.load(Ordering::Relaxed));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let result = tokio::select! {
        result = work => result,
        () = tick => unreachable!("it ticks for ever"),
    };
    bar.finish_and_clear();
    result
}
