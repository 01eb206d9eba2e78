//! Reads an image out of a layout, and notices everything about it that is not as it should be.
//!
//! Nothing that is read is trusted: every digest and size is computed again, and paths in archives
//! stay inside of the image. The files are held in memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use oci_spec::image::{
    Descriptor, ImageConfiguration, ImageIndex, ImageManifest, MediaType, SCHEMA_VERSION,
};
use tar::{Archive, EntryType};

use crate::digest::{Digest, Hashing};
use crate::image::{REF_NAME, Settings};
use crate::layer::{Entries, Entry, Node, plain};

/// The largest index, manifest or configuration that is read, in bytes.
const LARGEST_JSON: u64 = 4 << 20;
/// The largest layer that is looked into, unpacked and in bytes: its files are held in memory.
const LARGEST_LAYER: u64 = 1 << 30;
/// What marks a file of a lower layer as gone, in front of its name (image-spec, "Whiteouts").
const WHITEOUT: &str = ".wh.";
/// What marks all that lower layers have in a folder as gone.
const OPAQUE: &str = ".wh..wh..opq";

/// An image that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// As the index says.
    pub digest: String,
    /// What a registry stores for it, in bytes.
    pub size: u64,
    /// How it is started.
    pub settings: Settings,
    /// What a container sees: all layers, one over the other.
    pub entries: Entries,
    /// Everything that is not as it should be.
    pub faults: Vec<Fault>,
}

/// Something about an image that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A blob is not there, or can't be read.
    #[error("the {what} {digest} can't be read: {reason}")]
    Unreadable {
        /// What it is.
        what: String,
        /// By which it is pointed to.
        digest: String,
        /// Why.
        reason: String,
    },
    /// A blob is another one than it is said to be.
    #[error("the {what} is said to be {said}, and is {found}")]
    Differs {
        /// What it is.
        what: String,
        /// As it is pointed to.
        said: String,
        /// As it is.
        found: String,
    },
    /// A media type, a version, a number.
    #[error("{0}")]
    Form(String),
    /// An entry of a layer.
    #[error("layer {layer}: {path:?} {what}")]
    Entry {
        /// From 1.
        layer: usize,
        /// As it is written.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// Why there is no image to look at.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder is no layout, or can't be read.
    #[error("{} is no image layout that can be read: {reason}", .folder.display())]
    NoLayout {
        /// Which.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// It does not say which.
    #[error("{} has {count} images: name one of them, oci:DIR:TAG{}", .folder.display(), among(.tags))]
    Which {
        /// The layout.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// Their tags.
        tags: Vec<String>,
    },
}

fn among(tags: &[String]) -> String {
    if tags.is_empty() { String::new() } else { format!(" (there are {})", tags.join(", ")) }
}

/// Reads the image with a tag, or the only one.
pub fn read(folder: &Path, tag: Option<&str>) -> Result<Contents, ReadError> {
    let refuse = |reason: String| ReadError::NoLayout { folder: folder.to_owned(), reason };
    let index = File::open(folder.join("index.json")).map_err(|error| refuse(error.to_string()))?;
    let index: ImageIndex = serde_json::from_reader(index.take(LARGEST_JSON))
        .map_err(|error| refuse(format!("index.json: {error}")))?;
    let tag_of = |entry: &Descriptor| entry.annotations().as_ref()?.get(REF_NAME).cloned();
    let wanted = |entry: &&Descriptor| tag.is_none() || tag_of(entry).as_deref() == tag;
    let found: Vec<&Descriptor> = index.manifests().iter().filter(wanted).collect();
    let [found] = found.as_slice() else {
        let tags = index.manifests().iter().filter_map(tag_of).collect();
        return Err(ReadError::Which {
            folder: folder.to_owned(),
            count: index.manifests().len(),
            tags,
        });
    };
    let mut reader = Reader { folder, contents: Contents::default() };
    reader.image(found);
    Ok(reader.contents)
}

struct Reader<'a> {
    folder: &'a Path,
    contents: Contents,
}

