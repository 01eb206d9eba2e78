//! Image layouts as one file: `oci-archive` and `docker-archive`.
//!
//! Both are a tar archive of a layout. Docker's has a `manifest.json` besides, which says in Docker's
//! own way where in the layout the parts of the image are (moby, "Docker Image Specification v1.2").

use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use oci_spec::image::MediaType;
use serde::Deserialize;
use serde_json::json;
use tar::{Archive, Builder, EntryType, Header};
use tempfile::{NamedTempFile, TempDir};

use crate::blobs::{BlobError, Blobs};
use crate::digest::{Digest, Hashing};
use crate::image::{Bundle, Image, ImageError, index, manifest};
use crate::layer::{UNDATED, plain};
use crate::layout::{self, LayoutError, VERSION, entry};

/// The largest JSON file that is read, in bytes.
const LARGEST_JSON: u64 = 4 << 20;

/// Why an archive can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It can't be written.
    #[error("{} can't be written: {reason}", .path.display())]
    Write {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// It can't be read.
    #[error("{} can't be read as an archive of an image: {reason}", .path.display())]
    Read {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Docker's kind of archive holds images, and no index of them.
    #[error(
        "{} can't hold an image for several processors: name oci-archive:FILE, or build it for one",
        .0.display()
    )]
    Several(PathBuf),
    /// See there.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// What an image is called in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    /// In an `oci-archive`, by a tag.
    Tag(Option<&'a str>),
    /// In a `docker-archive`, by a name with a tag.
    Docker(Option<&'a str>),
}

/// Writes a bundle whose layers are in a folder of blobs.
pub fn write(
    path: &Path,
    bundle: &Bundle,
    blobs: &Blobs,
    called: Called<'_>,
) -> Result<(), ArchiveError> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refuse = |reason| ArchiveError::Write { path: path.to_owned(), reason };
    let (Called::Tag(tag) | Called::Docker(tag)) = called;
    let index = index(vec![entry(bundle.top(), tag)?])?;
    let docker = match (called, bundle.images.as_slice()) {
        (Called::Tag(_), _) => None,
        (Called::Docker(name), [image]) => Some(docker_manifest(image, name).to_string()),
        (Called::Docker(_), _) => return Err(ArchiveError::Several(path.to_owned())),
    };
    let mut file = NamedTempFile::with_prefix_in(".part-", folder).map_err(refuse)?;
    let write = |out: &mut dyn Write| {
        let mut archive = Builder::new(io::BufWriter::new(out));
        let mut put =
            |name: &str, bytes: &[u8]| append(&mut archive, name, bytes.len() as u64, bytes);
        if let Some(docker) = &docker {
            put("manifest.json", docker.as_bytes())?;
        }
        put("oci-layout", VERSION.as_bytes())?;
        put("index.json", &index)?;
        for bytes in bundle.small() {
            put(&blob(Digest::of(bytes)), bytes)?;
        }
        for layer in bundle.layers() {
            let file = File::open(blobs.path(layer))?;
            append(&mut archive, &blob(layer), file.metadata()?.len(), file)?;
        }
        archive.into_inner()?.flush()
    };
    write(file.as_file_mut()).map_err(refuse)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644)).map_err(refuse)?;
    file.persist(path).map(drop).map_err(|error| refuse(error.error))
}

fn blob(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn docker_manifest(image: &Image, name: Option<&str>) -> serde_json::Value {
    let tagged = |name: &str| {
        if name.contains(':') { name.to_owned() } else { format!("{name}:latest") }
    };
    json!([{
        "Config": blob(Digest::of(&image.config)),
        "RepoTags": name.into_iter().map(tagged).collect::<Vec<_>>(),
        "Layers": image.layers.iter().map(|layer| blob(layer.digest)).collect::<Vec<_>>(),
    }])
}

fn append(
    archive: &mut Builder<impl Write>,
    name: &str,
    size: u64,
    content: impl Read,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(UNDATED);
    header.set_size(size);
    header.set_cksum();
    archive.append(&header, content)
}

/// One image in Docker's own `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    layers: Vec<String>,
}

/// Unpacks an archive into a layout in a folder of its own. One of Docker's that holds no layout is
/// made one, with a manifest that says what it says.
pub fn unpack(path: &Path) -> Result<TempDir, ArchiveError> {
    let refuse = |reason| ArchiveError::Read { path: path.to_owned(), reason };
    let folder = tempfile::tempdir().map_err(refuse)?;
    let mut archive = Archive::new(File::open(path).map_err(refuse)?);
    for entry in archive.entries().map_err(refuse)? {
        let mut entry = entry.map_err(refuse)?;
        // Links are of no use here, and could lead out.
        if matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Directory) {
            entry.unpack_in(folder.path()).map_err(refuse)?;
        }
    }
    if folder.path().join("index.json").exists() {
        return Ok(folder);
    }
    let docker = File::open(folder.path().join("manifest.json")).map_err(refuse)?;
    let images: Vec<DockerImage> = serde_json::from_reader(docker.take(LARGEST_JSON))
        .map_err(|error| refuse(io::Error::other(error)))?;
    let [image] = images.as_slice() else {
        return Err(refuse(io::Error::other(format!("it holds {} images", images.len()))));
    };
    let blobs = Blobs::open(&folder.path().join("blobs/sha256"))?;
    let (config, layers) = parts(folder.path(), &blobs, image).map_err(refuse)?;
    let manifest = manifest(&config, layers, &BTreeMap::new())?;
    for bytes in [&config, &manifest] {
        blobs.put(bytes)?;
    }
    layout::name(folder.path(), &manifest)?;
    Ok(folder)
}

type Layer = (MediaType, Digest, u64);

/// The configuration and the layers of an image, which become blobs.
fn parts(folder: &Path, blobs: &Blobs, image: &DockerImage) -> io::Result<(Vec<u8>, Vec<Layer>)> {
    let inside = |name: &str| {
        let path = plain(Path::new(name))
            .ok_or_else(|| io::Error::other(format!("{name:?} is no path inside of it")))?;
        Ok::<_, io::Error>(folder.join(path.trim_start_matches('/')))
    };
    let mut config = Vec::new();
    File::open(inside(&image.config)?)?.take(LARGEST_JSON).read_to_end(&mut config)?;
    let mut layers = Vec::new();
    for name in &image.layers {
        let path = inside(name)?;
        let mut file = File::open(&path)?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(4).read_to_end(&mut magic)?;
        let media_type = match magic.as_slice() {
            [0x1f, 0x8b, ..] => MediaType::ImageLayerGzip,
            [0x28, 0xb5, 0x2f, 0xfd] => MediaType::ImageLayerZstd,
            _ => MediaType::ImageLayer,
        };
        let mut hashing = Hashing::new(io::sink());
        io::copy(&mut magic.as_slice().chain(file), &mut hashing)?;
        let (_, digest, size) = hashing.finish();
        // The same layer may be there twice under one name.
        std::fs::copy(path, blobs.path(digest))?;
        layers.push((media_type, digest, size));
    }
    Ok((config, layers))
}
