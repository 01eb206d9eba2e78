//! Carries a plan out: has its layers made, and puts the image together.

use std::cmp::Reverse;
use std::thread;

use serde::Serialize;

use crate::cache::{Cache, CacheError};
use crate::image::{Image, ImageError, image};
use crate::layer::Written;
use crate::plan::{Plan, PlannedLayer};

/// What happens while an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The layer of this name, which is not in the cache, is being made of so many bytes of files.
    Making(&'a str, u64),
    /// It was made, and is in the cache.
    Made(Written),
}

impl Event<'_> {
    /// The layer, if one was made.
    pub fn made(&self) -> Option<Written> {
        match self {
            Self::Making(..) => None,
            Self::Made(written) => Some(*written),
        }
    }
}

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
    /// As the runtime calls it, such as `linux/amd64`.
    pub platform: String,
    /// The image's name for ever.
    pub digest: String,
    /// What a registry stores for it, in bytes.
    pub size: u64,
    /// From the lowest, without the base's.
    pub layers: Vec<BuiltLayer>,
}

/// A layer of an image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BuiltLayer {
    /// What it is for.
    pub name: String,
    /// Of the compressed archive.
    pub digest: String,
    /// Of its files, in bytes.
    pub files: u64,
    /// Of the compressed archive, in bytes.
    pub size: u64,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// See there.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Builds the image; its layers are in the cache then. Those that are there already are looked up
/// side by side, because all that goes into them is read for it. The others are made one after the
/// other by all cores, the largest first: whoever hears of it can send it on meanwhile.
pub fn build(
    plan: &Plan,
    cache: &Cache,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<(Image, Built), BuildError> {
    let mut layers = thread::scope(|scope| {
        let find = |layer: &PlannedLayer| cache.find(&layer.entries, plan.compression);
        let found = plan.layers.iter().map(|layer| (layer, scope.spawn(move || find(layer))));
        let found: Vec<_> = found.collect();
        let found = found.into_iter().map(|(layer, found)| Ok((layer, joined(found)?)));
        found.collect::<Result<Vec<_>, CacheError>>()
    })?;
    let mut missing: Vec<_> = layers.iter_mut().filter(|(_, found)| found.is_none()).collect();
    missing.sort_by_key(|(layer, _)| Reverse(layer.entries.size()));
    for (layer, made) in missing {
        tell(Event::Making(&layer.name, layer.entries.size()));
        let written = cache.make(&layer.entries, plan.compression, threads())?;
        tell(Event::Made(written));
        *made = Some(written);
    }
    let named = |(layer, made): (&PlannedLayer, Option<Written>)| Some((layer.name.clone(), made?));
    let layers: Vec<(String, Written)> = layers.into_iter().filter_map(named).collect();
    let image = image(&plan.settings, plan.compression, plan.base.as_ref(), &layers)?;
    let layers = plan.layers.iter().zip(&layers).map(|(planned, (name, written))| BuiltLayer {
        name: name.clone(),
        digest: written.digest.to_string(),
        files: planned.entries.size(),
        size: written.size,
    });
    let built = Built {
        platform: format!("linux/{}", image.architecture),
        digest: image.digest().to_string(),
        size: image.size(),
        layers: layers.collect(),
    };
    Ok((image, built))
}

/// How many compress at a time.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What a thread gives, which ends all if it panics.
pub(crate) fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
