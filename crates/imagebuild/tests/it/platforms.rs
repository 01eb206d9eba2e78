//! One image for several kinds of processors, and its other compression.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::registry::{Served, count, received};
use crate::support::{self, compile, fails, is_installed, succeeds};
use imagebuild::digest::Digest;
use imagebuild::registry::server::personality::Personality;

/// Where an ELF header says which processor it is for (ELF, `e_machine`), and what stands for arm64.
const MACHINE: usize = 18;
const ARM64: u8 = 183;

/// A folder with a program for this machine, and one that says it is for another: nobody starts it.
fn programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = "void _start(void) { for (;;); }";
    compile(folder.path(), source, &["-static", "-nostdlib", "-o", "here"]);
    let mut program = std::fs::read(folder.path().join("here")).unwrap();
    assert_ne!(program[MACHINE], ARM64, "these tests are for machines of another kind");
    program[MACHINE] = ARM64;
    std::fs::write(folder.path().join("there"), program).unwrap();
    folder
}

fn build(folder: &Path) -> Command {
    let mut command = support::imagebuild();
    command.current_dir(folder).env("SOURCE_DATE_EPOCH", "1700000000");
    command.args(["build", "--json", "--place", "/server", "--binary", "here"]);
    command
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn several_programs_are_one_image() {
    let served = Served::new(Personality::plain());
    let folder = programs();
    let place = served.reference("several:1");
    let both = || {
        let mut command = build(folder.path());
        json(&succeeds(command.args(["--binary", "there", "-o", &place, "-o", "oci:layout:1"])))
    };
    let built = both();
    let platforms: Vec<&str> = built["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["platform"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let pushed = served.registry.manifest("several", "1").unwrap();
    assert_eq!(Digest::of(&pushed).to_string(), built["digest"]);

    served.requests();
    assert_eq!(both()["pushed"][0]["unchanged"], true);
    assert_eq!(served.requests().len(), 1, "nothing changed");

    // All of it goes on, from both, and each platform can be taken out of it.
    let to = served.reference("again:1");
    for from in ["oci:layout:1", &place] {
        let mut push = support::imagebuild();
        let pushed = succeeds(push.current_dir(folder.path()).args(["push", from, &to, "--json"]));
        assert_eq!(json(&pushed)[0]["digest"], built["digest"]);
    }
    let verified = succeeds(support::imagebuild().args(["verify", &to]));
    assert!(verified.contains("linux/amd64") && verified.contains("linux/arm64"), "{verified}");
    let mut inspect = support::imagebuild();
    let inspect = inspect.args(["inspect", &to, "--platform", "linux/arm64", "--json"]);
    assert_eq!(json(&succeeds(inspect))["digest"], built["images"][1]["digest"]);

    if is_installed("skopeo") {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--all", "--src-tls-verify=false", &to]);
        succeeds(skopeo.arg(format!("oci:{}/copied:1", folder.path().display())));
        let index = std::fs::read_to_string(folder.path().join("copied/index.json")).unwrap();
        assert_eq!(json(&index)["manifests"][0]["digest"], built["digest"]);
    }
}

#[test]
fn one_image_is_not_for_one_platform_twice() {
    let folder = programs();
    let twice = fails(build(folder.path()).args(["--binary", "here", "-o", "oci:layout"]));
    assert!(twice.contains("two programs are for"), "{twice}");
    let docker = ["--binary", "there", "-o", "docker-archive:file"];
    let docker = fails(build(folder.path()).args(docker));
    assert!(docker.contains("file can't hold an image for several processors"), "{docker}");
    assert!(!folder.path().join("layout").exists() && !folder.path().join("file").exists());
}

/// What another program makes of it is what it was.
#[test]
fn zstd_is_understood_by_others_and_by_us() {
    let folder = programs();
    let text = succeeds(build(folder.path()).args(["--compression", "zstd", "-o", "oci:layout:1"]));
    let built = json(&text);
    let verify = ["verify", "oci:layout:1"];
    succeeds(support::imagebuild().current_dir(folder.path()).args(verify));
    let inspect = ["inspect", "oci:layout:1", "--json"];
    let inspected = json(&succeeds(support::imagebuild().current_dir(folder.path()).args(inspect)));
    let layer = inspected["layers"].as_array().unwrap().last().unwrap();
    assert_eq!(layer["media_type"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(layer["digest"], built["images"][0]["layers"][1]["digest"]);
    if is_installed("skopeo") {
        let arguments = ["copy", "--dest-decompress", "oci:layout:1", "dir:unpacked"];
        succeeds(Command::new("skopeo").current_dir(folder.path()).args(arguments));
        let diff_id = layer["diff_id"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let archive = std::fs::read(folder.path().join("unpacked").join(diff_id)).unwrap();
        assert_eq!(Digest::of(&archive).hex(), diff_id);
    }
}

/// Layers go to a registry before the image is whole, but not before it is known to be good.
#[test]
fn nothing_of_an_image_with_a_secret_is_sent() {
    let served = Served::new(Personality::plain());
    let folder = programs();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n";
    std::fs::write(folder.path().join("keys/key.pem"), key).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let place = served.reference("secret:1");
    let secret = || {
        let mut command = build(folder.path());
        command.args(["--copy", "keys:/keys", "-o", &place]).env("IMAGEBUILD_CACHE", cache.path());
        command
    };
    let refused = fails(&mut secret());
    assert!(refused.contains("/keys/key.pem"), "{refused}");
    assert_eq!(received(&served.requests()), 0);
    succeeds(secret().arg("--force"));
    assert_eq!(count(&served.requests(), "PUT", "/blobs/"), 4, "three layers and a configuration");
}
