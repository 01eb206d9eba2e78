//! Releases in a simulated world, and before judges that nobody of this project wrote.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends with a panic; most of these functions run inside one"
)]

mod circleci;
mod cli;
mod release;