impl Reader<'_> {
    fn image(&mut self, found: &Descriptor) {
        self.contents.digest = found.digest().to_string();
        self.expect("manifest", found.media_type(), &[MediaType::ImageManifest]);
        let Some(manifest) = self.json::<ImageManifest>("manifest", found) else { return };
        if manifest.schema_version() != SCHEMA_VERSION {
            let version = manifest.schema_version();
            self.fault(Fault::Form(format!("the manifest's schemaVersion is {version} and not 2")));
        }
        self.expect("configuration", manifest.config().media_type(), &[MediaType::ImageConfig]);
        let Some(config) = self.json::<ImageConfiguration>("configuration", manifest.config())
        else {
            return;
        };
        self.contents.settings = settings(&config);
        let diff_ids = config.rootfs().diff_ids();
        let (layers, ids) = (manifest.layers().len(), diff_ids.len());
        if layers != ids {
            self.fault(Fault::Form(format!("there are {layers} layers and {ids} diff_ids")));
        }
        let history = config.history().iter().flatten();
        let made = history.filter(|entry| entry.empty_layer() != Some(true)).count();
        if made > 0 && made != layers {
            self.fault(Fault::Form(format!("there are {layers} layers, and a history of {made}")));
        }
        for (number, (layer, diff_id)) in manifest.layers().iter().zip(diff_ids).enumerate() {
            let what = format!("layer {}", number + 1);
            self.expect(
                &what,
                layer.media_type(),
                &[MediaType::ImageLayerGzip, MediaType::ImageLayer],
            );
            self.layer(number + 1, &what, layer, diff_id);
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.contents.faults.push(fault);
    }

    fn expect(&mut self, what: &str, found: &MediaType, wanted: &[MediaType]) {
        if !wanted.contains(found) {
            self.fault(Fault::Form(format!("the media type of the {what} is {found}")));
        }
    }

    fn open(&mut self, what: &str, at: &Descriptor) -> Option<File> {
        self.contents.size += at.size();
        let digest = at.digest().to_string();
        let opened = match at.as_digest_sha256() {
            Some(hex) => File::open(self.folder.join("blobs/sha256").join(hex)),
            None => Err(io::Error::other("only sha256 is known here")),
        };
        let unreadable = |error: io::Error| Fault::Unreadable {
            what: what.to_owned(),
            digest,
            reason: error.to_string(),
        };
        opened.map_err(|error| self.fault(unreadable(error))).ok()
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self, what: &str, at: &Descriptor) -> Option<T> {
        let file = self.open(what, at)?;
        let mut bytes = Vec::new();
        let read =
            file.take(LARGEST_JSON).read_to_end(&mut bytes).map_err(|error| error.to_string());
        let digest = Digest::of(&bytes).to_string();
        self.compare(what, at, &digest, bytes.len() as u64);
        let parsed = read.and_then(|_| serde_json::from_slice(&bytes).map_err(|it| it.to_string()));
        let fault = |reason| Fault::Unreadable {
            what: what.to_owned(),
            digest: at.digest().to_string(),
            reason,
        };
        parsed.map_err(|reason| self.fault(fault(reason))).ok()
    }

    fn compare(&mut self, what: &str, at: &Descriptor, digest: &str, size: u64) {
        let (said, found) = (at.digest().to_string(), digest.to_owned());
        if said != found {
            self.fault(Fault::Differs { what: what.to_owned(), said, found });
        } else if at.size() != size {
            let bytes = |size: u64| format!("{size} bytes long");
            let (said, found) = (bytes(at.size()), bytes(size));
            self.fault(Fault::Differs { what: what.to_owned(), said, found });
        }
    }

    fn layer(&mut self, number: usize, what: &str, at: &Descriptor, diff_id: &str) {
        let Some(file) = self.open(what, at) else { return };
        let mut packed = Tee { inner: file, into: Hashing::new(io::sink()) };
        let (unpacked, found) = {
            let archive: Box<dyn Read + '_> = match at.media_type() {
                MediaType::ImageLayer => Box::new(&mut packed),
                _ => Box::new(MultiGzDecoder::new(&mut packed)),
            };
            let archive = archive.take(LARGEST_LAYER);
            let mut plain = Tee { inner: archive, into: Hashing::new(io::sink()) };
            let unpacked = self.unpack(number, &mut plain);
            // What stands behind the archive's end is a part of its digest.
            let rest = io::copy(&mut plain, &mut io::sink()).map(drop);
            let cut = plain.inner.limit() == 0;
            let cut =
                if cut { Err(io::Error::other("it is too large to look into")) } else { Ok(()) };
            let (_, found, _) = plain.into.finish();
            (cut.and(unpacked).and(rest), found)
        };
        let rest = io::copy(&mut packed, &mut io::sink()).map(drop);
        let (_, digest, size) = packed.into.finish();
        self.compare(what, at, &digest.to_string(), size);
        if let Err(error) = unpacked.and(rest) {
            let (what, digest) = (what.to_owned(), at.digest().to_string());
            self.fault(Fault::Unreadable { what, digest, reason: error.to_string() });
        } else if found.to_string() != diff_id {
            let (said, found) = (diff_id.to_owned(), found.to_string());
            self.fault(Fault::Differs { what: format!("archive of {what}"), said, found });
        }
    }

    fn unpack(&mut self, layer: usize, archive: &mut dyn Read) -> io::Result<()> {
        let mut own = BTreeSet::new();
        let mut archive = Archive::new(archive);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let written = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let fault = |what| Fault::Entry { layer, path: written.clone(), what };
            let Some(path) = plain(Path::new(&written)) else {
                // The root folder itself is nothing to speak of.
                if !["", ".", "./", "/"].contains(&written.as_str()) {
                    self.fault(fault("leaves the image"));
                }
                continue;
            };
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == OPAQUE {
                self.contents.entries.remove_below(folder, &own);
                continue;
            }
            if let Some(gone) = name.strip_prefix(WHITEOUT) {
                let gone = format!("{folder}/{gone}");
                self.contents.entries.remove(&gone);
                continue;
            }
            let header = entry.header();
            let kind = header.entry_type();
            let (mode, modified) = (header.mode()? & 0o7777, header.mtime()?);
            let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            let owner = (number(header.uid()?), number(header.gid()?));
            let node = match kind {
                EntryType::Directory => Node::Folder,
                EntryType::Symlink => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    Node::Link(String::from_utf8_lossy(&target).into_owned())
                }
                EntryType::Regular | EntryType::Continuous => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes)?;
                    Node::Bytes(bytes)
                }
                EntryType::Link => {
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let target = plain(Path::new(&*String::from_utf8_lossy(&target)));
                    let there = target.and_then(|path| self.contents.entries.get(&path).cloned());
                    let Some(there) = there else {
                        self.fault(fault("is a link to a file that is not there"));
                        continue;
                    };
                    there.node
                }
                _ => continue,
            };
            if !own.insert(path.clone()) {
                self.fault(fault("is there twice"));
            }
            if node != Node::Folder {
                self.contents.entries.remove(&path);
            }
            self.contents.entries.put(&path, Entry { node, mode, owner, modified });
        }
        Ok(())
    }
}

fn settings(config: &ImageConfiguration) -> Settings {
    let run = config.config().clone().unwrap_or_default();
    let mut entrypoint = run.entrypoint().clone().unwrap_or_default();
    entrypoint.extend(run.cmd().clone().unwrap_or_default());
    let working_dir = run.working_dir().clone().filter(|folder| !folder.is_empty());
    Settings {
        architecture: config.architecture().to_string(),
        entrypoint,
        env: run.env().clone().unwrap_or_default(),
        user: run.user().clone().unwrap_or_default(),
        working_dir: working_dir.unwrap_or_else(|| "/".to_owned()),
        ports: run.exposed_ports().clone().unwrap_or_default(),
        stop_signal: run.stop_signal().clone(),
        labels: run.labels().clone().unwrap_or_default().into_iter().collect(),
        ..Settings::default()
    }
}

/// Writes what is read somewhere else as well.
struct Tee<R, W> {
    inner: R,
    into: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.into.write_all(into.get(..read).unwrap_or_default())?;
        Ok(read)
    }
}
