//! From places and into them: layouts, archives, registries.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use indicatif::{MultiProgress, ProgressDrawTarget};
use oci_spec::image::{Descriptor, MediaType};
use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use super::{CliError, What, With, open_cache};
use crate::archive::{self, Called};
use crate::base::{Base, Lock, on};
use crate::blobs::Blobs;
use crate::build::BuildError;
use crate::cache::Cache;
use crate::crates::Crate;
use crate::digest::Digest;
use crate::elf::Elf;
use crate::image::{self, Image, descriptor};
use crate::layout::{self, Layout};
use crate::materials;
use crate::plan::Plan;
use crate::provenance::{self, Provenance, facts, provenance};
use crate::read::{self, Contents};
use crate::reference::{Place, Reference};
use crate::registry::client::{Connection, Got, Patience, RegistryError, Repository};
use crate::registry::credentials;
use crate::registry::pull::pull;
use crate::registry::push::{Parcel, Pushed, push};
use crate::registry::referrers::{Statement, attach};
use crate::sbom;

/// The ways to images.
pub(super) struct Places<'a> {
    pub(super) cache: Cache,
    with: &'a With,
    runtime: Runtime,
    bars: MultiProgress,
}

/// An image that is at hand: in a folder with `blobs/sha256`.
pub(super) struct Found {
    folder: PathBuf,
    descriptor: Descriptor,
    /// Where it was pulled from.
    from: Option<Reference>,
    _unpacked: Option<TempDir>,
}

impl Found {
    pub(super) fn read(&self) -> Contents {
        read::read(&self.folder, &self.descriptor)
    }

    pub(super) fn digest(&self) -> Result<Digest, RegistryError> {
        let digest = self.descriptor.digest().to_string();
        digest
            .parse()
            .map_err(|error| RegistryError::Answer { what: digest, why: format!("{error}") })
    }

    fn blobs(&self) -> Result<Blobs, CliError> {
        Ok(Blobs::open(&self.folder.join("blobs/sha256"))?)
    }
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

    /// Finds an image; one in a registry is pulled.
    pub(super) fn open(&self, place: &Place) -> Result<Found, CliError> {
        let architecture = self.with.platform.as_deref();
        let unpacked = |file: &Path, tag: Option<&str>| {
            let folder = archive::unpack(file)?;
            let descriptor = read::find(folder.path(), tag, architecture)?;
            let path = folder.path().to_owned();
            Ok(Found { folder: path, descriptor, from: None, _unpacked: Some(folder) })
        };
        match place {
            Place::Layout { folder, tag } => {
                let descriptor = read::find(folder, tag.as_deref(), architecture)?;
                let folder = folder.clone();
                Ok(Found { folder, descriptor, from: None, _unpacked: None })
            }
            Place::Archive { file, tag } => unpacked(file, tag.as_deref()),
            Place::DockerArchive { file, .. } => unpacked(file, None),
            Place::Registry(reference) => Ok(self.pulled(reference, architecture)?.0),
        }
    }

    /// The image, and the digest of what its name stands for.
    fn pulled(
        &self,
        reference: &Reference,
        architecture: Option<&str>,
    ) -> Result<(Found, Digest), CliError> {
        let from = self.repository(reference, None)?;
        let blobs = self.cache.blobs();
        let wanted = reference.wanted();
        let pulled = pull(&from, &wanted, architecture, blobs, &self.bars);
        let pulled = self.runtime.block_on(pulled)?;
        let manifest = &pulled.manifest;
        blobs.put(&manifest.bytes)?;
        let kind = MediaType::from(manifest.media_type.as_str());
        let descriptor = descriptor(kind, manifest.digest, manifest.bytes.len() as u64);
        let found = Found {
            folder: self.cache.folder().to_owned(),
            descriptor: descriptor.map_err(crate::build::BuildError::from)?,
            from: Some(reference.clone()),
            _unpacked: None,
        };
        Ok((found, pulled.index))
    }

    /// What an image for a program stands on, as the lock file has it, if it has it.
    pub(super) fn base(&self, name: &str, lock: &Path, program: &Path) -> Result<Base, CliError> {
        // Without a word about its kind, it is one of a registry.
        let place: Place = match name.parse() {
            Ok(place) => place,
            Err(_) => Place::Registry(name.parse()?),
        };
        let elf = std::fs::File::open(program).ok().and_then(|file| Elf::open(file).ok());
        let architecture = elf.and_then(|elf| elf.machine.architecture());
        let Place::Registry(reference) = &place else {
            let found = self.open(&place)?;
            let digest = found.digest()?;
            self.keep(&found)?;
            return Ok(on(place.to_string(), digest, found.read())?);
        };
        let mut locked = Lock::read(lock)?;
        let named = reference.to_string();
        let mut wanted = reference.clone();
        if let (false, None) = (self.with.update_base, reference.digest) {
            wanted.digest = locked.get(&named);
        }
        let (found, digest) = self.pulled(&wanted, architecture)?;
        if reference.digest.is_none() && locked.set(&named, digest) {
            locked.write(lock)?;
        }
        Ok(on(named, digest, found.read())?)
    }

    /// Takes an image's blobs into the cache, from where they go on.
    fn keep(&self, found: &Found) -> Result<(), CliError> {
        let from = found.blobs()?;
        for (_, layer) in found.read().layers {
            if !self.cache.blobs().has(layer.digest, layer.size) {
                self.cache.blobs().take(&from, layer.digest)?;
            }
        }
        Ok(())
    }

