//! An OCI image layout: a folder that holds images (image-spec, "Image Layout").
//!
//! Whoever reads sees an image whole or not at all: the index, which names the image, comes last.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, ImageIndex, MediaType};

use crate::blobs::{BlobError, Blobs, replace};
use crate::digest::Digest;
use crate::image::{Bundle, ImageError, REF_NAME, descriptor, index};

pub(crate) const VERSION: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

/// A layout that is written to.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
    blobs: Blobs,
}

/// Why a layout can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The folder holds something else.
    #[error(
        "{} is no image layout, and is not empty: name a folder that is, or one that is not there",
        .0.display()
    )]
    NoLayout(PathBuf),
    /// The index that is there can't be read.
    #[error("{} is damaged: {reason}. Remove the folder, or name another one", .path.display())]
    Damaged {
        /// The index.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl Layout {
    /// Opens a layout, or makes one in a folder that is empty or not there.
    pub fn open(folder: &Path) -> Result<Self, LayoutError> {
        let version = folder.join("oci-layout");
        if !version.exists() {
            let mut there = fs::read_dir(folder).into_iter().flatten();
            // What a run that was ended here left behind is no reason to stop.
            if there.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "blobs")) {
                return Err(LayoutError::NoLayout(folder.to_owned()));
            }
        }
        let blobs = Blobs::open(&folder.join("blobs/sha256"))?;
        blobs.sweep();
        replace(&version, VERSION.as_bytes())?;
        Ok(Self { folder: folder.to_owned(), blobs })
    }

    /// Puts a bundle in under a tag, with its layers from elsewhere; what had the tag before stays
    /// without it.
    pub fn put(&self, bundle: &Bundle, from: &Blobs, tag: Option<&str>) -> Result<(), LayoutError> {
        for layer in bundle.layers() {
            self.blobs.take(from, layer)?;
        }
        for bytes in bundle.small() {
            self.blobs.put(bytes)?;
        }
        let entry = entry(bundle.top(), tag)?;
        let path = self.folder.join("index.json");
        let mut images = match fs::read(&path) {
            Ok(bytes) => {
                let index: ImageIndex = serde_json::from_slice(&bytes).map_err(|error| {
                    LayoutError::Damaged { path: path.clone(), reason: error.to_string() }
                })?;
                index.manifests().clone()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(reason) => return Err(BlobError::Read { path, reason }.into()),
        };
        let tag_of = |entry: &Descriptor| {
            entry.annotations().as_ref().and_then(|all| all.get(REF_NAME).cloned())
        };
        images.retain(|old| match (tag, tag_of(old)) {
            (Some(tag), Some(old)) => old != tag,
            (_, old_tag) => old.digest() != entry.digest() || old_tag.is_some(),
        });
        images.push(entry);
        Ok(replace(&path, &index(images)?)?)
    }
}

/// What an index says of a manifest, or of another index, that goes by a tag.
pub(crate) fn entry(
    (kind, bytes): (MediaType, &[u8]),
    tag: Option<&str>,
) -> Result<Descriptor, ImageError> {
    let mut entry = descriptor(kind, Digest::of(bytes), bytes.len() as u64)?;
    if let Some(tag) = tag {
        entry.set_annotations(Some(HashMap::from([(REF_NAME.to_owned(), tag.to_owned())])));
    }
    Ok(entry)
}

/// Writes the index of a layout with this manifest and nothing else.
pub(crate) fn name(folder: &Path, manifest: &[u8]) -> Result<(), LayoutError> {
    let entry = entry((MediaType::ImageManifest, manifest), None)?;
    Ok(replace(&folder.join("index.json"), &index(vec![entry])?)?)
}
