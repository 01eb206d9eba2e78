//! From places and into them: layouts, archives, registries.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::{MultiProgress, ProgressDrawTarget};
use oci_spec::image::MediaType;
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{CliError, Made, With, open_cache};
use crate::archive::{self, Called};
use crate::base::{Base, Lock, on};
use crate::blobs::Blobs;
use crate::build::BuildError;
use crate::cache::Cache;
use crate::crates::Crate;
use crate::digest::Digest;
use crate::image::{self, Bundle};
use crate::layer::Written;
use crate::layout::{self, Layout};
use crate::materials;
use crate::provenance::{self, Provenance, facts, provenance};
use crate::read::{self, Contents, Named, Platforms};
use crate::reference::{Place, Reference};
use crate::registry::client::{Connection, Got, Patience, RegistryError, Repository};
use crate::registry::credentials;
use crate::registry::pull::pull;
use crate::registry::push::{AT_A_TIME, How, Parcel, Part, Pushed, deliver, push};
use crate::registry::referrers::{Statement, attach};
use crate::sbom;

/// The ways to images.
pub(super) struct Places<'a> {
    pub(super) cache: Cache,
    with: &'a With,
    runtime: Runtime,
    pub(super) bars: MultiProgress,
}

/// What a name stands for, at hand: in a folder with `blobs/sha256`.
pub(super) struct Found {
    folder: PathBuf,
    named: Named,
    /// Where it was pulled from.
    from: Option<Reference>,
    _unpacked: Option<TempDir>,
}

impl Found {
    /// Its images.
    pub(super) fn read(&self) -> impl Iterator<Item = Contents> {
        self.named.images.iter().map(|image| read::read(&self.folder, image))
    }

    /// Its only image, or that for the platform that was asked for.
    pub(super) fn image(&self) -> Contents {
        self.read().next().unwrap_or_default()
    }

    pub(super) fn digest(&self) -> Result<Digest, RegistryError> {
        let digest = self.named.top.digest().to_string();
        digest
            .parse()
            .map_err(|error| RegistryError::Answer { what: digest, why: format!("{error}") })
    }

    /// In which there is `blobs/sha256`.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn blobs(&self) -> Result<Blobs, CliError> {
        Ok(Blobs::open(&self.folder.join("blobs/sha256"))?)
    }
}

/// A repository that an image goes to.
pub(super) struct Destination {
    repository: Repository,
    tags: Vec<String>,
    /// The blobs that other repositories of the registry have.
    elsewhere: BTreeMap<Digest, String>,
    /// What was sent before the image was whole.
    sent: RefCell<BTreeMap<Digest, How>>,
}

impl<'a> Places<'a> {
    pub(super) fn new(with: &'a With) -> Result<Self, CliError> {
        let cache = open_cache(with.cache.as_ref())?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let shown = std::io::stderr().is_terminal();
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Ok(Self { cache, with, runtime, bars: MultiProgress::with_draw_target(target) })
    }

    fn repository(
        &self,
        reference: &Reference,
        mounts_from: Option<&str>,
    ) -> Result<Repository, RegistryError> {
        let variable = |name: &str| std::env::var(name).ok();
        let connection = Connection {
            plain_http: self.with.plain_http,
            credential: credentials::find(&reference.host, variable)?,
            patience: Patience::default(),
        };
        Repository::new(reference, mounts_from, connection)
    }

    /// What was just built, all of it in the cache.
    pub(super) fn open_built(&self, bundle: &Bundle) -> Result<Found, CliError> {
        for bytes in bundle.small() {
            self.cache.blobs().put(bytes)?;
        }
        let entry =
            |kind, bytes: &[u8]| layout::entry((kind, bytes), None).map_err(BuildError::from);
        let (kind, top) = bundle.top();
        let images = bundle.images.iter();
        let images = images.map(|image| entry(MediaType::ImageManifest, &image.manifest));
        let named = Named { top: entry(kind, top)?, images: images.collect::<Result<_, _>>()? };
        Ok(Found { folder: self.cache.folder().to_owned(), named, from: None, _unpacked: None })
    }

    /// Finds an image for the platform that was asked for, else for this one; what is in a registry
    /// is pulled.
    pub(super) fn open(&self, place: &Place) -> Result<Found, CliError> {
        self.found(place, self.with.platform.as_deref().map_or(Platforms::This, Platforms::One))
    }

    /// Finds an image with all of its platforms, unless one was asked for.
    pub(super) fn open_whole(&self, place: &Place) -> Result<Found, CliError> {
        self.found(place, self.with.platform.as_deref().map_or(Platforms::All, Platforms::One))
    }

    fn found(&self, place: &Place, platforms: Platforms<'_>) -> Result<Found, CliError> {
        let unpacked = |file: &Path, tag: Option<&str>| {
            let folder = archive::unpack(file)?;
            let named = read::find(folder.path(), tag, platforms)?;
            let path = folder.path().to_owned();
            Ok(Found { folder: path, named, from: None, _unpacked: Some(folder) })
        };
        match place {
            Place::Layout { folder, tag } => {
                let named = read::find(folder, tag.as_deref(), platforms)?;
                Ok(Found { folder: folder.clone(), named, from: None, _unpacked: None })
            }
            Place::Archive { file, tag } => unpacked(file, tag.as_deref()),
            Place::DockerArchive { file, .. } => unpacked(file, None),
            Place::Registry(reference) => self.pulled(reference, platforms),
        }
    }

