//! An OCI image layout: a folder that holds images (image-spec, "Image Layout").
//!
//! Whoever reads sees an image whole or not at all: blobs are written aside and renamed to their
//! digest, and the index, which names the image, comes last.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use oci_spec::image::{ImageIndex, MediaType};
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::image::{Image, ImageError, REF_NAME, descriptor, index};

const VERSION: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";

/// A layout that is written to.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
}

/// Why a layout can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// A file or folder of it.
    #[error("{} can't be written: {reason}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
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

/// A blob that is being written beside the others.
pub struct Aside {
    file: NamedTempFile,
    blobs: PathBuf,
}

impl Layout {
    /// Opens a layout, or makes one in a folder that is empty or not there.
    pub fn open(folder: &Path) -> Result<Self, LayoutError> {
        let write = |path: &Path| {
            let path = path.to_owned();
            move |reason| LayoutError::Write { path, reason }
        };
        let version = folder.join("oci-layout");
        let blobs = folder.join("blobs/sha256");
        if !version.exists() {
            let mut there = fs::read_dir(folder).into_iter().flatten();
            // What a run that was ended here left behind is no reason to stop.
            if there.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "blobs")) {
                return Err(LayoutError::NoLayout(folder.to_owned()));
            }
        }
        fs::create_dir_all(&blobs).map_err(write(&blobs))?;
        let layout = Self { folder: folder.to_owned() };
        replace(&version, VERSION.as_bytes())?;
        Ok(layout)
    }

    /// A place for a blob whose digest is not known yet.
    pub fn aside(&self) -> Result<Aside, LayoutError> {
        let blobs = self.folder.join("blobs/sha256");
        let file = NamedTempFile::with_prefix_in(".part-", &blobs);
        let file = file.map_err(|reason| LayoutError::Write { path: blobs.clone(), reason })?;
        Ok(Aside { file, blobs })
    }

    /// Takes a blob of another layout.
    pub(crate) fn take(&self, other: &Self, digest: Digest) -> Result<(), LayoutError> {
        let mut aside = self.aside()?;
        let from = other.blob(digest);
        let copied = fs::File::open(&from).and_then(|mut from| io::copy(&mut from, aside.file()));
        copied.map_err(|reason| LayoutError::Write { path: self.blob(digest), reason })?;
        aside.keep(digest)
    }

    /// Puts an image in whose layers are there already, under a tag; another image that had the tag
    /// stays without it.
    pub fn put(&self, image: &Image, tag: Option<&str>) -> Result<(), LayoutError> {
        for bytes in [&image.config, &image.manifest] {
            replace(&self.blob(Digest::of(bytes)), bytes)?;
        }
        let size = image.manifest.len() as u64;
        let mut entry = descriptor(MediaType::ImageManifest, image.digest(), size)?;
        if let Some(tag) = tag {
            entry.set_annotations(Some(HashMap::from([(REF_NAME.to_owned(), tag.to_owned())])));
        }
        let path = self.folder.join("index.json");
        let mut images = match fs::read(&path) {
            Ok(bytes) => {
                let index: ImageIndex = serde_json::from_slice(&bytes).map_err(|error| {
                    LayoutError::Damaged { path: path.clone(), reason: error.to_string() }
                })?;
                index.manifests().clone()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(reason) => return Err(LayoutError::Write { path, reason }),
        };
        let tag_of = |entry: &oci_spec::image::Descriptor| {
            entry.annotations().as_ref().and_then(|all| all.get(REF_NAME).cloned())
        };
        images.retain(|old| match (tag, tag_of(old)) {
            (Some(tag), Some(old)) => old != tag,
            (_, old_tag) => old.digest() != entry.digest() || old_tag.is_some(),
        });
        images.push(entry);
        replace(&path, &index(images)?)
    }

    fn blob(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }
}

/// Writes a file aside and renames it.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), LayoutError> {
    let write = || {
        let mut file = NamedTempFile::with_prefix_in(".part-", path.parent().unwrap_or(path))?;
        file.write_all(bytes)?;
        readable(&file)?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|reason| LayoutError::Write { path: path.to_owned(), reason })
}

impl Aside {
    /// Where to write.
    pub fn file(&mut self) -> &mut fs::File {
        self.file.as_file_mut()
    }

    /// Makes it the blob of its digest.
    pub fn keep(self, digest: Digest) -> Result<(), LayoutError> {
        let path = self.blobs.join(digest.hex());
        let kept = readable(&self.file)
            .and_then(|()| self.file.persist(&path).map_err(|error| error.error));
        kept.map(drop).map_err(|reason| LayoutError::Write { path, reason })
    }
}

/// Temporary files are their owner's alone; images are for everybody.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))
}
