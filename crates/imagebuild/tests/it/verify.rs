//! Images that are read again, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use imagebuild::layer::Node;
use imagebuild::read::{Contents, Platforms, find, read};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, IMAGEBUILD, is_installed, succeeds};

/// A layout with an image of a program, and what was printed about it.
fn layout() -> (TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    fs::write(folder.path().join("site/index.html"), "<h1>Hello</h1>").unwrap();
    let mut command = support::imagebuild();
    command.current_dir(&folder).args(["build", "--binary", IMAGEBUILD]);
    command.args(["--copy", "site:/srv/site", "-o", "oci:out:1", "--json"]);
    let told = succeeds(&mut command);
    (folder, serde_json::from_str(&told).unwrap())
}

fn verify(folder: &Path, image: &str) -> Result<String, String> {
    let mut command = support::imagebuild();
    let output = command.current_dir(folder).args(["verify", image]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn blob(folder: &Path, digest: &Value) -> PathBuf {
    let hex = digest.as_str().unwrap().strip_prefix("sha256:").unwrap();
    folder.join("out/blobs/sha256").join(hex)
}

fn contents(folder: &Path) -> Contents {
    let folder = folder.join("out");
    let found = find(&folder, Some("1"), Platforms::This).unwrap();
    read(&folder, &found.top)
}

#[test]
fn what_was_built_is_sound_and_is_what_was_planned() {
    let (folder, built) = layout();
    let text = verify(folder.path(), "oci:out:1").unwrap();
    assert!(text.starts_with(&format!("{} is sound", built["digest"].as_str().unwrap())), "{text}");
    assert_eq!(verify(folder.path(), "oci:out").unwrap(), text, "the only one");
    let contents = contents(folder.path());
    assert_eq!(contents.size, built["images"][0]["size"].as_u64().unwrap());
    let page = contents.entries.get("/srv/site/index.html").unwrap();
    assert_eq!(page.node, Node::Bytes(b"<h1>Hello</h1>".to_vec()));
    assert_eq!(contents.settings.user, "65532:65532");
    for (image, expected) in [
        ("oci:out:2", "has 1 images: name one of them, oci:DIR:TAG (there are 1)"),
        ("oci:site", "site is no image layout that can be read"),
    ] {
        let text = verify(folder.path(), image).unwrap_err();
        assert!(text.contains(expected), "{text}");
    }
}

/// By the tool that carries images between registries: to another layout, and what it writes is read.
#[test]
fn another_program_carries_it_and_it_stays_the_same() {
    if !is_installed("skopeo") {
        return;
    }
    let (folder, built) = layout();
    let skopeo = |arguments: &[&str]| {
        // The policy is about signatures, of which there are none here.
        let policy = folder.path().join("policy.json");
        fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#).unwrap();
        let mut command = Command::new("skopeo");
        succeeds(command.current_dir(&folder).arg("--policy").arg(policy).args(arguments))
    };
    let digest = built["digest"].as_str().unwrap();
    assert_eq!(skopeo(&["inspect", "--format", "{{.Digest}}", "oci:out:1"]).trim(), digest);
    skopeo(&["copy", "--quiet", "oci:out:1", "oci:copy:2"]);
    let text = verify(folder.path(), "oci:copy:2").unwrap();
    assert!(text.starts_with(digest), "{text}");
}

#[test]
fn every_damage_is_told() {
    let (folder, built) = layout();
    let layer = blob(folder.path(), &built["images"][0]["layers"][1]["digest"]);
    let whole = fs::read(&layer).unwrap();
    let manifest = blob(folder.path(), &built["digest"]);
    let damaged = |path: &Path, bytes: &[u8], expected: &str| {
        let before = fs::read(path).unwrap();
        fs::write(path, bytes).unwrap();
        let text = verify(folder.path(), "oci:out:1").unwrap_err();
        assert!(text.contains(expected), "{expected}: {text}");
        fs::write(path, before).unwrap();
    };
    let mut flipped = whole.clone();
    // In the header of the member: the content stays.
    flipped[4] ^= 1;
    damaged(&layer, &flipped, "the layer 2 is said to be sha256:");
    damaged(&layer, &whole[..whole.len() / 2], "the layer 2 sha256:");
    damaged(&layer, &[&whole, &b"tail"[..]].concat(), "the layer 2 is said to be");
    damaged(&manifest, b"{}", "the manifest is said to be");
    damaged(&folder.path().join("out/index.json"), b"[", "is no image layout that can be read");
    fs::remove_file(&layer).unwrap();
    let text = verify(folder.path(), "oci:out:1").unwrap_err();
    assert!(text.contains("the layer 2") && text.contains("can't be read: No such file"), "{text}");
}

/// An archive with these entries, as the third layer of the image.
fn with_layer(folder: &Path, built: &Value, entries: &[(&str, tar::EntryType, &str)]) -> Contents {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, kind, link) in entries {
        let mut header = tar::Header::new_ustar();
        // By hand: the library would refuse what an attacker writes.
        header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_ustar_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        archive.append(&header, std::io::empty()).unwrap();
    }
    let path = blob(folder, &built["images"][0]["layers"][2]["digest"]);
    fs::write(path, archive.into_inner().unwrap()).unwrap();
    // It is no gzip any more, which a reader must not mind.
    let manifest = blob(folder, &built["digest"]);
    let text = fs::read_to_string(&manifest).unwrap();
    let digest = built["images"][0]["layers"][2]["digest"].as_str().unwrap();
    let at = text.find(digest).unwrap();
    let (before, after) = text.split_at(at);
    let after = after.replacen("layer.v1.tar+gzip", "layer.v1.tar", 1);
    fs::write(&manifest, format!("{before}{after}")).unwrap();
    contents(folder)
}

#[test]
fn entries_that_attack_stay_inside_and_are_told() {
    use tar::EntryType::{Directory, Link, Regular, Symlink};
    let (folder, built) = layout();
    let contents = with_layer(
        folder.path(),
        &built,
        &[
            ("../../etc/shadow", Regular, ""),
            ("/absolute", Regular, ""),
            ("twice", Regular, ""),
            ("twice", Regular, ""),
            ("hard", Link, "../outside"),
            ("soft", Symlink, "../../../../etc/passwd"),
            ("srv/.wh.site", Regular, ""),
            ("etc/.wh..wh..opq", Regular, ""),
            ("etc/new", Regular, ""),
            ("tmp", Directory, ""),
        ],
    );
    let faults: Vec<String> = contents.faults.iter().map(ToString::to_string).collect();
    for expected in [
        "layer 3: \"../../etc/shadow\" leaves the image",
        "layer 3: \"twice\" is there twice",
        "layer 3: \"hard\" is a link to a file that is not there",
    ] {
        assert!(faults.iter().any(|fault| fault == expected), "{expected}: {faults:?}");
    }
    let there = |path: &str| contents.entries.get(path).is_some();
    assert!(there("/absolute") && there("/soft") && there("/etc/new"));
    assert!(!there("/srv/site") && !there("/srv/site/index.html"), "whited out");
    assert!(!there("/etc/passwd") && there("/lib64"), "all of a folder, and nothing else");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is changed, there is a word about it and no panic.
    #[test]
    fn no_damage_goes_unseen(which in 0..4_usize, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let (folder, built) = PREPARED.with(Clone::clone);
        let folder = folder.path();
        let digest = match which {
            3 => &built["digest"],
            layer => &built["images"][0]["layers"][layer]["digest"],
        };
        let path = blob(folder, digest);
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        let at = at.index(damaged.len());
        damaged[at] ^= 1 << bit;
        fs::write(&path, damaged).unwrap();
        let faults = contents(folder).faults;
        fs::write(&path, whole).unwrap();
        prop_assert!(!faults.is_empty());
    }
}

thread_local! {
    static PREPARED: (std::rc::Rc<TempDir>, Value) = {
        let (folder, built) = layout();
        (std::rc::Rc::new(folder), built)
    };
}
