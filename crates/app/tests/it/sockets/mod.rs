//! WebSockets, as clients see them.

mod between_processes;
mod client;
mod delivery;
mod ending;
mod legacy;
mod limits;
mod modern;
