//! A software bill of materials: what is in an image or a program, in the words of CycloneDX 1.5.
//!
//! The same contents are the same bytes: everything is sorted, the time is given, and the serial
//! number is made of the rest.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::crates::{CRATES_IO, Crate, Role};
use crate::digest::Digest;
use crate::dpkg::{Distribution, Package};
use crate::purl::purl;

/// What a registry calls such a document.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json";

/// Whose contents are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its name for scanners; [`crate::purl::image`] makes one of an image.
    pub purl: Option<String>,
    /// An image's manifest's, or a program's.
    pub digest: Option<Digest>,
    /// Seconds since 1970, as `SOURCE_DATE_EPOCH` has them.
    pub created: u64,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An image of a program.
    Image,
    /// A program by itself.
    Program,
}

/// What is in it, in any order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Contents<'a> {
    /// As [`crate::crates`] gives them.
    pub crates: &'a [Crate],
    /// Shared libraries and the loader.
    pub libraries: &'a [SharedLibrary],
    /// Other files.
    pub files: &'a [File],
    /// Where the libraries' packages are from.
    pub distribution: Option<&'a Distribution>,
}

/// A shared library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedLibrary {
    /// The file.
    pub file: File,
    /// The package that has installed it where it was found.
    pub package: Option<Package>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Absolute, in the image.
    pub path: String,
    /// Of its bytes.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

/// Writes the document as JSON. Crates that only took part in the build are there too, as excluded
/// (CycloneDX 1.5, `components[].scope`).
pub fn sbom(subject: &Subject, contents: &Contents<'_>) -> Vec<u8> {
    let mut document = Document::default();
    let own = document.unique(subject.purl.as_deref().unwrap_or(&subject.name));
    let mut needs = BTreeSet::new();
    needs.extend(document.crates(contents.crates));
    document.libraries(contents, &mut needs);
    for file in sorted(contents.files) {
        needs.insert(document.file(file));
    }
    document.dependencies.insert(own.clone(), needs);

    let program = json!({
        "type": "application", "name": "imagebuild", "version": env!("CARGO_PKG_VERSION"),
    });
    let mut component = json!({
        "type": match subject.kind {
            Kind::Image => "container",
            Kind::Program => "application",
        },
        "bom-ref": own,
        "name": subject.name,
    });
    set(&mut component, "version", subject.version.as_deref());
    set(&mut component, "purl", subject.purl.as_deref());
    set(&mut component, "hashes", subject.digest.map(|digest| hashes(&digest.hex())));
    let dependencies = document.dependencies.iter();
    let dependencies: Vec<Value> =
        dependencies.map(|(own, needs)| json!({ "ref": own, "dependsOn": needs })).collect();
    let mut sbom = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time(subject.created),
            "lifecycles": [{ "phase": "build" }],
            "tools": { "components": [program] },
            "component": component,
        },
        "components": document.components.into_values().collect::<Vec<Value>>(),
        "dependencies": dependencies,
    });
    let serial = format!("urn:uuid:{}", uuid(Digest::of(sbom.to_string().as_bytes())));
    set(&mut sbom, "serialNumber", Some(serial));
    sbom.to_string().into_bytes()
}

