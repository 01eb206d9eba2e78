//! What goes into an image, in which layer and why: a plain value, made before anything is written.
//!
//! Layers are ordered by how often they change, so that an ordinary change makes one small layer
//! anew: libraries and system files, then what is copied, in the order in which it is named, then
//! the program.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::closure::{self, ClosureError, Library, Root};
use crate::image::Settings;
use crate::layer::{Entries, Entry, Node, plain};

/// Where certificates of authorities are looked for, in the image as on this machine.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Who a program runs as unless somebody else is named: nobody in particular, with no rights.
const USER: &str = "65532:65532";

/// What somebody wants in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The program, on this machine.
    pub program: PathBuf,
    /// Where it goes; `/usr/local/bin/NAME` if nothing is said.
    pub place: Option<PathBuf>,
    /// Files and folders of this machine, and where they go; each is a layer of its own.
    pub copies: Vec<(PathBuf, PathBuf)>,
    /// Folders that are empty and belong to whom the program runs as.
    pub writable: Vec<PathBuf>,
    /// How it is started. Entrypoint, user, working directory and architecture are filled in where
    /// they are empty.
    pub settings: Settings,
}

/// An image that could be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// From the lowest.
    pub layers: Vec<PlannedLayer>,
    /// How it is started.
    pub settings: Settings,
}

/// One layer of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlannedLayer {
    /// What it is for.
    pub name: String,
    /// What it holds.
    pub entries: Entries,
    /// Why each file is there, by its path.
    pub reasons: BTreeMap<String, String>,
}

/// A plan for people and programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The layer.
    pub layer: String,
    /// The path in the image.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Why it is there.
    pub reason: String,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// See there.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// Something that was named, or is needed, can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Read {
        /// On this machine.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// No certificates of authorities are on this machine.
    #[error(
        "{CERTIFICATES} is not there: install ca-certificates, so that the program can check whom it \
         talks to"
    )]
    NoCertificates,
    /// A place in the image that is none.
    #[error("{} is no place in an image: write an absolute path", .0.display())]
    Place(PathBuf),
    /// Two things at one path.
    #[error("two files go to {0} in the image")]
    Twice(String),
    /// A link leads out of the folder that is copied: what is behind it was not asked for.
    #[error("{} leads to {}, which is outside of what is copied", .link.display(), .target.display())]
    Outside {
        /// The link.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Neither a file, a folder nor a link.
    #[error("{} is no file, folder or link", .0.display())]
    Odd(PathBuf),
    /// No image is for such a processor.
    #[error("{} is for a processor that no image is for", .0.display())]
    Architecture(PathBuf),
}

/// Works out what goes in. Only reads.
pub fn plan(root: &dyn Root, request: Request) -> Result<Plan, PlanError> {
    let Request { program, place, copies, writable, mut settings } = request;
    let bytes = fs::read(&program).map_err(reading(&program))?;
    let name = program.file_name().unwrap_or_default();
    let place = place.unwrap_or_else(|| Path::new("/usr/local/bin").join(name));
    let at = plain(&place).ok_or(PlanError::Place(place))?;
    let needs = closure::closure(root, Path::new(&at), &bytes)?;
    let modified = settings.created;

    if settings.user.is_empty() {
        USER.clone_into(&mut settings.user);
    }
    let mut system = libraries(root, needs.libraries, modified)?;
    for folder in writable {
        let place = plain(&folder).ok_or(PlanError::Place(folder))?;
        let owner = owner(&settings.user);
        let entry = Entry { node: Node::Folder, mode: 0o755, owner, modified };
        system.put(&place, entry, "where the program writes")?;
    }
    let mut layers = vec![system];
    for (from, to) in copies {
        layers.push(copied(&from, &to, modified)?);
    }
    let mut own = PlannedLayer { name: "program".to_owned(), ..PlannedLayer::default() };
    own.put(&at, file(Node::Bytes(bytes), 0o755, modified), "the program")?;
    layers.push(own);
    layers.retain(|layer| !layer.entries.is_empty());
    refuse_twice(&layers)?;

    let architecture = needs.machine.architecture();
    let architecture = architecture.ok_or_else(|| PlanError::Architecture(program.clone()))?;
    let or = |value: &mut String, otherwise: &str| {
        if value.is_empty() {
            otherwise.clone_into(value);
        }
    };
    or(&mut settings.architecture, architecture);
    or(&mut settings.working_dir, "/");
    if settings.entrypoint.is_empty() {
        settings.entrypoint = vec![at];
    }
    Ok(Plan { layers, settings })
}

impl Plan {
    /// Every file and link with its layer, its size and why it is there.
    pub fn listing(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for layer in &self.layers {
            for (path, entry) in layer.entries.iter() {
                let size = match &entry.node {
                    Node::Bytes(bytes) => bytes.len() as u64,
                    Node::Copy { size, .. } => *size,
                    Node::Link(_) => 0,
                    Node::Folder => continue,
                };
                let reason = layer.reasons.get(path).cloned().unwrap_or_default();
                let (layer, path) = (layer.name.clone(), path.to_owned());
                listed.push(Listed { layer, path, size, reason });
            }
        }
        listed
    }
}

impl PlannedLayer {
    fn put(&mut self, path: &str, entry: Entry, reason: &str) -> Result<(), PlanError> {
        self.reasons.insert(path.to_owned(), reason.to_owned());
        match self.entries.put(path, entry) {
            None => Ok(()),
            Some(_) => Err(PlanError::Twice(path.to_owned())),
        }
    }
}

