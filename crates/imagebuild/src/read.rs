//! Reads an image out of a layout, and notices everything about it that is not as it should be.
//!
//! Nothing that is read is trusted: every digest and size is computed again, and paths in archives
//! stay inside of the image. Of files only those are held in memory that something is looked for in:
//! programs, libraries and small ones.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use oci_spec::image::{
    Descriptor, History, ImageConfiguration, ImageIndex, ImageManifest, MediaType, SCHEMA_VERSION,
    ToDockerV2S2 as _,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tar::{Archive, EntryType};

use crate::digest::{Digest, Hashing};
use crate::image::{REF_NAME, Settings};
use crate::layer::{Entries, Entry, Node, Written, plain};

/// The largest index, manifest or configuration that is read, in bytes.
const LARGEST_JSON: u64 = 4 << 20;
/// The largest layer that is looked into, unpacked and in bytes.
const LARGEST_LAYER: u64 = 64 << 30;
/// Files up to this size are held in memory whatever they are, in bytes.
const SMALL: u64 = 256 << 10;
/// How much of programs and libraries is held in memory at most, in bytes.
const MOST: u64 = 1 << 30;
/// What marks a file of a lower layer as gone, in front of its name (image-spec, "Whiteouts").
pub(crate) const WHITEOUT: &str = ".wh.";
/// What marks all that lower layers have in a folder as gone.
pub(crate) const OPAQUE: &str = ".wh..wh..opq";

/// An image that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// As the index says.
    pub digest: String,
    /// What a registry stores for it, in bytes.
    pub size: u64,
    /// Its manifest, as it is written.
    pub manifest: Vec<u8>,
    /// What is said of how it came to be.
    pub history: Vec<History>,
    /// Its layers, from the lowest, as the manifest and the configuration say.
    pub layers: Vec<(MediaType, Written)>,
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
    /// It is for other processors.
    #[error("the image is for {}, and not for {wanted}: say which with --platform", .known.join(", "))]
    Platform {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: Vec<String>,
    },
}

fn among(tags: &[String]) -> String {
    if tags.is_empty() { String::new() } else { format!(" (there are {})", tags.join(", ")) }
}

/// Which images of an index are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platforms<'a> {
    /// That for this machine's processor.
    This,
    /// That for an architecture, as Go calls it.
    One(&'a str),
    /// Each of them.
    All,
}

/// What a name stands for, and the images that are meant by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// An index of images for several processors, or an image's manifest.
    pub top: Descriptor,
    /// Of an index, those that were asked for; else the image itself.
    pub images: Vec<Descriptor>,
}

/// What a layout has under a tag, or its only image.
pub fn find(
    folder: &Path,
    tag: Option<&str>,
    platforms: Platforms<'_>,
) -> Result<Named, ReadError> {
    let refuse = |reason: String| ReadError::NoLayout { folder: folder.to_owned(), reason };
    let json = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().display().to_string();
        let file = File::open(path).map_err(|error| refuse(format!("{name}: {error}")))?;
        serde_json::from_reader::<_, ImageIndex>(file.take(LARGEST_JSON))
            .map_err(|error| refuse(format!("{name}: {error}")))
    };
    let index = json(folder.join("index.json"))?;
    let tag_of = |entry: &Descriptor| entry.annotations().as_ref()?.get(REF_NAME).cloned();
    // What is said of images is no image (image-spec, "Guidelines for Artifact Usage").
    let is_image = |entry: &&Descriptor| entry.artifact_type().is_none();
    let wanted = |entry: &&Descriptor| tag.is_none() || tag_of(entry).as_deref() == tag;
    let images: Vec<&Descriptor> = index.manifests().iter().filter(is_image).collect();
    let found: Vec<&Descriptor> = images.iter().copied().filter(|it| wanted(it)).collect();
    let [found] = found.as_slice() else {
        let tags = images.iter().copied().filter_map(tag_of).collect();
        return Err(ReadError::Which { folder: folder.to_owned(), count: images.len(), tags });
    };
    let top = (*found).clone();
    if in_oci(top.media_type()) != MediaType::ImageIndex {
        return Ok(Named { images: vec![top.clone()], top });
    }
    let hex = top.as_digest_sha256().unwrap_or_default();
    let index = json(folder.join("blobs/sha256").join(hex))?;
    let images = of_index(index.manifests(), platforms)?.into_iter().cloned().collect();
    Ok(Named { top, images })
}

