//! Compressed layers, so that what did not change is not compressed again.
//!
//! A layer is found by what it holds and by nothing else: all that goes into it is read and hashed
//! (`diff_id`), unless no layer with these paths, modes, times and sizes has ever been here.
//!
//! ```text
//! blobs/sha256/HEX                         compressed layers, and blobs of base images
//! layers/FORMAT/COMPRESSION/SHAPE/DIFF_ID  digest and size of the compressed layer
//! started/VERSION/HEX                      the images, by digest, that preflight passed
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::blobs::{BlobError, Blobs, now, replace};
use crate::compress::Compression;
use crate::digest::Digest;
use crate::image::FORMAT;
use crate::layer::{self, Entries, LayerError, Written};

/// What has not been used for longer may be removed.
const KEPT: Duration = Duration::from_hours(1);
/// How much is kept if nothing else is said, in bytes.
const ROOM: u64 = 4 << 30;

/// A folder of layers.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    blobs: Blobs,
}

/// Why a layer is neither found nor made.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// See there.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// Where the cache is if nobody says: `$XDG_CACHE_HOME/imagebuild`, else in `~/.cache` (XDG Base
/// Directory Specification); `None` without a home.
pub fn default_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let folder = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(folder.join("imagebuild"))
}

impl Cache {
    /// Opens a folder, or makes it.
    pub fn open(folder: &Path) -> Result<Self, BlobError> {
        let blobs = Blobs::open(&folder.join("blobs/sha256"))?;
        Ok(Self { folder: folder.to_owned(), blobs })
    }

    /// Where it is: in `blobs/sha256` of it are the bytes of layers.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the bytes of layers are.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn shape(&self, entries: &Entries, compression: Compression) -> PathBuf {
        let how = match compression {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        };
        self.folder.join(format!("layers/{FORMAT}/{how}/{}", entries.shape().hex()))
    }

    /// The layer, if it is here; for that it is read, unless no layer of its shape ever was here.
    pub fn find(
        &self,
        entries: &Entries,
        compression: Compression,
    ) -> Result<Option<Written>, CacheError> {
        let shape = self.shape(entries, compression);
        if !shape.exists() {
            return Ok(None);
        }
        let diff_id = layer::diff_id(entries)?;
        Ok(self.noted(&shape, diff_id))
    }

    /// What the layer has compressed, in bytes. One that is not here is compressed by so many threads
    /// for it, and goes nowhere.
    pub fn size(
        &self,
        entries: &Entries,
        compression: Compression,
        threads: usize,
    ) -> Result<u64, CacheError> {
        let found = self.find(entries, compression)?;
        let write = || layer::write(entries, compression, threads, &mut io::sink());
        Ok(found.map_or_else(write, Ok)?.size)
    }

    /// Makes the layer, compressed by so many threads.
    pub fn make(
        &self,
        entries: &Entries,
        compression: Compression,
        threads: usize,
    ) -> Result<Written, CacheError> {
        let mut aside = self.blobs.aside()?;
        let written = layer::write(entries, compression, threads, aside.file())?;
        aside.keep(written.digest)?;
        let shape = self.shape(entries, compression);
        fs::create_dir_all(&shape).map_err(BlobError::write(&shape))?;
        let line = format!("{} {}\n", written.digest, written.size);
        replace(&shape.join(written.diff_id.hex()), line.as_bytes())?;
        Ok(written)
    }

    fn noted(&self, shape: &Path, diff_id: Digest) -> Option<Written> {
        let line = fs::read_to_string(shape.join(diff_id.hex())).ok()?;
        let (digest, size) = line.trim_end().split_once(' ')?;
        let (digest, size) = (digest.parse().ok()?, size.parse().ok()?);
        if !self.blobs.has(digest, size) {
            return None;
        }
        // So that it is known to be of use; one who may only read can do without.
        let file = File::options().append(true).open(self.blobs.path(digest));
        let _ = file.and_then(|file| file.set_modified(now()));
        Some(Written { diff_id, digest, size })
    }

    /// Whether an image is known to be able to start.
    pub fn could_start(&self, image: Digest) -> bool {
        self.started().join(image.hex()).exists()
    }

    /// Remembers that nothing was found that keeps an image from starting.
    pub fn remember(&self, image: Digest) -> Result<(), BlobError> {
        let folder = self.started();
        fs::create_dir_all(&folder).map_err(BlobError::write(&folder))?;
        replace(&folder.join(image.hex()), b"")
    }

    /// What this version of the program has looked at.
    fn started(&self) -> PathBuf {
        self.folder.join("started").join(env!("CARGO_PKG_VERSION"))
    }

    /// Removes what was used least lately, until no more than 4 GiB are taken, and what runs that
    /// were killed left behind. What can't be removed stays.
    pub fn make_room(&self) {
        self.keep_at_most(ROOM);
    }

    fn keep_at_most(&self, room: u64) {
        self.blobs.sweep();
        let files = fs::read_dir(self.blobs.folder()).into_iter().flatten();
        let about = |file: fs::DirEntry| {
            let about = file.metadata().ok()?;
            Some((about.modified().ok()?, about.len(), file.path()))
        };
        let mut files: Vec<_> = files.filter_map(Result::ok).filter_map(about).collect();
        files.sort();
        let mut taken: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (used, size, path) in files {
            let unused = now().duration_since(used).unwrap_or_default();
            if taken <= room || unused < KEPT {
                return;
            }
            // Who had it half read goes on reading.
            if fs::remove_file(path).is_ok() {
                taken -= size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    use crate::layer::{Entry, Node, UNDATED};

    fn entries(file: &Path) -> Entries {
        let size = fs::metadata(file).unwrap().len();
        let node = Node::Copy { from: file.to_owned(), size };
        let mut entries = Entries::default();
        entries.put("/a", Entry { node, mode: 0o644, owner: (0, 0), modified: UNDATED });
        entries
    }

    #[test]
    fn a_layer_is_found_by_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(&folder.path().join("cache")).unwrap();
        let file = folder.path().join("file");
        let made = |text: &str| {
            fs::write(&file, text).unwrap();
            // What changes and says nothing.
            File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
            let entries = entries(&file);
            match cache.find(&entries, Compression::Gzip).unwrap() {
                Some(found) => found,
                None => cache.make(&entries, Compression::Gzip, 1).unwrap(),
            }
        };
        let one = made("one");
        assert_ne!(made("two"), one, "of the same size and time");
        // A blob that was made again would have the time of now.
        let blob = cache.blobs().path(one.digest);
        let number =
            |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let before = number(&blob);
        assert_eq!((made("one"), number(&blob)), (one, before), "found");
        fs::write(&blob, "cut").unwrap();
        assert_eq!(made("one"), one);
        assert_ne!(number(&blob), before, "made again");
    }

    #[test]
    fn what_is_used_least_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let blob = |text: &str, age: u64| {
            let digest = cache.blobs().put(text.as_bytes()).unwrap();
            let file = File::options().append(true).open(cache.blobs().path(digest)).unwrap();
            file.set_modified(now() - Duration::from_secs(age)).unwrap();
            digest
        };
        let (old, older, new) = (blob("aaaa", 7200), blob("bbbb", 9000), blob("cccc", 10));
        let there = || [old, older, new].map(|digest| cache.blobs().has(digest, 4));
        cache.keep_at_most(12);
        assert_eq!(there(), [true, true, true]);
        cache.keep_at_most(8);
        assert_eq!(there(), [true, false, true]);
        cache.keep_at_most(0);
        assert_eq!(there(), [false, false, true], "what was just used stays");
    }
}
