//! Releases container images to Amazon ECS.
