//! Releases in a simulated world, and before judges that nobody of this project wrote.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends with a panic; most of these functions run inside one"
)]

mod aws;
mod circleci;
mod cli;
#[path = "../../../imagebuild/tests/it/docker_registry.rs"]
mod docker_registry;
mod foreign;
mod models;
mod provision;
mod release;
mod template;

use std::path::{Path, PathBuf};
use std::process::Command;

use imagebuild::build::build;
use imagebuild::cache::Cache;
use imagebuild::closure::Folder;
use imagebuild::image::Bundle;
use imagebuild::layout::Layout;
use imagebuild::plan::{Request, plan};

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

/// Whether a program is there; with `TEST_NO_SKIP` it must be.
fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("TEST_NO_SKIP").is_none(), "{program} is not installed");
    there
}

/// An image that could start, in a folder: how to name it, and its digest.
fn image(folder: &Path) -> (String, String) {
    std::fs::write(folder.join("server.c"), "void _start(void) { for (;;); }").unwrap();
    let mut compile = Command::new("cc");
    compile.current_dir(folder).args(["-static", "-nostdlib", "-o", "server", "server.c"]);
    assert!(compile.status().unwrap().success());
    let request = Request { program: folder.join("server"), ..Request::default() };
    let cache = Cache::open(&folder.join("cache")).unwrap();
    let plan = plan(&Folder("/".into()), request).unwrap();
    let (image, _) = build(&plan, &cache, &mut |_| {}).unwrap();
    let digest = image.digest().to_string();
    let layout = Layout::open(&folder.join("image")).unwrap();
    layout.put(&Bundle::new(vec![image]).unwrap(), cache.blobs(), Some("1")).unwrap();
    (format!("oci:{}:1", folder.join("image").display()), digest)
}
