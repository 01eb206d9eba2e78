//! WebSockets, as clients see them.

mod client;
mod delivery;
mod ending;
mod legacy;
mod limits;
mod modern;