    fn pulled(&self, reference: &Reference, platforms: Platforms<'_>) -> Result<Found, CliError> {
        let from = self.repository(reference, None)?;
        let wanted = reference.wanted();
        let pulled = pull(&from, &wanted, platforms, self.cache.blobs(), &self.bars);
        let named = self.runtime.block_on(pulled)?;
        let (folder, from) = (self.cache.folder().to_owned(), Some(reference.clone()));
        Ok(Found { folder, named, from, _unpacked: None })
    }

    /// What an image for an architecture stands on, as the lock file has it, if it has it.
    pub(super) fn base(
        &self,
        name: &str,
        lock: &Path,
        architecture: Option<&str>,
    ) -> Result<Base, CliError> {
        // Without a word about its kind, it is one of a registry.
        let place: Place = match name.parse() {
            Ok(place) => place,
            Err(_) => Place::Registry(name.parse()?),
        };
        let platforms = architecture.map_or(Platforms::This, Platforms::One);
        let Place::Registry(reference) = &place else {
            let found = self.found(&place, platforms)?;
            let digest = found.digest()?;
            self.keep(&found)?;
            return Ok(on(place.to_string(), digest, found.image())?);
        };
        let mut locked = Lock::read(lock)?;
        let named = reference.to_string();
        let mut wanted = reference.clone();
        if let (false, None) = (self.with.update_base, reference.digest) {
            wanted.digest = locked.get(&named);
        }
        let found = self.pulled(&wanted, platforms)?;
        let digest = found.digest()?;
        if reference.digest.is_none() && locked.set(&named, digest) {
            locked.write(lock)?;
        }
        Ok(on(named, digest, found.image())?)
    }

    /// Takes an image's blobs into the cache, from where they go on.
    fn keep(&self, found: &Found) -> Result<(), CliError> {
        let from = found.blobs()?;
        for (_, layer) in found.image().layers {
            if !self.cache.blobs().has(layer.digest, layer.size) {
                self.cache.blobs().take(&from, layer.digest)?;
            }
        }
        Ok(())
    }

    /// The repositories among places, each once, with all tags that it gets. Blobs that are known to
    /// be in another repository can be taken from there by its own registry.
    pub(super) fn destinations(
        &self,
        places: &[Place],
        known_in: Option<&Reference>,
        known: &[Digest],
    ) -> Result<Vec<Destination>, CliError> {
        let mut repositories: BTreeMap<String, (&Reference, Vec<String>)> = BTreeMap::new();
        for place in places {
            let Place::Registry(reference) = place else { continue };
            let (_, tags) = repositories.entry(reference.name()).or_insert((reference, Vec::new()));
            tags.extend(reference.tag.clone());
        }
        let destination = |(reference, tags): (&Reference, Vec<String>)| {
            let source = known_in.filter(|known| {
                known.host == reference.host && known.repository != reference.repository
            });
            let source = source.map(|known| known.repository.as_str());
            let repository = self.repository(reference, source)?;
            let elsewhere = source
                .into_iter()
                .flat_map(|name| known.iter().map(move |digest| (*digest, name.to_owned())));
            let elsewhere = elsewhere.collect();
            Ok(Destination { repository, tags, elsewhere, sent: RefCell::default() })
        };
        repositories.into_values().map(destination).collect()
    }

