//! Releases container images to Amazon ECS, and is sure of it.

pub mod aws;
pub mod clock;
pub mod diagnose;
pub mod observed;
pub mod rollout;
pub mod task_definition;