/// Reads the image that is pointed to, in a folder with `blobs/sha256`.
pub fn read(folder: &Path, found: &Descriptor) -> Contents {
    let mut reader = Reader { folder, contents: Contents::default(), held: 0 };
    reader.image(found);
    reader.contents
}

/// The images of an index that are meant. What has no platform, or one that nobody knows, is
/// something that is said of an image (attestations of `BuildKit`).
pub(crate) fn of_index<'a>(
    images: &'a [Descriptor],
    platforms: Platforms<'_>,
) -> Result<Vec<&'a Descriptor>, ReadError> {
    let platform = |image: &Descriptor| {
        let architecture = image.platform().as_ref().map(|it| it.architecture().to_string());
        architecture.filter(|it| it != "unknown")
    };
    let wanted = match (platforms, std::env::consts::ARCH) {
        (Platforms::All, _) => {
            return Ok(images.iter().filter(|image| platform(image).is_some()).collect());
        }
        (Platforms::One(wanted), _) => wanted,
        (Platforms::This, "x86_64") => "amd64",
        (Platforms::This, "aarch64") => "arm64",
        (Platforms::This, other) => other,
    };
    let found = images.iter().find(|image| platform(image).as_deref() == Some(wanted));
    let known = images.iter().filter_map(platform).collect();
    let refuse = || ReadError::Platform { wanted: wanted.to_owned(), known };
    found.map(|image| vec![image]).ok_or_else(refuse)
}

struct Reader<'a> {
    folder: &'a Path,
    contents: Contents,
    /// Bytes of programs and libraries in memory.
    held: u64,
}

