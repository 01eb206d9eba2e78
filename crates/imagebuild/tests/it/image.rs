//! Images, unpacked and started.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, IMAGEBUILD, is_installed, succeeds};

/// A folder with something to copy.
fn site() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("site/deep")).unwrap();
    std::fs::write(folder.path().join("site/index.html"), "<h1>Hello</h1>").unwrap();
    std::fs::write(folder.path().join("site/deep/a.js"), "1").unwrap();
    std::os::unix::fs::symlink("index.html", folder.path().join("site/home.html")).unwrap();
    folder
}

fn imagebuild(folder: &Path, verb: &str) -> Command {
    let mut command = support::imagebuild();
    command.current_dir(folder).arg(verb).args(["--binary", IMAGEBUILD]);
    command.args(["--copy", "site:/srv/site", "--env", "LANG=C.UTF-8", "--port", "8080"]);
    command.env("SOURCE_DATE_EPOCH", "1700000000").stdin(Stdio::null());
    command
}

fn build(folder: &Path, output: &str) -> Value {
    let text = succeeds(imagebuild(folder, "build").args(["-o", output, "--json"]));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_plan_says_why_each_file_is_there() {
    let folder = site();
    let text = succeeds(imagebuild(folder.path(), "plan").arg("--json"));
    let plan: Value = serde_json::from_str(&text).unwrap();
    let files = plan["files"].as_array().unwrap();
    let reason = |path: &str| {
        let file = files.iter().find(|file| file["path"].as_str().unwrap().ends_with(path));
        let file = file.unwrap_or_else(|| panic!("no {path}: {text}"));
        (file["layer"].as_str().unwrap().to_owned(), file["reason"].as_str().unwrap().to_owned())
    };
    let program = "needed by /usr/local/bin/imagebuild".to_owned();
    assert_eq!(reason("/libc.so.6"), ("libraries".to_owned(), program));
    assert_eq!(reason("/srv/site/deep/a.js").0, "site");
    assert_eq!(reason("/usr/local/bin/imagebuild"), ("program".into(), "the program".into()));
    assert_eq!(plan["settings"]["user"], "65532:65532");
    let built = build(folder.path(), "oci:out");
    let (planned, built) = (&plan["layers"][1], &built["images"][0]["layers"][1]);
    assert_eq!((&planned["name"], &planned["size"]), (&built["name"], &built["size"]));
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    let shown = succeeds(&mut imagebuild(folder.path(), "plan"));
    assert!(shown.contains("/etc/ssl/certs/ca-certificates.crt"), "{shown}");
    assert!(!folder.path().join("blobs").exists(), "a plan writes nothing");
}

/// With the tool of the specification's authors, in which the program then starts.
#[test]
fn another_program_unpacks_it_and_it_starts() {
    if !is_installed("umoci") {
        return;
    }
    let folder = site();
    let built = build(folder.path(), "oci:out:1");
    let unpack = ["unpack", "--rootless", "--image", "out:1", "bundle"];
    succeeds(Command::new("umoci").current_dir(folder.path()).args(unpack));
    let root = folder.path().join("bundle/rootfs");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(read("srv/site/home.html"), "<h1>Hello</h1>");
    assert_eq!(read("srv/site/deep/a.js"), "1");
    assert_eq!(
        std::fs::read(root.join("usr/local/bin/imagebuild")).unwrap(),
        std::fs::read(IMAGEBUILD).unwrap()
    );
    let planned = succeeds(imagebuild(folder.path(), "plan").arg("--json"));
    let planned: Value = serde_json::from_str(&planned).unwrap();
    let mut paths: Vec<String> = planned["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    assert_eq!(files_in(&root), paths, "nothing else, and all of it");
    let config: Value = serde_json::from_str(
        &std::fs::read_to_string(folder.path().join("bundle/config.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(config["process"]["args"][0], "/usr/local/bin/imagebuild");
    assert!(config["process"]["env"].as_array().unwrap().contains(&"LANG=C.UTF-8".into()));
    assert!(built["digest"].as_str().unwrap().starts_with("sha256:"));
    // Only root may have another root folder.
    if succeeds(Command::new("id").arg("-u")).trim() == "0" {
        let started = ["/usr/local/bin/imagebuild", "--version"];
        let version = succeeds(Command::new("chroot").arg(&root).args(started));
        assert_eq!(version, succeeds(Command::new(IMAGEBUILD).arg("--version")));
    }
}

/// Files and links below a folder, as paths in the image.
fn files_in(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let path: PathBuf = entry.path().strip_prefix(root).unwrap().to_owned();
                found.push(format!("/{}", path.display()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_is_built_whatever_the_folder_the_user_and_the_time() {
    let (first, second) = (site(), site());
    // Where another user may go as well.
    let tools = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tools.path(), Permissions::from_mode(0o755)).unwrap();
    let tool = tools.path().join("imagebuild");
    std::fs::copy(IMAGEBUILD, &tool).unwrap();
    let built = |folder: &Path, runner: &[&str], umask: &str, zone: &str| {
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let cache = tempfile::tempdir().unwrap();
        let mut outer = Command::new(runner[0]);
        outer.args(&runner[1..]).args(["sh", "-c", &script]).arg(&tool);
        let build = imagebuild(folder, "build");
        outer.args(build.get_args().map(|it| if it == IMAGEBUILD { tool.as_os_str() } else { it }));
        let output = format!("oci:{}", cache.path().join("out").display());
        outer.args(["-o", &output, "--json"]).current_dir(folder);
        outer.env("SOURCE_DATE_EPOCH", "1700000000").env("TZ", zone).env("LC_ALL", zone);
        outer.env("HOME", folder).env("IMAGEBUILD_CACHE", cache.path().join("cache"));
        std::fs::set_permissions(cache.path(), Permissions::from_mode(0o777)).unwrap();
        let text = succeeds(&mut outer);
        serde_json::from_str::<Value>(&text).unwrap()["digest"].clone()
    };
    let wanted = built(first.path(), &["env"], "022", "C");
    let touch = "find site -type f -exec touch -d @12345 {} +";
    succeeds(Command::new("sh").current_dir(second.path()).args(["-c", touch]));
    std::fs::set_permissions(second.path(), Permissions::from_mode(0o755)).unwrap();
    let others =
        ["taskset", "-c", "0", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let root = succeeds(Command::new("id").arg("-u")).trim() == "0";
    let other =
        built(second.path(), if root { &others } else { &others[..3] }, "077", "Asia/Tokyo");
    assert_eq!(other, wanted);
    if is_installed("disorderfs") {
        let shuffled = Shuffled::new(second.path());
        assert_eq!(built(shuffled.0.path(), &["env"], "000", "Asia/Tokyo"), wanted);
    }
}

/// A folder seen so that what is in it comes in another order each time, until this is dropped.
struct Shuffled(TempDir);

impl Shuffled {
    fn new(of: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = ["--shuffle-dirents=yes", "--sort-dirents=no"];
        succeeds(Command::new("disorderfs").args(options).arg(of).arg(folder.path()));
        Self(folder)
    }
}

impl Drop for Shuffled {
    fn drop(&mut self) {
        let _ = Command::new("fusermount").arg("-u").arg(self.0.path()).status();
    }
}

#[test]
fn rules_of_time_zones_are_there_on_request() {
    if !Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        return;
    }
    let folder = site();
    let root = Path::new("/usr/share/zoneinfo/Europe/Berlin");
    let plan = |more: &[&str]| succeeds(imagebuild(folder.path(), "plan").args(more));
    let shown = root.to_str().unwrap();
    assert!(plan(&["--time-zones"]).contains(shown) && !plan(&[]).contains(shown));
}

#[test]
fn one_changed_file_makes_one_layer_anew() {
    let folder = site();
    let before = build(folder.path(), "oci:out:1");
    std::fs::write(folder.path().join("site/index.html"), "<h1>Bye</h1>").unwrap();
    let after = build(folder.path(), "oci:out:2");
    assert_ne!(before["digest"], after["digest"]);
    let changed: Vec<&Value> = (0..3)
        .filter(|layer| {
            before["images"][0]["layers"][layer]["digest"]
                != after["images"][0]["layers"][layer]["digest"]
        })
        .map(|layer| &after["images"][0]["layers"][layer]["name"])
        .collect();
    assert_eq!(changed, ["site"]);
    // Two outputs are the same image.
    let text = succeeds(imagebuild(folder.path(), "build").args(["-o", "oci:a", "-o", "oci:b:2"]));
    assert!(text.contains(after["digest"].as_str().unwrap()));
    let blobs = |name: &str| files_in(&folder.path().join(name).join("blobs"));
    assert_eq!(blobs("a"), blobs("b"));
    // Both are in the layout under their tags.
    let index = std::fs::read_to_string(folder.path().join("out/index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let digests: Vec<&Value> =
        index["manifests"].as_array().unwrap().iter().map(|entry| &entry["digest"]).collect();
    assert_eq!(digests, [&before["digest"], &after["digest"]]);
}

#[test]
fn what_can_not_be_in_an_image_is_refused_and_nothing_is_written() {
    let folder = site();
    let fails = |change: &dyn Fn(&mut Command), expected: &str| {
        let mut command = imagebuild(folder.path(), "build");
        command.args(["-o", "oci:out"]);
        change(&mut command);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(expected), "{expected}: {text}");
        assert!(!folder.path().join("out/index.json").exists());
    };
    fails(
        &|it| {
            it.args(["--copy", "absent:/x"]);
        },
        "absent can't be read",
    );
    fails(
        &|it| {
            it.args(["--copy", "site:/srv/site"]);
        },
        "two files go to /srv/site/deep/a.js",
    );
    fails(
        &|it| {
            it.args(["--copy", "site:/srv/../.."]);
        },
        "is no place in an image",
    );
    fails(
        &|it| {
            it.args(["--root", "site"]);
        },
        "which is not there. Looked for it in",
    );
    fails(
        &|it| {
            it.args(["-o", "docker:x"]);
        },
        "names no place for an image",
    );
    fails(
        &|it| {
            it.args(["--max-size", "20 KiB"]);
        },
        "and may have 20.0 KiB. Its largest files are:",
    );
    fails(
        &|it| {
            it.arg("--attest");
        },
        "name one with -o docker://",
    );
    fails(
        &|it| {
            it.env("SOURCE_DATE_EPOCH", "today");
        },
        "no number of seconds",
    );
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("site/secret")).unwrap();
    fails(&|_| {}, "leads to /etc/passwd, which is outside of what is copied");
    std::fs::remove_file(folder.path().join("site/secret")).unwrap();
    // Somebody's folder is not made a layout.
    std::fs::create_dir(folder.path().join("notes")).unwrap();
    std::fs::write(folder.path().join("notes/mine"), "x").unwrap();
    fails(
        &|it| {
            it.args(["-o", "oci:notes"]);
        },
        "is no image layout, and is not empty",
    );
}

#[test]
fn killed_at_any_moment_an_image_is_there_whole_or_not_at_all() {
    let folder = site();
    let whole = build(folder.path(), "oci:whole:1");
    let mut seen = [0, 0];
    for delay in (0..24).map(|step| step * 8) {
        let mut killed = imagebuild(folder.path(), "build");
        let mut child = killed.args(["-o", "oci:out:1"]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        let there = folder.path().join("out/index.json").exists();
        if there {
            let verify = ["verify", "oci:out:1"];
            let text = succeeds(support::imagebuild().current_dir(folder.path()).args(verify));
            assert!(text.starts_with(whole["digest"].as_str().unwrap()));
            // Every other time over what is there.
            if seen[1] % 2 == 0 {
                std::fs::remove_dir_all(folder.path().join("out")).unwrap();
            }
        }
        seen[usize::from(there)] += 1;
    }
    assert!(seen[0] > 0, "none was killed before its end: {seen:?}");
    assert_eq!(
        build(folder.path(), "oci:out:1")["digest"],
        whole["digest"],
        "the next run succeeds"
    );
}

#[test]
fn who_cloned_without_history_is_told_what_that_means_for_times() {
    let folder = site();
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.org"];
        succeeds(Command::new("git").current_dir(folder.path()).args(who).args(arguments));
    };
    git(&["init", "-q"]);
    for name in ["one", "two"] {
        std::fs::write(folder.path().join("site").join(name), name).unwrap();
        git(&["add", "."]);
        git(&["commit", "-qm", name]);
    }
    let source = format!("file://{}", folder.path().display());
    git(&["clone", "-q", "--depth", "1", &source, "clone"]);
    let said = |folder: &Path| {
        let output = imagebuild(folder, "plan").output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(said(folder.path()), "");
    let said = said(&folder.path().join("clone"));
    assert!(said.starts_with("note: site is in a clone without its history"), "{said}");
}
