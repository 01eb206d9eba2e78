//! Builds slim OCI images of Rust programs, without a daemon, root or a shell.

pub mod build;
pub mod cli;
pub mod closure;
pub mod compress;
pub mod config;
pub mod digest;
pub mod elf;
pub mod image;
pub mod layer;
pub mod layout;
mod loader_cache;
pub mod package;
pub mod plan;
pub mod preflight;
pub mod read;
