//! Carries a plan out: has its layers made, and puts the image together.

use std::thread;

use serde::Serialize;

use crate::cache::{Cache, CacheError};
use crate::image::{Image, ImageError, image};
use crate::layer::Written;
use crate::plan::Plan;

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
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
/// side by side, because all that goes into them is read for it.
pub fn build(plan: &Plan, cache: &Cache) -> Result<(Image, Built), BuildError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let made = thread::scope(|scope| {
        let layers =
            plan.layers.iter().map(|layer| scope.spawn(|| cache.layer(&layer.entries, threads)));
        let layers: Vec<_> = layers.collect();
        layers
            .into_iter()
            .map(|layer| match layer.join() {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect::<Result<Vec<Written>, CacheError>>()
    })?;
    let layers: Vec<(String, Written)> =
        plan.layers.iter().map(|layer| layer.name.clone()).zip(made).collect();
    let image = image(&plan.settings, plan.base.as_ref(), &layers)?;
    let layers = plan.layers.iter().zip(&layers).map(|(planned, (name, written))| BuiltLayer {
        name: name.clone(),
        digest: written.digest.to_string(),
        files: planned.entries.size(),
        size: written.size,
    });
    let built =
        Built { digest: image.digest().to_string(), size: image.size(), layers: layers.collect() };
    Ok((image, built))
}
