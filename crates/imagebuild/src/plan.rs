//! What goes into an image, in which layer and why: a plain value, made before anything is written.
//!
//! Layers are ordered by how often they change, so that an ordinary change makes one small layer
//! anew: the base, libraries and system files, then what is copied, in the order in which it is
//! named, then the program. Nothing in a layer changes because time passes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Serialize;

use crate::base::Base;
use crate::build::joined;
use crate::closure::{self, ClosureError, Folder, Library, Over, Root as _};
use crate::compress::Compression;
use crate::elf::{Elf, ElfError};
use crate::files::{FilesError, Times, files, files_but};
use crate::image::Settings;
use crate::layer::{Entries, Entry, Node, UNDATED, plain};
use crate::tree::Tree;

/// Where certificates of authorities are looked for, in the image as on this machine.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where the rules of time zones are.
const TIME_ZONES: &str = "/usr/share/zoneinfo";
/// Who a program runs as unless somebody else is named: nobody in particular, with no rights.
const USER: &str = "65532:65532";

/// What somebody wants in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The program, on this machine.
    pub program: PathBuf,
    /// Where it goes; `/usr/local/bin/NAME` if nothing is said.
    pub place: Option<PathBuf>,
    /// What all of it stands on; nothing if it is from scratch.
    pub base: Option<Base>,
    /// Files and folders of this machine; each is a layer of its own.
    pub copies: Vec<Copy>,
    /// Folders that are empty and belong to whom the program runs as.
    pub writable: Vec<PathBuf>,
    /// Whether the rules of time zones go in.
    pub time_zones: bool,
    /// How its layers are compressed.
    pub compression: Compression,
    /// How it is started. Entrypoint, user, working directory and architecture are filled in where
    /// they are empty: with the base's, if it has some.
    pub settings: Settings,
}

/// Something of this machine that goes into an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// On this machine.
    pub from: PathBuf,
    /// In the image.
    pub to: PathBuf,
    /// The times of its files.
    pub times: Times,
}

/// An image that could be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What the layers stand on.
    pub base: Option<Base>,
    /// From the lowest.
    pub layers: Vec<PlannedLayer>,
    /// How they are compressed.
    pub compression: Compression,
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
    /// See there.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The program can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Read {
        /// On this machine.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The program is none.
    #[error("{} {reason}", .path.display())]
    Program {
        /// On this machine.
        path: PathBuf,
        /// What is wrong with it.
        reason: ElfError,
    },
    /// The rules of time zones are not on this machine.
    #[error("{TIME_ZONES} is not there: install tzdata")]
    NoTimeZones,
    /// The base is for another processor.
    #[error("the base image is for {base}, and {} is for {own}", .program.display())]
    BaseArchitecture {
        /// Of the base.
        base: String,
        /// Of the program.
        own: String,
        /// The program.
        program: PathBuf,
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
    /// No image is for such a processor.
    #[error("{} is for a processor that no image is for", .0.display())]
    Architecture(PathBuf),
}

/// Works out what goes in. Only reads. Libraries are taken from a root folder, where the base has
/// none.
pub fn plan(root: &Folder, request: Request) -> Result<Plan, PlanError> {
    let Request { program, place, base, copies, writable, time_zones, compression, mut settings } =
        request;
    let name = program.file_name().unwrap_or_default();
    let place = place.unwrap_or_else(|| Path::new("/usr/local/bin").join(name));
    let at = plain(&place).ok_or(PlanError::Place(place))?;
    let size = fs::metadata(&program).map_err(reading(&program))?.len();
    let elf = File::open(&program).map_err(reading(&program)).and_then(|file| {
        let refuse = |reason| PlanError::Program { path: program.clone(), reason };
        Elf::open(file).map_err(refuse)
    })?;
    let architecture = elf.machine.architecture();
    let architecture = architecture.ok_or_else(|| PlanError::Architecture(program.clone()))?;
    if settings.architecture.is_empty() {
        architecture.clone_into(&mut settings.architecture);
    }
    if let Some(base) = &base {
        base.settle(&mut settings);
        if base.settings.architecture != architecture {
            let (base, own) = (base.settings.architecture.clone(), architecture.to_owned());
            return Err(PlanError::BaseArchitecture { base, own, program });
        }
    }
    let or = |value: &mut String, otherwise: &str| {
        if value.is_empty() {
            otherwise.clone_into(value);
        }
    };
    or(&mut settings.user, USER);
    or(&mut settings.working_dir, "/");
    if settings.entrypoint.is_empty() {
        settings.entrypoint = vec![at.clone()];
    }

    let below = Tree::new(base.iter().map(|base| &base.entries));
    let needs = closure::closure(&Over(&below, root), Path::new(&at), elf)?;
    let mut system = libraries(root, &below, needs.libraries)?;
    for folder in writable {
        let place = plain(&folder).ok_or(PlanError::Place(folder))?;
        let owner = owner(&settings.user);
        let entry = Entry { node: Node::Folder, mode: 0o755, owner, modified: UNDATED };
        system.put(&place, entry, "where the program writes")?;
    }
    let mut layers = vec![system];
    if time_zones && below.find(Path::new(TIME_ZONES)).is_none() {
        let from = root.locate(Path::new(TIME_ZONES));
        if !from.is_dir() {
            return Err(PlanError::NoTimeZones);
        }
        let mut zones = PlannedLayer { name: "time zones".to_owned(), ..PlannedLayer::default() };
        // That one is this machine's own zone.
        for (path, entry) in files_but(&from, &["localtime"], Times::Content, 0)? {
            let separator = if path.is_empty() { "" } else { "/" };
            let place = format!("{TIME_ZONES}{separator}{path}");
            zones.put(&place, entry, "the rules of time zones")?;
        }
        layers.push(zones);
    }
    // Git is asked about each, which takes as long for several as for one.
    let created = settings.created;
    let copied = thread::scope(|scope| {
        let copied = copies.iter().map(|copy| scope.spawn(move || copied(copy, created)));
        let copied: Vec<_> = copied.collect();
        copied.into_iter().map(joined).collect::<Result<Vec<_>, _>>()
    })?;
    layers.extend(copied);
    let mut own = PlannedLayer { name: "program".to_owned(), ..PlannedLayer::default() };
    own.put(&at, file(Node::Copy { from: program, size }, 0o755), "the program")?;
    layers.push(own);
    for layer in &mut layers {
        layer.stand_on(&below);
    }
    layers.retain(|layer| !layer.entries.is_empty());
    refuse_twice(&layers)?;
    Ok(Plan { base, layers, compression, settings })
}

