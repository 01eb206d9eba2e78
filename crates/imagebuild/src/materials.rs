//! What an image that was read is made of: its bill of materials.

use std::fs;
use std::path::Path;

use crate::crates::{Crate, CratesError, from_program};
use crate::digest::Digest;
use crate::dpkg::Packages;
use crate::layer::{Entry, Node};
use crate::purl;
use crate::read::Contents;
use crate::sbom::{self, File, Kind, SharedLibrary, Subject, sbom};

/// What an image is called in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called<'a> {
    /// Such as `registry.example/team/app`.
    pub name: &'a str,
    /// Its version.
    pub version: Option<String>,
    /// Seconds since 1970.
    pub created: u64,
}

/// The crates that an image's program says are in it (cargo-auditable); nothing if it does not say.
pub fn own_crates(image: &Contents) -> Result<Option<Vec<Crate>>, CratesError> {
    let program = image.settings.entrypoint.first();
    match program.and_then(|path| image.entries.get(path)).map(|entry| &entry.node) {
        Some(Node::Bytes(bytes)) if bytes.starts_with(b"\x7fELF") => from_program(bytes),
        _ => Ok(None),
    }
}

/// Writes the bill of an image with these crates. A shared library's package is told if the same
/// file is in the same place below `root`, where packages are looked up.
pub fn bill(image: &Contents, called: &Called<'_>, crates: &[Crate], root: &Path) -> Vec<u8> {
    let packages = Packages::read(root);
    let mut libraries = Vec::new();
    let mut files = Vec::new();
    for (path, entry) in image.entries.iter() {
        let Some(digest) = digest(entry) else { continue };
        let file = File { path: path.to_owned(), digest, size: entry.node.size() };
        if is_library(path, entry) {
            let here = fs::read(root.join(path.trim_start_matches('/'))).ok();
            let same = here.is_some_and(|bytes| Digest::of(&bytes) == digest);
            let package = packages.owner(Path::new(path)).filter(|_| same).cloned();
            libraries.push(SharedLibrary { file, package });
        } else {
            files.push(file);
        }
    }
    let image_digest = image.digest.parse().ok();
    let purl = |digest| purl::image(called.name, digest, &image.settings.architecture);
    let subject = Subject {
        kind: Kind::Image,
        name: called.name.to_owned(),
        version: called.version.clone(),
        purl: image_digest.map(purl),
        digest: image_digest,
        created: called.created,
    };
    let distribution = packages.distribution();
    sbom(&subject, &sbom::Contents { crates, libraries: &libraries, files: &files, distribution })
}

fn digest(entry: &Entry) -> Option<Digest> {
    match &entry.node {
        Node::Bytes(bytes) => Some(Digest::of(bytes)),
        Node::Known { digest, .. } => Some(*digest),
        Node::Folder | Node::Link(_) | Node::Copy { .. } => None,
    }
}

fn is_library(path: &str, entry: &Entry) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(&entry.node, Node::Bytes(bytes) if bytes.starts_with(b"\x7fELF"))
        && name.contains(".so")
}