/// The shared libraries, and what a program expects of a system.
fn libraries(
    root: &dyn Root,
    libraries: Vec<Library>,
    modified: u64,
) -> Result<PlannedLayer, PlanError> {
    let mut layer = PlannedLayer { name: "libraries".to_owned(), ..PlannedLayer::default() };
    for library in libraries {
        let bytes = root.read(&library.path).ok_or_else(|| PlanError::Read {
            path: library.path.clone(),
            reason: io::ErrorKind::NotFound.into(),
        })?;
        // The image has no cache of the loader: what was found through one goes where the loader
        // looks by itself.
        let folders = closure::default_folders(library.elf.machine);
        let is_default = library.path.parent().is_some_and(|it| folders.iter().any(|f| f == it));
        let place = match folders.first() {
            Some(first) if !library.by_own_path && !is_default => first.join(&library.name),
            _ => library.path.clone(),
        };
        let place = plain(&place).ok_or(PlanError::Place(place))?;
        let reason = format!("needed by {}", library.needed_by.display());
        layer.put(&place, file(Node::Bytes(bytes), 0o755, modified), &reason)?;
    }
    let certificates = root.read(Path::new(CERTIFICATES)).ok_or(PlanError::NoCertificates)?;
    let reason = "whom the program trusts when it talks to others";
    layer.put(CERTIFICATES, file(Node::Bytes(certificates), 0o644, modified), reason)?;
    for (path, text, reason) in [
        (
            "/etc/passwd",
            "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n",
            "names of users",
        ),
        ("/etc/group", "root:x:0:\nnonroot:x:65532:\n", "names of groups"),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
            "where names are looked up",
        ),
    ] {
        layer.put(path, file(Node::Bytes(text.into()), 0o644, modified), reason)?;
    }
    layer.put(
        "/tmp",
        Entry { node: Node::Folder, mode: 0o1777, owner: (0, 0), modified },
        "temporary files",
    )?;
    Ok(layer)
}

/// A file, or a folder with all that is in it.
fn copied(from: &Path, to: &Path, modified: u64) -> Result<PlannedLayer, PlanError> {
    let place = plain(to).ok_or_else(|| PlanError::Place(to.to_owned()))?;
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut layer = PlannedLayer { name, ..PlannedLayer::default() };
    let top = fs::canonicalize(from).map_err(reading(from))?;
    let reason = format!("copied from {}", from.display());
    copy(&mut layer, &top, &top, &place, &reason, modified)?;
    Ok(layer)
}

fn copy(
    layer: &mut PlannedLayer,
    top: &Path,
    from: &Path,
    place: &str,
    reason: &str,
    modified: u64,
) -> Result<(), PlanError> {
    let about = fs::symlink_metadata(from).map_err(reading(from))?;
    if about.is_dir() {
        let folder = Entry { node: Node::Folder, mode: 0o755, owner: (0, 0), modified };
        layer.put(place, folder, reason)?;
        let mut names = fs::read_dir(from)
            .and_then(|entries| {
                entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
            })
            .map_err(reading(from))?;
        names.sort_unstable();
        for name in names {
            let path = from.join(&name);
            let name = name.to_str().ok_or_else(|| PlanError::Odd(path.clone()))?;
            copy(layer, top, &path, &format!("{place}/{name}"), reason, modified)?;
        }
        return Ok(());
    }
    if about.is_symlink() {
        let target = fs::read_link(from).map_err(reading(from))?;
        let leads = fs::canonicalize(from).map_err(reading(from))?;
        let text = target.to_str().filter(|_| target.is_relative() && leads.starts_with(top));
        let text = text
            .ok_or_else(|| PlanError::Outside { link: from.to_owned(), target: leads.clone() })?;
        let link =
            Entry { node: Node::Link(text.to_owned()), mode: 0o777, owner: (0, 0), modified };
        return layer.put(place, link, reason);
    }
    if !about.is_file() {
        return Err(PlanError::Odd(from.to_owned()));
    }
    // Whether it is a program is a part of what it is; who may write to it here is not.
    let mode = if about.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    let node = Node::Copy { from: from.to_owned(), size: about.len() };
    layer.put(place, file(node, mode, modified), reason)
}

/// An image has each path once (image-spec, "Layer Changesets"); folders may be in several layers.
fn refuse_twice(layers: &[PlannedLayer]) -> Result<(), PlanError> {
    let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
    for (path, entry) in layers.iter().flat_map(|layer| layer.entries.iter()) {
        let folder = entry.node == Node::Folder;
        if seen.insert(path, folder).is_some_and(|before| !(before && folder)) {
            return Err(PlanError::Twice(path.to_owned()));
        }
    }
    Ok(())
}

/// The numbers of `UID[:GID]`.
fn owner(user: &str) -> (u32, u32) {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    (uid.parse().unwrap_or_default(), gid.parse().unwrap_or_default())
}

fn file(node: Node, mode: u32, modified: u64) -> Entry {
    Entry { node, mode, owner: (0, 0), modified }
}

fn reading(path: &Path) -> impl Fn(io::Error) -> PlanError + use<> {
    let path = path.to_owned();
    move |reason| PlanError::Read { path: path.clone(), reason }
}
