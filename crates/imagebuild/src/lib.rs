//! Builds slim OCI images of Rust programs, without a daemon, root or a shell.

pub mod archive;
pub mod base;
pub mod blobs;
pub mod build;
pub mod cache;
pub mod cli;
pub mod closure;
pub mod compress;
pub mod config;
pub mod diff;
pub mod digest;
pub mod elf;
pub mod files;
pub mod git;
pub mod image;
pub mod layer;
pub mod layout;
mod loader_cache;
pub mod package;
pub mod plan;
pub mod preflight;
pub mod read;
pub mod reference;
pub mod registry;
mod tree;
