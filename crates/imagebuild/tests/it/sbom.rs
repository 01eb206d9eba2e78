//! Bills of materials of real programs, judged by CycloneDX's own library, and what is in them
//! compared with what Cargo and dpkg say.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use imagebuild::closure::{Folder, closure};
use imagebuild::crates::{Crate, Role, from_metadata, from_program};
use imagebuild::digest::Digest;
use imagebuild::dpkg::Packages;
use imagebuild::elf::Elf;
use imagebuild::platform::Platform;
use imagebuild::purl;
use imagebuild::sbom::{Contents, File, Kind, SharedLibrary, Subject, sbom};
use serde_json::Value;

use crate::support::{IMAGEBUILD, compile, is_installed, python, succeeds};

/// Says of each of the documents that it is given what is wrong with it. Purls are read and written
/// again by the reference implementation.
const VALIDATE: &str = r#"
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

def purls(value):
    if isinstance(value, dict):
        if "purl" in value:
            yield value
        value = value.values()
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        for inner in value:
            yield from purls(inner)

def wrong(text):
    error = validator.validate_str(text)
    if error:
        yield str(error)
    for it in purls(json.loads(text)):
        try:
            read = PackageURL.from_string(it["purl"])
        except ValueError as error:
            yield str(error)
            continue
        if PackageURL.from_string(read.to_string()) != read:
            yield it["purl"]
        if it["type"] == "library" and (read.name, read.version) != (it["name"], it["version"]):
            yield it["purl"] + " is not " + it["name"]

validator = JsonStrictValidator(SchemaVersion.V1_5)
print(json.dumps([chr(10).join(wrong(text)) for text in json.load(sys.stdin)]))
"#;

/// What is wrong with each of these documents; nothing, if it is as the schema wants it.
fn wrong(python: &str, documents: &[String]) -> Vec<String> {
    let mut command = Command::new(python);
    command.args(["-c", VALIDATE]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let given = serde_json::to_vec(documents).unwrap();
    child.stdin.take().unwrap().write_all(&given).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the check itself failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn platform() -> Platform {
    let about = succeeds(Command::new("rustc").arg("-vV"));
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    Platform::new(host, &succeeds(Command::new("rustc").args(["--print", "cfg"])))
}

/// The crates of the program that these tests are about.
fn own_crates() -> Vec<Crate> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder).args(["metadata", "--format-version", "1", "--locked"]);
    let metadata: Value = serde_json::from_str(&succeeds(&mut cargo)).unwrap();
    let root = Path::new(metadata["workspace_root"].as_str().unwrap());
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
    from_metadata(&metadata, &lock, "imagebuild", Some(&platform())).unwrap()
}

/// The shared libraries of the same program, as they are on this machine.
fn own_libraries(packages: &Packages) -> Vec<SharedLibrary> {
    let program = Elf::open(std::fs::File::open(IMAGEBUILD).unwrap()).unwrap();
    let needs = closure(&Folder("/".into()), Path::new("/app"), program).unwrap();
    let libraries = needs.libraries.iter().map(|library| {
        let bytes = std::fs::read(&library.path).unwrap();
        let path = library.path.to_str().unwrap().to_owned();
        let file = File { path, digest: Digest::of(&bytes), size: bytes.len() as u64 };
        SharedLibrary { file, package: packages.owner(&library.path).cloned() }
    });
    libraries.collect()
}

#[test]
fn a_bill_of_materials_is_as_cyclonedx_wants_it() {
    let packages = Packages::read(Path::new("/"));
    let libraries = own_libraries(&packages);
    assert!(libraries.len() >= 2, "a loader and a C library: {libraries:?}");
    let (crates, digest) = (own_crates(), Digest::of(b"image"));
    let subject = Subject {
        kind: Kind::Image,
        name: "imagebuild".into(),
        version: Some("1.0.0+x".into()),
        purl: Some(purl::image("registry.example:5000/a/imagebuild", digest, "amd64")),
        digest: Some(digest),
        created: 1_700_000_000,
    };
    let files = [File { path: "/srv/a ä".into(), digest: Digest::of(b"file"), size: 4 }];
    let mut fork = crates.iter().find(|it| it.name == "object").unwrap().clone();
    fork.source = Some("git+https://git.example/object#0123abc".into());
    let all: Vec<Crate> = crates.iter().cloned().chain([fork]).collect();
    let contents = Contents {
        crates: &all,
        libraries: &libraries,
        files: &files,
        distribution: packages.distribution(),
    };
    let text = String::from_utf8(sbom(&subject, &contents)).unwrap();
    let folder = env!("CARGO_MANIFEST_DIR");
    assert!(!text.contains(folder), "the same on every machine");

    let Some(python) = python() else { return };
    let breaks = [
        ("\"CycloneDX\"", "\"SPDX\""),
        ("urn:uuid:", "urn:"),
        ("\"SHA-256\"", "\"SHA-257\""),
        ("\"container\"", "\"docker\""),
        ("\"excluded\"", "\"left out\""),
        ("\"dependsOn\"", "\"needs\""),
        ("2023-11-14T", "14.11.2023 "),
        ("pkg:cargo/", "cargo/"),
        ("pkg:cargo/serde_json", "pkg:cargo/other"),
    ];
    let broken = breaks.map(|(good, bad)| {
        assert!(text.contains(good), "{good}");
        text.replace(good, bad)
    });
    let documents: Vec<String> = std::iter::once(text).chain(broken).collect();
    let said = wrong(&python, &documents);
    assert_eq!(said[0], "");
    for ((good, _), said) in breaks.iter().zip(&said[1..]) {
        assert_ne!(said, "", "{good} is not looked at");
    }
}

