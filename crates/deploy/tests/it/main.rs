//! Releases in a simulated world, and before judges that nobody of this project wrote.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends with a panic; most of these functions run inside one"
)]

mod aws;
mod circleci;
mod cli;
mod release;
mod template;

use std::path::{Path, PathBuf};

/// Does it on this thread alone.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Python that has the judges, if there is one; with `TEST_NO_SKIP` there must be.
fn python() -> Option<String> {
    let python = std::env::var("TEST_PYTHON").ok();
    assert!(
        python.is_some() || std::env::var_os("TEST_NO_SKIP").is_none(),
        "TEST_PYTHON is not set; dev/test sets it"
    );
    python
}
