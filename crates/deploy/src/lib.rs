//! Releases container images to Amazon ECS, and is sure of it.

pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diagnose;
pub mod ecs;
pub mod image;
pub mod logs;
pub mod observed;
pub mod orb;
mod order;
pub mod provision;
pub mod release;
pub mod rollout;
pub mod simulator;
pub mod stack;
pub mod task;
pub mod task_definition;
pub mod verify;