    /// Sends layers as soon as they are there, until there are no more.
    pub(super) fn send_early<'b>(
        &'b self,
        to: &'b [Destination],
        mut layers: UnboundedReceiver<Written>,
    ) -> Result<(), RegistryError> {
        let blobs = self.cache.blobs();
        let send = |(to, layer): (&'b Destination, Written)| async move {
            let Written { digest, size, .. } = layer;
            let path = blobs.path(digest);
            let part = Part { digest, size, path, mount_from: None, done: None };
            let sent = deliver(&to.repository, &part, &self.bars).await?;
            to.sent.borrow_mut().insert(digest, sent.how);
            Ok(())
        };
        let layers = stream::poll_fn(move |context| layers.poll_recv(context));
        let each = layers.flat_map(|layer| stream::iter(to.iter().map(move |to| (to, layer))));
        self.runtime.block_on(each.map(send).buffer_unordered(AT_A_TIME).try_collect())
    }

    /// Writes a bundle that was built to all places.
    pub(super) fn deliver(
        &self,
        bundle: &Bundle,
        places: &[Place],
        to: &[Destination],
    ) -> Result<Vec<Pushed>, CliError> {
        let blobs = self.cache.blobs();
        let mut layouts = Vec::new();
        // A folder that is something else is told before anything is written.
        for place in places {
            if let Place::Layout { folder, tag } = place {
                layouts.push((Layout::open(folder)?, tag));
            }
        }
        for (layout, tag) in layouts {
            layout.put(bundle, blobs, tag.as_deref())?;
        }
        for place in places {
            match place {
                Place::Archive { file, tag } => {
                    archive::write(file, bundle, blobs, Called::Tag(tag.as_deref()))?;
                }
                Place::DockerArchive { file, name } => {
                    archive::write(file, bundle, blobs, Called::Docker(name.as_deref()))?;
                }
                Place::Layout { .. } | Place::Registry(_) => {}
            }
        }
        if to.is_empty() {
            return Ok(Vec::new());
        }
        for bytes in bundle.small() {
            blobs.put(bytes)?;
        }
        let (kind, manifest) = bundle.top();
        self.send(&kind, manifest, blobs, to)
    }

    /// Brings what was found to registries.
    pub(super) fn push(&self, found: &Found, to: &[Place]) -> Result<Vec<Pushed>, CliError> {
        if let Some(other) = to.iter().find(|place| !matches!(place, Place::Registry(_))) {
            return Err(CliError::NoRegistry(other.to_string()));
        }
        let blobs = found.blobs()?;
        // Of an index, one image may have been asked for.
        let wanted = match (&self.with.platform, found.named.images.as_slice()) {
            (Some(_), [image]) => image,
            _ => &found.named.top,
        };
        let digest = wanted.digest().to_string().parse();
        let manifest = blobs.get(digest.unwrap_or(found.digest()?))?;
        let kind = wanted.media_type();
        let mut parcel = Parcel::new(kind, &manifest, &blobs, &BTreeMap::new())?;
        let known: Vec<Digest> = match &found.from {
            Some(_) => parcel.parts().map(|part| part.digest).collect(),
            None => Vec::new(),
        };
        let to = self.destinations(to, found.from.as_ref(), &known)?;
        self.send(kind, &manifest, &blobs, &to)
    }

    fn send(
        &self,
        kind: &MediaType,
        manifest: &[u8],
        blobs: &Blobs,
        to: &[Destination],
    ) -> Result<Vec<Pushed>, CliError> {
        let send = |to: &Destination| {
            let mut parcel = Parcel::new(kind, manifest, blobs, &to.elsewhere)?;
            for part in parcel.parts() {
                part.done = to.sent.borrow().get(&part.digest).copied();
            }
            let push = push(&to.repository, &parcel, &to.tags, &self.bars);
            Ok(self.runtime.block_on(push)?)
        };
        to.iter().map(send).collect()
    }

    /// Puts beside an image in a registry what it is made of, and how it was built.
    pub(super) fn attest(
        &self,
        made: &Made,
        pushed: &Pushed,
        package: Option<&str>,
        crates: Option<&[Crate]>,
    ) -> Result<(), CliError> {
        let Made { wanted, plan, image, .. } = made;
        let blobs = self.cache.blobs();
        let top = (MediaType::ImageManifest, image.manifest.as_slice());
        let entry = layout::entry(top, None).map_err(BuildError::from)?;
        let contents = read::read(self.cache.folder(), &entry);
        let own = materials::own_crates(&contents)?;
        let crates = own.as_deref().or(crates).ok_or(CliError::NoCrates)?;
        let version = "org.opencontainers.image.version";
        let called = materials::Called {
            name: &pushed.repository,
            version: plan.settings.annotations.get(version).cloned(),
            created: plan.settings.created,
        };
        let bill = materials::bill(&contents, &called, crates, &wanted.root);
        let provenance = provenance(&Provenance {
            subjects: vec![(pushed.repository.clone(), image.digest())],
            package: package.map(ToOwned::to_owned),
            target: wanted.target.clone(),
            settings: plan.settings.clone(),
            base: plan.base.as_ref().map(|base| (base.name.clone(), base.digest)),
            lock: std::fs::read("Cargo.lock").ok().map(|bytes| Digest::of(&bytes)),
            facts: facts(Path::new("."), |name| std::env::var(name).ok()),
            ..Provenance::default()
        });
        let reference: Reference = format!("{}@{}", pushed.repository, image.digest()).parse()?;
        let repository = self.repository(&reference, None)?;
        let subject = Got {
            bytes: image.manifest.clone(),
            media_type: MediaType::ImageManifest.to_string(),
            digest: image.digest(),
        };
        let created = [("org.opencontainers.image.created", image::time(plan.settings.created))];
        let created = created.each_ref().map(|(key, value)| (*key, value.as_str()));
        let predicate = [created[0], ("in-toto.io/predicate-type", provenance::PREDICATE_TYPE)];
        for statement in [
            Statement { kind: sbom::MEDIA_TYPE, annotations: &created, bytes: &bill },
            Statement { kind: provenance::MEDIA_TYPE, annotations: &predicate, bytes: &provenance },
        ] {
            let attach = attach(&repository, &subject, &statement, blobs, &self.bars);
            self.runtime.block_on(attach)?;
        }
        Ok(())
    }
}