#[derive(Default)]
struct Document {
    names: BTreeSet<String>,
    /// By their references.
    components: BTreeMap<String, Value>,
    /// What needs what. Of what has no line here it is not known what it needs.
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Document {
    /// A reference that nothing else has.
    fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}#{number}");
        }
        name
    }

    /// Adds crates, and gives the references of those that nothing else in the list stands for:
    /// the program, or all of them if there is none.
    fn crates(&mut self, crates: &[Crate]) -> Vec<String> {
        let own: Vec<String> = crates
            .iter()
            .map(|it| {
                let name = crate_purl(it).unwrap_or(format!("crate:{}@{}", it.name, it.version));
                self.unique(&name)
            })
            .collect();
        for (it, own) in crates.iter().zip(&own) {
            let mut component = json!({
                "type": if it.role == Role::Root { "application" } else { "library" },
                "bom-ref": own,
                "name": it.name,
                "version": it.version,
                "scope": if it.role == Role::Build { "excluded" } else { "required" },
            });
            set(&mut component, "purl", crate_purl(it));
            set(&mut component, "hashes", it.checksum.as_deref().map(hashes));
            let license = it.license.as_deref().map(expression);
            set(&mut component, "licenses", license.map(|it| json!([{ "expression": it }])));
            self.components.insert(own.clone(), component);
        }
        for (it, name) in crates.iter().zip(&own) {
            let needs = it.dependencies.iter().filter_map(|place| own.get(*place).cloned());
            self.dependencies.insert(name.clone(), needs.collect());
        }
        let root = crates.iter().position(|it| it.role == Role::Root);
        match root.and_then(|place| own.get(place)) {
            Some(root) => vec![root.clone()],
            None => own,
        }
    }

    /// Adds libraries, those of a package as the files that are there of it.
    fn libraries(&mut self, contents: &Contents<'_>, needs: &mut BTreeSet<String>) {
        let mut packages: BTreeMap<&Package, Vec<&File>> = BTreeMap::new();
        let mut strangers: Vec<&File> = Vec::new();
        for library in contents.libraries {
            match &library.package {
                Some(package) => packages.entry(package).or_default().push(&library.file),
                None => strangers.push(&library.file),
            }
        }
        if let Some(distribution) = contents.distribution.filter(|_| !packages.is_empty()) {
            let own = self.unique(&format!("os:{}", distribution.id));
            let mut component =
                json!({ "type": "operating-system", "bom-ref": own, "name": distribution.id });
            set(&mut component, "version", distribution.version.as_deref());
            self.components.insert(own, component);
        }
        for (package, files) in packages {
            let purl = package.purl(contents.distribution);
            let own = self.unique(&purl);
            let files: Vec<Value> = sorted(files)
                .into_iter()
                .map(|file| {
                    let own = self.unique(&format!("file:{}", file.path));
                    described(file, "file", &own, &file.path)
                })
                .collect();
            let mut component = json!({
                "type": "library",
                "bom-ref": own,
                "name": package.name,
                "version": package.version,
                "purl": purl,
                "components": files,
            });
            set(&mut component, "publisher", package.maintainer.as_deref());
            self.components.insert(own.clone(), component);
            needs.insert(own);
        }
        for file in sorted(strangers) {
            let own = self.unique(&format!("file:{}", file.path));
            let name = file.path.rsplit('/').next().unwrap_or_default();
            self.components.insert(own.clone(), described(file, "library", &own, name));
            needs.insert(own);
        }
    }

    fn file(&mut self, file: &File) -> String {
        let own = self.unique(&format!("file:{}", file.path));
        self.components.insert(own.clone(), described(file, "file", &own, &file.path));
        own
    }
}

fn described(file: &File, kind: &str, own: &str, name: &str) -> Value {
    json!({
        "type": kind,
        "bom-ref": own,
        "name": name,
        "hashes": hashes(&file.digest.hex()),
        "properties": [
            { "name": "imagebuild:path", "value": file.path },
            { "name": "imagebuild:size", "value": file.size.to_string() },
        ],
    })
}

/// A crate's name for scanners. One that is a folder of the machine has none: on crates.io, somebody
/// else may have a crate of its name. Nor has one of which is only known that it is from elsewhere.
fn crate_purl(it: &Crate) -> Option<String> {
    let source = it.source.as_deref()?;
    let vcs = source.replacen('#', "@", 1);
    let qualifier = match source.split_once('+')? {
        _ if source == CRATES_IO => ("", ""),
        ("git", _) => ("vcs_url", vcs.as_str()),
        (_, url) => ("repository_url", url),
    };
    Some(purl("cargo", "", &it.name, &it.version, &[qualifier]))
}

/// A license as SPDX writes it: before it did, Cargo had `/` for `OR` (The Cargo Book, "The license
/// and license-file fields").
fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<&str>>().join(" OR ")
}

fn hashes(hex: &str) -> Value {
    json!([{ "alg": "SHA-256", "content": hex }])
}

