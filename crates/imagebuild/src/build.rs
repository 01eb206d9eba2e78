//! Carries a plan out: writes its layers into a layout and names the image.

use std::path::Path;
use std::thread;

use serde::Serialize;

use crate::image::{ImageError, image};
use crate::layer::{self, LayerError, Written};
use crate::layout::{Layout, LayoutError};
use crate::plan::Plan;

/// An image that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Built {
    /// The image's name for ever.
    pub digest: String,
    /// What a registry stores for it, in bytes.
    pub size: u64,
    /// From the lowest.
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
    /// No output was named.
    #[error("no place for the image was named")]
    Nowhere,
    /// See there.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// See there.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// Builds into layouts, under a tag in each. Nothing is built unless all of them can be opened.
pub fn build(plan: &Plan, outputs: &[(&Path, Option<&str>)]) -> Result<Built, BuildError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let layouts = outputs.iter().map(|(folder, _)| Layout::open(folder));
    let layouts = layouts.collect::<Result<Vec<_>, _>>()?;
    let (layout, others) = layouts.split_first().ok_or(BuildError::Nowhere)?;
    let mut layers: Vec<(String, Written)> = Vec::new();
    for layer in &plan.layers {
        let mut aside = layout.aside()?;
        let written = layer::write(&layer.entries, threads, aside.file())?;
        aside.keep(written.digest)?;
        others.iter().try_for_each(|other| other.take(layout, written.digest))?;
        layers.push((layer.name.clone(), written));
    }
    let image = image(&plan.settings, &layers)?;
    for (layout, (_, tag)) in layouts.iter().zip(outputs) {
        layout.put(&image, *tag)?;
    }
    let layers = plan.layers.iter().zip(&image.layers).map(|(planned, written)| BuiltLayer {
        name: planned.name.clone(),
        digest: written.digest.to_string(),
        files: planned.entries.size(),
        size: written.size,
    });
    Ok(Built { digest: image.digest().to_string(), size: image.size(), layers: layers.collect() })
}