    /// Writes an image that was built to all places.
    pub(super) fn deliver(
        &self,
        image: &Image,
        base: Option<&Base>,
        places: &[Place],
    ) -> Result<Vec<Pushed>, CliError> {
        let blobs = self.cache.blobs();
        let mut layouts = Vec::new();
        let mut registries = Vec::new();
        // A folder that is something else is told before anything is written.
        for place in places {
            if let Place::Layout { folder, tag } = place {
                layouts.push((Layout::open(folder)?, tag));
            }
        }
        for (layout, tag) in layouts {
            layout.put(image, blobs, tag.as_deref())?;
        }
        for place in places {
            match place {
                Place::Layout { .. } => {}
                Place::Archive { file, tag } => {
                    archive::write(file, image, blobs, Called::Tag(tag.as_deref()))?;
                }
                Place::DockerArchive { file, name } => {
                    archive::write(file, image, blobs, Called::Docker(name.as_deref()))?;
                }
                Place::Registry(reference) => registries.push(reference.clone()),
            }
        }
        if registries.is_empty() {
            return Ok(Vec::new());
        }
        blobs.put(&image.config)?;
        let known = base.and_then(|base| base.name.parse().ok());
        let layers = base.into_iter().flat_map(|base| &base.layers);
        let layers: Vec<Digest> = layers.map(|(_, layer)| layer.digest).collect();
        self.send(&image.manifest, blobs, &registries, known.as_ref(), &layers)
    }

    /// Brings an image that was found to registries.
    pub(super) fn push(&self, found: &Found, to: &[Place]) -> Result<Vec<Pushed>, CliError> {
        let registry = |place: &Place| match place {
            Place::Registry(reference) => Ok(reference.clone()),
            other => Err(CliError::NoRegistry(other.to_string())),
        };
        let to = to.iter().map(registry).collect::<Result<Vec<_>, _>>()?;
        let blobs = found.blobs()?;
        let manifest = blobs.get(found.digest()?)?;
        let all: Vec<Digest> = match &found.from {
            Some(_) => found.read().layers.iter().map(|(_, layer)| layer.digest).collect(),
            None => Vec::new(),
        };
        self.send(&manifest, &blobs, &to, found.from.as_ref(), &all)
    }

    /// To each repository once, under all of its tags. Some blobs are known to be in another
    /// repository, from which its own registry can take them.
    fn send(
        &self,
        manifest: &[u8],
        blobs: &Blobs,
        to: &[Reference],
        known_in: Option<&Reference>,
        known: &[Digest],
    ) -> Result<Vec<Pushed>, CliError> {
        let mut repositories: BTreeMap<String, (Reference, Vec<String>)> = BTreeMap::new();
        for reference in to {
            let (_, tags) = repositories
                .entry(reference.name())
                .or_insert_with(|| (reference.clone(), Vec::new()));
            tags.extend(reference.tag.clone());
        }
        let mut all = Vec::new();
        for (reference, tags) in repositories.values() {
            let source = known_in.filter(|known| {
                known.host == reference.host && known.repository != reference.repository
            });
            let source = source.map(|known| known.repository.as_str());
            let repository = self.repository(reference, source)?;
            let elsewhere = source
                .into_iter()
                .flat_map(|name| known.iter().map(move |digest| (*digest, name.to_owned())));
            let parcel = Parcel::new(manifest, blobs, &elsewhere.collect())?;
            all.push(self.runtime.block_on(push(&repository, &parcel, tags, &self.bars))?);
        }
        Ok(all)
    }

    /// Puts beside an image in a registry what it is made of, and how it was built.
    pub(super) fn attest(
        &self,
        plan: &Plan,
        image: &Image,
        pushed: &Pushed,
        what: &What,
        crates: Option<&[Crate]>,
    ) -> Result<(), CliError> {
        let blobs = self.cache.blobs();
        blobs.put(&image.config)?;
        blobs.put(&image.manifest)?;
        let entry = layout::entry(&image.manifest, None).map_err(BuildError::from)?;
        let contents = read::read(self.cache.folder(), &entry);
        let own = materials::own_crates(&contents)?;
        let crates = own.as_deref().or(crates).ok_or(CliError::NoCrates)?;
        let version = "org.opencontainers.image.version";
        let called = materials::Called {
            name: &pushed.repository,
            version: plan.settings.annotations.get(version).cloned(),
            created: plan.settings.created,
        };
        let bill = materials::bill(&contents, &called, crates, &what.root);
        let provenance = provenance(&Provenance {
            subjects: vec![(pushed.repository.clone(), pushed.digest)],
            package: what.package.clone(),
            target: what.target.clone(),
            settings: plan.settings.clone(),
            base: plan.base.as_ref().map(|base| (base.name.clone(), base.digest)),
            lock: std::fs::read("Cargo.lock").ok().map(|bytes| Digest::of(&bytes)),
            facts: facts(Path::new("."), |name| std::env::var(name).ok()),
            ..Provenance::default()
        });
        let reference: Reference = format!("{}@{}", pushed.repository, pushed.digest).parse()?;
        let repository = self.repository(&reference, None)?;
        let subject = Got {
            bytes: image.manifest.clone(),
            media_type: MediaType::ImageManifest.to_string(),
            digest: pushed.digest,
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
