//! Releases container images to Amazon ECS, and is sure of it.

pub mod aws;
pub mod clock;
