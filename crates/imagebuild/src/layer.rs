//! A layer: entries of a file system as a tar archive, compressed, with its digests.
//!
//! The bytes follow from the entries alone: sorted by path, owners and names of owners never taken
//! from this machine, POSIX headers (image-spec, "Image Layer Filesystem Changeset"; GNU tar,
//! "Reproducibility").

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::compress::{Compression, compress};
use crate::digest::{Digest, Hashing};

/// The longest path that a POSIX header holds without a prefix, in bytes.
const SHORT: usize = 100;
/// How much is read and hashed at a time, in bytes.
const BUFFER: usize = 128 << 10;
/// The time of what has none that says anything: 1980, before which some archives can't go.
pub const UNDATED: u64 = 315_532_800;
/// How much a POSIX header's size field can say, in bytes.
const LARGE: u64 = 0o77_777_777_777;

/// What a layer holds: entries by their paths in the image, absolute and plain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries(BTreeMap<String, Entry>);

/// One entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub node: Node,
    /// Permission bits.
    pub mode: u32,
    /// The numbers of the user and the group that it belongs to.
    pub owner: (u32, u32),
    /// Seconds since 1970.
    pub modified: u64,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// A file with the bytes of one on this machine, which had this size when it was planned.
    Copy {
        /// Where.
        from: PathBuf,
        /// In bytes.
        size: u64,
    },
    /// A file of which only this is known.
    Known {
        /// Of its bytes.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// A symbolic link to this path.
    Link(String),
}

impl Node {
    /// Bytes of its file.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Copy { size, .. } | Self::Known { size, .. } => *size,
            Self::Folder | Self::Link(_) => 0,
        }
    }
}

impl Entries {
    /// Puts an entry in, and the folders above it that nobody has put in. Gives what stood at its
    /// path before, if that was something else than a folder that is put in again.
    pub fn put(&mut self, path: &str, entry: Entry) -> Option<Entry> {
        for (at, _) in path.match_indices('/').skip(1) {
            let (parent, _) = path.split_at(at);
            let folder =
                Entry { node: Node::Folder, mode: 0o755, owner: (0, 0), modified: UNDATED };
            self.0.entry(parent.to_owned()).or_insert(folder);
        }
        let folder = entry.node == Node::Folder;
        self.0.insert(path.to_owned(), entry).filter(|old| !(folder && old.node == Node::Folder))
    }

    /// Puts an entry in, and nothing above it.
    pub(crate) fn put_alone(&mut self, path: String, entry: Entry) {
        self.0.insert(path, entry);
    }

    /// By path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }

    /// What is at a path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Takes away what is at a path, and all below it.
    pub(crate) fn remove(&mut self, path: &str) {
        self.0.remove(path);
        self.remove_below(path, &BTreeSet::new());
    }

    /// Takes away what is below a folder, but what is named.
    pub(crate) fn remove_below(&mut self, folder: &str, but: &BTreeSet<String>) {
        let inside =
            |path: &String| path.strip_prefix(folder).is_some_and(|it| it.starts_with('/'));
        self.0.retain(|path, _| !inside(path) || but.contains(path));
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes of its files.
    pub fn size(&self) -> u64 {
        self.0.values().map(|entry| entry.node.size()).sum()
    }

    /// Everything but the bytes of files on this machine, which are not read for it: layers with
    /// different shapes are different.
    pub(crate) fn shape(&self) -> Digest {
        let mut hashing = Hashing::new(io::sink());
        for (path, entry) in &self.0 {
            let Entry { node, mode, owner, modified } = entry;
            let node = match node {
                Node::Bytes(bytes) => format!("bytes {}", Digest::of(bytes)),
                Node::Known { digest, .. } => format!("bytes {digest}"),
                Node::Copy { size, .. } => format!("copy {size}"),
                Node::Folder => "folder".to_owned(),
                Node::Link(target) => format!("link {target:?}"),
            };
            // A sink takes everything.
            let _ = writeln!(hashing, "{path:?} {mode:o} {owner:?} {modified} {node}");
        }
        hashing.finish().1
    }
}

/// A layer that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Of the archive (`diff_id`).
    pub diff_id: Digest,
    /// Of the compressed archive.
    pub digest: Digest,
    /// Of the compressed archive, in bytes.
    pub size: u64,
}

