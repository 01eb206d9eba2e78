//! Images built of real programs, and judged by others' programs.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends with a panic; most of these functions run inside one"
)]

mod boot;
mod closure;
mod docker_registry;
mod foreign;
mod graphbook;
mod image;
mod package;
mod platforms;
mod provenance;
mod registry;
mod sbom;
mod support;
mod verify;