/// Sets a key whose value there is.
fn set(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(key.to_owned(), value.into());
    }
}

fn sorted<'a>(files: impl IntoIterator<Item = &'a File>) -> Vec<&'a File> {
    let mut files: Vec<&File> = files.into_iter().collect();
    files.sort_unstable();
    files
}

/// A UUID of the version that is for one's own way of making them: here, of the first bits of a
/// SHA-256 (RFC 9562, section 5.8).
fn uuid(digest: Digest) -> String {
    let hex = digest.hex();
    let bits = u128::from_str_radix(hex.get(..32).unwrap_or_default(), 16).unwrap_or_default();
    let bits = bits & !(0xf << 76) | (8 << 76);
    let bits = bits & !(0b11 << 62) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0xffff,
        (bits >> 48) & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}

/// As RFC 3339 has it, in UTC.
pub(crate) fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crates() -> Vec<Crate> {
        let one = |name: &str, source: Option<&str>, role, dependencies: &[usize]| Crate {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            source: source.map(ToOwned::to_owned),
            checksum: (source == Some(CRATES_IO)).then(|| Digest::of(name.as_bytes()).hex()),
            license: (name != "app").then(|| "MIT/Apache-2.0".to_owned()),
            role,
            dependencies: dependencies.to_vec(),
        };
        vec![
            one("app", None, Role::Root, &[1, 2, 3, 4]),
            one("cc", Some(CRATES_IO), Role::Build, &[]),
            one("fork", Some("git+https://git.example/fork#0123abc"), Role::Program, &[3]),
            one("serde", Some(CRATES_IO), Role::Program, &[]),
            one("serde", Some("sparse+https://crates.example/index/"), Role::Program, &[]),
        ]
    }

    fn file(path: &str) -> File {
        File { path: path.to_owned(), digest: Digest::of(path.as_bytes()), size: 7 }
    }

    fn libraries() -> Vec<SharedLibrary> {
        let libc = Package {
            name: "libc6".into(),
            version: "2.36-9".into(),
            architecture: "amd64".into(),
            source: "glibc".into(),
            source_version: "2.36-9".into(),
            maintainer: Some("GNU".into()),
        };
        let one = |path, package| SharedLibrary { file: file(path), package };
        vec![
            one("/lib/libm.so.6", Some(libc.clone())),
            one("/opt/libown.so", None),
            one("/lib/libc.so.6", Some(libc)),
        ]
    }

    fn subject() -> Subject {
        Subject {
            kind: Kind::Image,
            name: "app".into(),
            version: Some("1.0.0".into()),
            purl: None,
            digest: Some(Digest::of(b"image")),
            created: 1_700_000_000,
        }
    }

    fn made(crates: &[Crate], libraries: &[SharedLibrary], files: &[File]) -> Vec<u8> {
        let debian = Distribution { id: "debian".into(), version: Some("12".into()) };
        sbom(&subject(), &Contents { crates, libraries, files, distribution: Some(&debian) })
    }

    #[test]
    fn everything_is_listed_with_its_name_and_bytes() {
        let files = [file("/srv/b"), file("/srv/a")];
        let made: Value = serde_json::from_slice(&made(&crates(), &libraries(), &files)).unwrap();
        let listed: Vec<(&str, &str)> = made["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["bom-ref"].as_str().unwrap(), it["type"].as_str().unwrap()))
            .collect();
        let libc = "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc";
        let fork = "pkg:cargo/fork@1.0.0?vcs_url=git%2Bhttps:%2F%2Fgit.example%2Ffork%400123abc";
        let other = "pkg:cargo/serde@1.0.0?repository_url=https:%2F%2Fcrates.example%2Findex%2F";
        assert_eq!(
            listed,
            [
                ("crate:app@1.0.0", "application"),
                ("file:/opt/libown.so", "library"),
                ("file:/srv/a", "file"),
                ("file:/srv/b", "file"),
                ("os:debian", "operating-system"),
                ("pkg:cargo/cc@1.0.0", "library"),
                (fork, "library"),
                ("pkg:cargo/serde@1.0.0", "library"),
                (other, "library"),
                (libc, "library"),
            ]
        );
        let [app, own, _, _, _, cc, _, serde, _, package] =
            made["components"].as_array().unwrap().as_slice()
        else {
            panic!("{made}")
        };
        assert_eq!(app.get("purl"), None, "somebody else's crate may have this name");
        assert_eq!(app.get("licenses"), None);
        assert_eq!((&cc["scope"], &serde["scope"]), (&json!("excluded"), &json!("required")));
        assert_eq!(serde["purl"], "pkg:cargo/serde@1.0.0");
        assert_eq!(serde["hashes"], hashes(&Digest::of(b"serde").hex()));
        assert_eq!(serde["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
        assert_eq!(own["name"], "libown.so");
        assert_eq!((&package["name"], &package["purl"]), (&json!("libc6"), &json!(libc)));
        assert_eq!(package["components"][0]["name"], "/lib/libc.so.6");
        assert_eq!(
            package["components"][1]["hashes"],
            hashes(&Digest::of(b"/lib/libm.so.6").hex())
        );
        let about = &made["metadata"];
        assert_eq!(about["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(about["component"]["type"], "container");
        assert_eq!(about["component"]["hashes"], hashes(&Digest::of(b"image").hex()));

        let needs = |own: &str| -> &Value {
            let lines = made["dependencies"].as_array().unwrap();
            &lines.iter().find(|line| line["ref"] == own).unwrap()["dependsOn"]
        };
        let all = ["crate:app@1.0.0", "file:/opt/libown.so", "file:/srv/a", "file:/srv/b", libc];
        assert_eq!(*needs("app"), json!(all));
        let all = ["pkg:cargo/cc@1.0.0", fork, "pkg:cargo/serde@1.0.0", other];
        assert_eq!(*needs("crate:app@1.0.0"), json!(all));
        assert_eq!(*needs(fork), json!(["pkg:cargo/serde@1.0.0"]));
        assert_eq!(*needs("pkg:cargo/serde@1.0.0"), json!([]));
    }

    #[test]
    fn the_same_contents_are_the_same_bytes_in_any_order() {
        let files = [file("/srv/b"), file("/srv/a")];
        let first = made(&crates(), &libraries(), &files);
        let mut turned = (libraries(), files.clone());
        turned.0.reverse();
        turned.1.reverse();
        assert_eq!(made(&crates(), &turned.0, &turned.1), first);
        let serial = |bytes: &[u8]| {
            let made: Value = serde_json::from_slice(bytes).unwrap();
            made["serialNumber"].as_str().unwrap().to_owned()
        };
        assert_ne!(serial(&made(&crates(), &[], &files)), serial(&first));
    }

    #[test]
    fn a_list_without_a_program_is_needed_as_it_is() {
        let made: Value = serde_json::from_slice(&made(&crates()[1..2], &[], &[])).unwrap();
        assert_eq!(made["components"].as_array().unwrap().len(), 1, "no packages, no system");
        let line = &made["dependencies"][0];
        assert_eq!(*line, json!({ "ref": "app", "dependsOn": ["pkg:cargo/cc@1.0.0"] }));
    }

    #[test]
    fn two_of_one_name_have_two_references() {
        let twice = [crates()[1].clone(), crates()[1].clone()];
        let made: Value = serde_json::from_slice(&made(&twice, &[], &[])).unwrap();
        assert_eq!(made["components"][1]["bom-ref"], "pkg:cargo/cc@1.0.0#2");
    }

    #[test]
    fn a_uuid_says_how_it_was_made() {
        // The digest begins e3b0c442 98fc 1c14 9afb f4c8996fb924.
        assert_eq!(uuid(Digest::of(b"")), "e3b0c442-98fc-8c14-9afb-f4c8996fb924");
        // And this one ba7816bf 8f01 cfea 4141 40de5dae2223.
        assert_eq!(uuid(Digest::of(b"abc")), "ba7816bf-8f01-8fea-8141-40de5dae2223");
    }
}
