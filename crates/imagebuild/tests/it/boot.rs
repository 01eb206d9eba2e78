//! Images that are started before they go anywhere.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{self, compile, fails, is_installed};

/// A server that is well as soon as it has made a file, ends with 7 when it is asked to, and can't do
/// without a variable; started with an argument, it says whether it is well.
const SERVER: &str = r#"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
static void end(int signal) { _exit(signal == SIGTERM ? 7 : 8); }
int main(int count, char **arguments) {
    if (count > 1) return access("/state/ready", F_OK) != 0;
    if (!getenv("DATABASE")) { puts("there is no database"); return 3; }
    signal(SIGTERM, end);
    if (!getenv("SICK")) open("/state/ready", O_CREAT | O_WRONLY, 0600);
    for (;;) pause();
}
"#;

fn server() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), SERVER, &["-static", "-o", "server"]);
    folder
}

fn build(folder: &Path) -> Command {
    let mut command = support::imagebuild();
    command.current_dir(folder).args(["build", "--binary", "server", "--writable", "/state"]);
    command.args(["--health-check", "/usr/local/bin/server", "--health-check", "well", "--boot"]);
    command.args(["-o", "oci:layout:1"]);
    command
}

#[test]
fn what_is_well_is_delivered() {
    if !is_installed("runc") {
        return;
    }
    let folder = server();
    let started = |command: &mut Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("the image is well after"), "{said}");
        assert!(said.contains("(runc), and ended with 7 when it was asked to"), "{said}");
    };
    started(build(folder.path()).args(["--boot-env", "DATABASE=1"]));
    let verify = ["verify", "oci:layout:1", "--boot", "--boot-env", "DATABASE=1"];
    started(support::imagebuild().current_dir(folder.path()).args(verify));
}

#[test]
fn what_is_not_well_goes_nowhere() {
    if !is_installed("runc") {
        return;
    }
    let folder = server();
    let ended = fails(&mut build(folder.path()));
    assert!(ended.contains("ended by itself: exit status: 3"), "{ended}");
    assert!(ended.contains("  | there is no database"), "{ended}");
    let sick = ["--boot-env", "DATABASE=1", "--boot-env", "SICK=1", "--boot-timeout", "1"];
    let sick = fails(build(folder.path()).args(sick));
    let expected =
        "was not well after 1 s, as `/usr/local/bin/server well` says. It printed nothing";
    assert!(sick.contains(expected), "{sick}");
    assert!(!folder.path().join("layout").exists());
}