/// Why a layer can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A file that goes into it can't be read, or has another size than when it was planned.
    #[error("{} can't be put into the image: {reason}", .path.display())]
    Source {
        /// On this machine.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The output can't be written.
    #[error("the layer can't be written: {0}")]
    Write(#[from] io::Error),
}

/// Writes a layer, compressed by so many threads. Each byte is read and hashed once.
pub fn write(
    entries: &Entries,
    compression: Compression,
    threads: usize,
    out: &mut (dyn Write + Send),
) -> Result<Written, LayerError> {
    let mut out = Hashing::new(out);
    let mut source = None;
    let diff_id = compress(compression, threads, &mut out, |into| {
        archive(entries, into).map_err(|error| match error {
            LayerError::Write(error) => error,
            error @ LayerError::Source { .. } => {
                source = Some(error);
                io::Error::other("a file could not be read")
            }
        })
    });
    if let Some(source) = source {
        return Err(source);
    }
    let diff_id = diff_id?;
    let (_, digest, size) = out.finish();
    Ok(Written { diff_id, digest, size })
}

/// Reads all that is in a layer, and gives the digest of its archive, without writing it.
pub fn diff_id(entries: &Entries) -> Result<Digest, LayerError> {
    archive(entries, &mut io::sink())
}

fn archive(entries: &Entries, out: &mut dyn Write) -> Result<Digest, LayerError> {
    let mut archive = Builder::new(BufWriter::with_capacity(BUFFER, Hashing::new(out)));
    for (path, entry) in entries.iter() {
        append(&mut archive, path, entry)?;
    }
    let hashing = archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    let (_, diff_id, _) = hashing.finish();
    Ok(diff_id)
}

fn append(archive: &mut Builder<impl Write>, path: &str, entry: &Entry) -> Result<(), LayerError> {
    let name = path.trim_start_matches('/');
    let mut header = Header::new_ustar();
    header.set_mode(entry.mode);
    header.set_uid(entry.owner.0.into());
    header.set_gid(entry.owner.1.into());
    header.set_mtime(entry.modified);
    match &entry.node {
        Node::Folder => {
            header.set_entry_type(EntryType::Directory);
            finish(archive, header, &format!("{name}/"), None, 0, io::empty())?;
        }
        Node::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            finish(archive, header, name, Some(target), 0, io::empty())?;
        }
        Node::Bytes(bytes) => {
            finish(archive, header, name, None, bytes.len() as u64, bytes.as_slice())?;
        }
        Node::Copy { from, size } => {
            let refuse = |reason| LayerError::Source { path: from.clone(), reason };
            let mut file =
                Exactly { file: File::open(from).map_err(refuse)?, left: *size, error: None };
            let buffered = io::BufReader::with_capacity(BUFFER, &mut file);
            let done = finish(archive, header, name, None, *size, buffered);
            let failed = file.error.take();
            if let Some(reason) = failed.or_else(|| file.file_has_more().err()) {
                return Err(refuse(reason));
            }
            done?;
        }
        Node::Known { .. } => {
            let reason = io::Error::other("its bytes are not at hand");
            return Err(LayerError::Source { path: path.into(), reason });
        }
    }
    Ok(())
}

/// Writes a header and what it speaks of. What does not fit a POSIX header goes into an extended
/// one in front of it.
fn finish(
    archive: &mut Builder<impl Write>,
    mut header: Header,
    name: &str,
    link: Option<&str>,
    size: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut extended: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut short = |key, text: &str| {
        if text.len() <= SHORT {
            return text.as_bytes().to_vec();
        }
        extended.push((key, text.as_bytes().to_vec()));
        // For readers that don't know extended headers.
        text.as_bytes().get(..SHORT).unwrap_or_default().to_vec()
    };
    let (name, link) = (short("path", name), link.map(|link| short("linkpath", link)));
    if size > LARGE {
        extended.push(("size", size.to_string().into_bytes()));
    }
    let fields = header.as_ustar_mut().ok_or_else(|| io::Error::other("no POSIX header"))?;
    put(&mut fields.name, &name);
    put(&mut fields.linkname, &link.unwrap_or_default());
    header.set_size(size.min(LARGE));
    header.set_cksum();
    archive.append_pax_extensions(extended.iter().map(|(key, value)| (*key, value.as_slice())))?;
    archive.append(&header, content)
}

fn put(field: &mut [u8], bytes: &[u8]) {
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// A file that must be as long as it was.
struct Exactly {
    file: File,
    left: u64,
    error: Option<io::Error>,
}

impl Exactly {
    fn file_has_more(&mut self) -> io::Result<()> {
        let mut one = [0];
        match io::Read::read(&mut self.file, &mut one)? {
            0 => Ok(()),
            _ => Err(changed()),
        }
    }
}

fn changed() -> io::Error {
    io::Error::other("it changed while the image was being built: run again")
}

impl io::Read for &mut Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let read = self.file.read(into.get_mut(..most).unwrap_or_default());
        let read = match read {
            Ok(0) if most > 0 => Err(changed()),
            read => read,
        };
        match read {
            Ok(read) => {
                self.left -= read as u64;
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.error = Some(error);
                Err(kind.into())
            }
        }
    }
}