/// Cargo's own list is of this package's features alone, where ours is of the workspace's.
#[test]
fn nothing_that_cargo_links_is_left_out() {
    let crates = own_crates();
    let of = |role: Role| -> BTreeSet<String> {
        let these = crates.iter().filter(|it| it.role == role);
        these.map(|it| format!("{} v{}", it.name, it.version)).collect()
    };
    let (ours, built) = (of(Role::Program), of(Role::Build));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tree", "--package", "imagebuild"]);
    cargo.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--locked"]);
    let tree = succeeds(&mut cargo);
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let linked: BTreeSet<String> =
        tree.lines().skip(1).filter(|line| !line.is_empty()).map(words).collect();
    assert!(linked.len() > 20, "{tree}");
    let missing: Vec<&String> = linked.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let more: Vec<&String> = ours.difference(&linked).collect();
    assert!(
        more.len() * 5 < linked.len(),
        "only what other packages of the workspace ask for: {more:?}"
    );
    let names = |list: &BTreeSet<String>, name: &str| {
        list.iter().any(|it| it.strip_prefix(name).is_some_and(|rest| rest.starts_with(" v")))
    };
    for name in ["serde_derive", "syn", "cc"] {
        assert!(names(&built, name) && !names(&ours, name), "{name}: {built:?}");
    }
    for name in ["proptest", "windows-sys"] {
        assert!(!names(&built, name) && !names(&ours, name), "{name}");
    }
    let registry: Vec<&Crate> = crates.iter().filter(|it| it.source.is_some()).collect();
    assert!(registry.iter().all(|it| it.checksum.is_some() && it.license.is_some()));
}

#[test]
fn dpkg_says_the_same_of_who_has_a_file() {
    if !is_installed("dpkg") {
        return;
    }
    let packages = Packages::read(Path::new("/"));
    let libraries = own_libraries(&packages);
    assert!(libraries.iter().any(|library| library.package.is_some()), "{libraries:?}");
    for library in libraries {
        let path = library.file.path.as_str();
        let usr = format!("/usr{path}");
        let inner = path.strip_prefix("/usr").unwrap_or(path);
        let said = [path, &usr, inner].iter().find_map(|path| {
            let output = Command::new("dpkg").args(["-S", path]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            // `libc6:amd64: /lib/…`
            output.status.success().then(|| text.split(": ").next().unwrap().to_owned())
        });
        let said = said.map(|name| {
            let format =
                "${Package} ${Version} ${Architecture} ${source:Package} ${source:Version}";
            succeeds(Command::new("dpkg-query").args(["-W", "-f", format, &name]))
        });
        let ours = library.package.as_ref().map(|it| {
            let source = (&it.source, &it.source_version);
            format!("{} {} {} {} {}", it.name, it.version, it.architecture, source.0, source.1)
        });
        assert_eq!(ours, said, "{path}");
    }
}

#[test]
fn a_program_that_lists_its_crates_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let list = r#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true}]}"#;
    let packing = std::fs::File::create(folder.path().join("list")).unwrap();
    let mut packing = flate2::write::ZlibEncoder::new(packing, flate2::Compression::best());
    packing.write_all(list.as_bytes()).unwrap();
    packing.finish().unwrap();
    let section = "__asm__(\".section .dep-v0,\\\"a\\\"\\n.incbin \\\"list\\\"\\n.text\\n\");\n";
    compile(folder.path(), &format!("{section}int main(void) {{ return 0; }}"), &["-o", "app"]);
    let program = std::fs::read(folder.path().join("app")).unwrap();
    let crates = from_program(&program).unwrap().unwrap();
    assert_eq!((crates.len(), crates[0].name.as_str()), (1, "app"));
    assert_eq!(from_program(&std::fs::read(IMAGEBUILD).unwrap()).unwrap(), None);
}