impl Plan {
    /// Every file and link with its layer, its size and why it is there.
    pub fn listing(&self) -> Vec<Listed> {
        let mut listed = Vec::new();
        for layer in &self.layers {
            for (path, entry) in layer.entries.iter() {
                let size = match &entry.node {
                    Node::Folder => continue,
                    node => node.size(),
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

    /// Over a base, an entry goes where the base's links lead, and a folder that the base has stays
    /// as it is: an entry of a layer replaces what is below it (image-spec, "Layer Changesets").
    fn stand_on(&mut self, below: &Tree<'_>) {
        let mut entries = Entries::default();
        let mut reasons = BTreeMap::new();
        for (path, entry) in self.entries.iter() {
            let (folder, name) = path.rsplit_once('/').unwrap_or_default();
            let folder = below.resolve(folder).unwrap_or_else(|| folder.to_owned());
            let place = format!("{folder}/{name}");
            let there = below.find(Path::new(&place)).is_some_and(|it| it.node == Node::Folder);
            if !(there && entry.node == Node::Folder && !self.reasons.contains_key(path)) {
                reasons.extend(self.reasons.get(path).map(|why| (place.clone(), why.clone())));
                entries.put_alone(place, entry.clone());
            }
        }
        (self.entries, self.reasons) = (entries, reasons);
    }
}

/// The shared libraries, and what a program expects of a system, where the base lacks it.
fn libraries(
    root: &Folder,
    below: &Tree<'_>,
    libraries: Vec<Library>,
) -> Result<PlannedLayer, PlanError> {
    let mut layer = PlannedLayer { name: "libraries".to_owned(), ..PlannedLayer::default() };
    let lacks = |path: &Path| below.find(path).is_none();
    for library in libraries.into_iter().filter(|library| lacks(&library.path)) {
        let from = root.locate(&library.path);
        let size = fs::metadata(&from).map_err(reading(&from))?.len();
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
        layer.put(&place, file(Node::Copy { from, size }, 0o755), &reason)?;
    }
    if lacks(Path::new(CERTIFICATES)) {
        let certificates = root.read(Path::new(CERTIFICATES)).ok_or(PlanError::NoCertificates)?;
        let reason = "whom the program trusts when it talks to others";
        layer.put(CERTIFICATES, file(Node::Bytes(certificates), 0o644), reason)?;
    }
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
        if lacks(Path::new(path)) {
            layer.put(path, file(Node::Bytes(text.into()), 0o644), reason)?;
        }
    }
    if lacks(Path::new("/tmp")) {
        let folder = Entry { node: Node::Folder, mode: 0o1777, owner: (0, 0), modified: UNDATED };
        layer.put("/tmp", folder, "temporary files")?;
    }
    Ok(layer)
}

/// A file, or a folder with all that is in it.
fn copied(copy: &Copy, created: u64) -> Result<PlannedLayer, PlanError> {
    let Copy { from, to, times } = copy;
    let place = plain(to).ok_or_else(|| PlanError::Place(to.clone()))?;
    let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut layer = PlannedLayer { name, ..PlannedLayer::default() };
    let reason = format!("copied from {}", from.display());
    for (path, entry) in files(from, *times, created)? {
        let place = if path.is_empty() { place.clone() } else { format!("{place}/{path}") };
        layer.put(&place, entry, &reason)?;
    }
    Ok(layer)
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

fn file(node: Node, mode: u32) -> Entry {
    Entry { node, mode, owner: (0, 0), modified: UNDATED }
}

fn reading(path: &Path) -> impl Fn(io::Error) -> PlanError + use<> {
    let path = path.to_owned();
    move |reason| PlanError::Read { path: path.clone(), reason }
}