/// A path in an image from one that a person wrote: absolute, without `.` and `//`. `None` if it
/// leaves the root or is the root itself.
pub fn plain(path: &Path) -> Option<String> {
    let mut plain = String::new();
    for component in path.components() {
        match component {
            std::path::Component::Normal(part) => {
                plain.push('/');
                plain.push_str(part.to_str()?);
            }
            std::path::Component::ParentDir => return None,
            _ => {}
        }
    }
    (!plain.is_empty()).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn file(bytes: &[u8]) -> Entry {
        Entry { node: Node::Bytes(bytes.to_vec()), mode: 0o644, owner: (0, 0), modified: 7 }
    }

    fn written(entries: &Entries) -> (Written, Vec<u8>) {
        let mut out = Vec::new();
        let written = write(entries, Compression::Gzip, 2, &mut out).unwrap();
        let mut archive = Vec::new();
        flate2::read::MultiGzDecoder::new(out.as_slice()).read_to_end(&mut archive).unwrap();
        assert_eq!((written.digest, written.size), (Digest::of(&out), out.len() as u64));
        assert_eq!(written.diff_id, Digest::of(&archive));
        (written, archive)
    }

    #[test]
    fn another_reader_finds_what_was_put_in() {
        let long = format!("/{}/{}", "folder/".repeat(30).trim_end_matches('/'), "ü".repeat(60));
        let mut entries = Entries::default();
        entries.put(&long, file(b"far down"));
        entries.put("/app/server", Entry { mode: 0o755, ..file(b"\x7fELF") });
        let link = Node::Link("x".repeat(150));
        entries.put("/app/link", Entry { node: link, mode: 0o777, owner: (0, 0), modified: 9 });
        entries.put("/tmp", Entry { node: Node::Folder, mode: 0o1777, owner: (0, 0), modified: 0 });
        let (_, archive) = written(&entries);
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name().unwrap().map(|link| link.to_string_lossy().into_owned());
            let header = entry.header();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            found.insert(path, (header.mode().unwrap(), link.unwrap_or(text)));
        }
        assert_eq!(found[&long[1..]], (0o644, "far down".to_owned()));
        assert_eq!(found["app/server"], (0o755, "\x7fELF".to_owned()));
        assert_eq!(found["app/link"], (0o777, "x".repeat(150)));
        assert_eq!(found["tmp/"].0, 0o1777);
        assert_eq!(found["app/"].0, 0o755);
    }

    /// A digest that changes here changes for everybody, and means a new format number.
    #[test]
    fn the_same_entries_are_the_same_bytes_for_ever() {
        let mut entries = Entries::default();
        entries.put("/b/c", file(b"c"));
        entries.put("/a", file(b"a"));
        let (written, _) = written(&entries);
        let golden = "sha256:d88cdc29b3779c861b5df0a24f5d13c0363d05ed50dcf2e5e1e007271e4890e3 \
             sha256:16adfbe0af99e320f454f23be4b40254b8e42996a35198d49be9aeba51a70231";
        assert_eq!(format!("{} {}", written.diff_id, written.digest), golden);
        let other = write(&entries, Compression::Zstd, 2, &mut Vec::new()).unwrap();
        assert_eq!(other.diff_id, written.diff_id);
        let golden = "sha256:52316cf9635a5591487bd6a42469c69a9086a317edd00bb0f4e46de9c011531a";
        assert_eq!(other.digest.to_string(), golden);
    }

    #[test]
    fn a_file_that_changes_meanwhile_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("index.html");
        std::fs::write(&from, "four").unwrap();
        for (size, fine) in [(4, true), (3, false), (5, false)] {
            let node = Node::Copy { from: from.clone(), size };
            let mut entries = Entries::default();
            entries.put("/index.html", Entry { node, mode: 0o644, owner: (0, 0), modified: 0 });
            match write(&entries, Compression::Gzip, 1, &mut Vec::new()) {
                Ok(_) => assert!(fine, "{size}"),
                Err(error) => {
                    assert!(!fine, "{error}");
                    let text = error.to_string();
                    assert!(
                        text.contains("index.html can't be put into the image: it changed"),
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn paths_are_plain_and_stay_inside() {
        assert_eq!(plain(Path::new("/a//b/./c/")).as_deref(), Some("/a/b/c"));
        assert_eq!(plain(Path::new("a")).as_deref(), Some("/a"));
        for outside in ["/a/../../b", "..", "/", ""] {
            assert_eq!(plain(Path::new(outside)), None, "{outside}");
        }
    }
}
