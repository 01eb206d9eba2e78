//! Programs to build images of, and a small C compiler's worth of libraries.

use std::path::Path;
use std::process::Command;

/// Runs to the end, which must be a good one; gives what was printed.
#[track_caller]
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Compiles C, which the linker of every Rust toolchain can.
#[track_caller]
pub(crate) fn compile(folder: &Path, source: &str, arguments: &[&str]) {
    let file = folder.join("source.c");
    std::fs::write(&file, source).unwrap();
    succeeds(Command::new("cc").current_dir(folder).arg(&file).args(arguments));
}

/// The program that these tests are about, as one to build an image of.
pub(crate) const IMAGEBUILD: &str = env!("CARGO_BIN_EXE_imagebuild");

/// It, with a cache that no test minds sharing.
pub(crate) fn imagebuild() -> Command {
    let mut command = Command::new(IMAGEBUILD);
    command.env("IMAGEBUILD_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/imagebuild"));
    command
}

/// Whether a test can use a program; with `TEST_NO_SKIP` it must be there.
pub(crate) fn is_installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok();
    assert!(there || std::env::var_os("TEST_NO_SKIP").is_none(), "{program} is not installed");
    there
}

/// Runs to the end, which must be a bad one; gives what was said.
#[track_caller]
pub(crate) fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(!output.status.success(), "{command:?} succeeded");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The Python that has CycloneDX's library, and with it one that checks JSON schemas, if there is one; with `TEST_NO_SKIP` there must be.
pub(crate) fn python() -> Option<String> {
    let python = std::env::var("TEST_PYTHON").ok();
    assert!(
        python.is_some() || std::env::var_os("TEST_NO_SKIP").is_none(),
        "TEST_PYTHON is not set; dev/test sets it"
    );
    python
}
