//! What a registry keeps, in a folder. Names were checked before; here they are paths.
//!
//! ```text
//! blobs/sha256/HEX                      all blobs and manifests
//! repositories/NAME/_blobs/HEX          the repository has the blob
//! repositories/NAME/_manifests/HEX      the media type of a manifest
//! repositories/NAME/_tags/TAG           the digest that a tag stands for
//! ```

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::blobs::{Aside, Blobs, replace};
use crate::digest::{Digest, Hashing};

pub(super) struct Store {
    blobs: Blobs,
    repositories: PathBuf,
}

/// An upload. What was written is gone with it, unless it is kept.
pub(super) struct Session {
    aside: Aside,
    out: Hashing<File>,
}

impl Session {
    /// In bytes.
    pub(super) fn size(&self) -> u64 {
        self.out.size()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Whether it is what it should be, and was kept.
    pub(super) fn keep(self, wanted: Digest) -> io::Result<bool> {
        let (_, found, _) = self.out.finish();
        if found != wanted {
            return Ok(false);
        }
        self.aside.keep(wanted).map(|()| true).map_err(io::Error::other)
    }
}

impl Store {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let blobs = Blobs::open(&folder.join("blobs/sha256")).map_err(io::Error::other)?;
        blobs.sweep();
        Ok(Self { blobs, repositories: folder.join("repositories") })
    }

    pub(super) fn session(&self) -> io::Result<Session> {
        let mut aside = self.blobs.aside().map_err(io::Error::other)?;
        let out = Hashing::new(aside.file().try_clone()?);
        Ok(Session { aside, out })
    }

    fn path(&self, name: &str, kind: &str, leaf: &str) -> PathBuf {
        self.repositories.join(name).join(kind).join(leaf)
    }

    fn write(path: &Path, text: &str) -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        replace(path, text.as_bytes()).map_err(io::Error::other)
    }

    /// Makes a blob the repository's.
    pub(super) fn own(&self, name: &str, digest: Digest) -> io::Result<()> {
        Self::write(&self.path(name, "_blobs", &digest.hex()), "")
    }

    pub(super) fn has_blob(&self, name: &str, digest: Digest) -> bool {
        self.path(name, "_blobs", &digest.hex()).exists() && self.blobs.path(digest).exists()
    }

    pub(super) fn blob(&self, name: &str, digest: Digest) -> Option<Vec<u8>> {
        self.has_blob(name, digest).then(|| fs::read(self.blobs.path(digest)).ok())?
    }

    /// Media type and bytes.
    pub(super) fn manifest(&self, name: &str, reference: &str) -> Option<(String, Vec<u8>)> {
        let digest = match reference.parse() {
            Ok(digest) => digest,
            Err(_) => fs::read_to_string(self.path(name, "_tags", reference)).ok()?.parse().ok()?,
        };
        self.by_digest(name, digest)
    }

    fn by_digest(&self, name: &str, digest: Digest) -> Option<(String, Vec<u8>)> {
        let kind = fs::read_to_string(self.path(name, "_manifests", &digest.hex())).ok()?;
        Some((kind, fs::read(self.blobs.path(digest)).ok()?))
    }

    pub(super) fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        kind: &str,
        bytes: &[u8],
    ) -> io::Result<()> {
        let digest = self.blobs.put(bytes).map_err(io::Error::other)?;
        Self::write(&self.path(name, "_manifests", &digest.hex()), kind)?;
        if reference.parse::<Digest>().is_err() {
            Self::write(&self.path(name, "_tags", reference), &digest.to_string())?;
        }
        Ok(())
    }

    /// Media types and bytes, by digest.
    pub(super) fn manifests(&self, name: &str) -> Vec<(String, Vec<u8>)> {
        let all = names(&self.path(name, "_manifests", ""));
        let all = all.iter().filter_map(|hex| format!("sha256:{hex}").parse().ok());
        all.filter_map(|digest| self.by_digest(name, digest)).collect()
    }

    /// Sorted; `None` if there is no such repository.
    pub(super) fn tags(&self, name: &str) -> Option<Vec<String>> {
        self.repositories.join(name).exists().then(|| names(&self.path(name, "_tags", "")))
    }

    /// Sorted.
    pub(super) fn repositories(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![String::new()];
        while let Some(folder) = waiting.pop() {
            for name in names(&self.repositories.join(&folder)) {
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                match name.as_str() {
                    "_manifests" => found.push(folder.clone()),
                    _ if name.starts_with('_') => {}
                    _ => waiting.push(path),
                }
            }
        }
        found.sort();
        found
    }
}

/// What is in a folder, sorted, but for files that are being written.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}