impl Reader<'_> {
    fn image(&mut self, found: &Descriptor) {
        self.contents.digest = found.digest().to_string();
        self.expect("manifest", found.media_type(), &[MediaType::ImageManifest]);
        let Some(bytes) = self.bytes("manifest", found) else { return };
        let Some(manifest) = self.parse::<ImageManifest>("manifest", found, &bytes) else { return };
        self.contents.manifest = bytes;
        if manifest.schema_version() != SCHEMA_VERSION {
            let version = manifest.schema_version();
            self.fault(Fault::Form(format!("the manifest's schemaVersion is {version} and not 2")));
        }
        self.expect("configuration", manifest.config().media_type(), &[MediaType::ImageConfig]);
        let at = manifest.config();
        let Some(bytes) = self.bytes("configuration", at) else { return };
        let Some(config) = self.parse::<ImageConfiguration>("configuration", at, &bytes) else {
            return;
        };
        self.contents.settings =
            Settings { health_check: health_check(&bytes), ..settings(&config) };
        self.contents.history = config.history().clone().unwrap_or_default();
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
            let known =
                [MediaType::ImageLayerGzip, MediaType::ImageLayerZstd, MediaType::ImageLayer];
            self.expect(&what, layer.media_type(), &known);
            if let (Ok(digest), Ok(diff_id)) = (layer.digest().to_string().parse(), diff_id.parse())
            {
                let written = Written { diff_id, digest, size: layer.size() };
                self.contents.layers.push((in_oci(layer.media_type()), written));
            }
            self.layer(number + 1, &what, layer, diff_id);
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.contents.faults.push(fault);
    }

    fn expect(&mut self, what: &str, found: &MediaType, wanted: &[MediaType]) {
        if !wanted.contains(&in_oci(found)) {
            self.fault(Fault::Form(format!("the media type of the {what} is {found}")));
        }
    }

    fn open(&mut self, what: &str, at: &Descriptor) -> Option<File> {
        self.contents.size += at.size();
        let opened = match at.as_digest_sha256() {
            Some(hex) => File::open(self.folder.join("blobs/sha256").join(hex)),
            None => Err(io::Error::other("only sha256 is known here")),
        };
        opened.map_err(|error| self.unreadable(what, at, error.to_string())).ok()
    }

    fn bytes(&mut self, what: &str, at: &Descriptor) -> Option<Vec<u8>> {
        let file = self.open(what, at)?;
        let mut bytes = Vec::new();
        let read = file.take(LARGEST_JSON).read_to_end(&mut bytes);
        if let Err(error) = read {
            self.unreadable(what, at, error.to_string());
            return None;
        }
        let digest = Digest::of(&bytes).to_string();
        self.compare(what, at, &digest, bytes.len() as u64);
        Some(bytes)
    }

    fn parse<T: DeserializeOwned>(
        &mut self,
        what: &str,
        at: &Descriptor,
        bytes: &[u8],
    ) -> Option<T> {
        let parsed = serde_json::from_slice(bytes);
        parsed.map_err(|error| self.unreadable(what, at, error.to_string())).ok()
    }

    fn unreadable(&mut self, what: &str, at: &Descriptor, reason: String) {
        let (what, digest) = (what.to_owned(), at.digest().to_string());
        self.fault(Fault::Unreadable { what, digest, reason });
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
            let archive = match unpacked(at.media_type(), &mut packed) {
                Ok(archive) => archive,
                Err(error) => return self.unreadable(what, at, error.to_string()),
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
            self.unreadable(what, at, error.to_string());
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
                    let size = entry.size();
                    self.file(&mut entry, size)?
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

impl Reader<'_> {
    fn file(&mut self, mut from: impl Read, size: u64) -> io::Result<Node> {
        let mut start = Vec::new();
        from.by_ref().take(4).read_to_end(&mut start)?;
        if size <= SMALL || (start == b"\x7fELF" && self.held + size <= MOST) {
            let mut bytes = start;
            from.read_to_end(&mut bytes)?;
            self.held += if size <= SMALL { 0 } else { size };
            return Ok(Node::Bytes(bytes));
        }
        let mut hashing = Hashing::new(io::sink());
        io::copy(&mut start.as_slice().chain(from), &mut hashing)?;
        let (_, digest, size) = hashing.finish();
        Ok(Node::Known { digest, size })
    }
}

/// What a layer of this kind holds.
pub(crate) fn unpacked<'a>(
    kind: &MediaType,
    packed: impl Read + 'a,
) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match in_oci(kind) {
        MediaType::ImageLayer => Box::new(packed),
        MediaType::ImageLayerZstd => Box::new(zstd::Decoder::new(packed)?),
        _ => Box::new(MultiGzDecoder::new(packed)),
    })
}

/// What Docker's own part of a configuration says (moby, "Docker Image Specification v1.2").
fn health_check(config: &[u8]) -> Vec<String> {
    let config: Value = serde_json::from_slice(config).unwrap_or_default();
    let test = config.pointer("/config/Healthcheck/Test").cloned().unwrap_or_default();
    let test: Vec<String> = serde_json::from_value(test).unwrap_or_default();
    match test.split_first() {
        Some((kind, arguments)) if kind == "CMD" => arguments.to_vec(),
        Some((kind, [shell, ..])) if kind == "CMD-SHELL" => {
            ["/bin/sh", "-c", shell].map(ToOwned::to_owned).to_vec()
        }
        _ => Vec::new(),
    }
}

/// As the specification calls what Docker calls otherwise; the bytes are of the same kind.
pub(crate) fn in_oci(found: &MediaType) -> MediaType {
    let same = |kind: &MediaType| kind.to_docker_v2s2().is_ok_and(|it| it == found.to_string());
    let kinds = [
        MediaType::ImageIndex,
        MediaType::ImageManifest,
        MediaType::ImageConfig,
        MediaType::ImageLayerGzip,
    ];
    kinds.into_iter().find(same).unwrap_or_else(|| found.clone())
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
