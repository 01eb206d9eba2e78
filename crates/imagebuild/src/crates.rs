//! The crates that are in a program, each once, in an order that depends on nothing else.
//!
//! Told by `cargo metadata`, or by the program itself if `cargo auditable` has built it: then the
//! list is in its section `.dep-v0` (cargo-auditable, `PARSING.md`).
//!
//! Crates that only took part in the build (procedural macros, build dependencies and what these
//! need) are told from those whose code is in the program. The list may be too long, never too
//! short: Cargo resolves features for the whole workspace, not for the one program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use object::{Object as _, ObjectSection as _};
use serde::Deserialize;
use serde_json::Value;

use crate::platform::Platform;
use crate::purl::without_credentials;

/// What `crates.io` is called in Cargo.lock.
pub(crate) const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// The list in a program is no longer than this; an honest one is a thousandth of it
/// (cargo-auditable, `PARSING.md`, step 2).
const LIMIT: u64 = 8 << 20;

/// A crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from, as Cargo.lock says it (`registry+URL`, `git+URL#COMMIT`), without
    /// credentials. None for one that is a folder of the machine. A program that has its own list
    /// says no more than `git` or `registry`, unless it is crates.io.
    pub source: Option<String>,
    /// The SHA-256 of its archive, 64 hex digits; only those of registries have one.
    pub checksum: Option<String>,
    /// As its Cargo.toml says it.
    pub license: Option<String>,
    /// What its code is for.
    pub role: Role,
    /// What it needs in the program and to be built, ascending: positions in the list that it is in.
    pub dependencies: Vec<usize>,
}

/// What a crate's code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The program itself.
    Root,
    /// It is in the program.
    Program,
    /// It ran while the program was built, and is not in it.
    Build,
}

/// Why there is no list of crates.
#[derive(Debug, thiserror::Error)]
pub enum CratesError {
    /// Not what `cargo metadata` prints.
    #[error("cargo metadata printed what can't be read: {0}")]
    Metadata(serde_json::Error),
    /// `cargo metadata` was asked not to resolve dependencies.
    #[error("cargo metadata printed no dependencies; call it without --no-deps")]
    Unresolved,
    /// Not in the workspace.
    #[error("there is no package {0:?} in this workspace")]
    Unknown(String),
    /// The program is none.
    #[error("the program can't be read: {0}")]
    Program(object::Error),
    /// The program's list is damaged.
    #[error("the program's own list of crates can't be read: {0}")]
    Listed(String),
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    packages: Vec<Described<'a>>,
    workspace_members: Vec<&'a str>,
    resolve: Option<Resolve<'a>>,
}

#[derive(Deserialize)]
struct Described<'a> {
    id: &'a str,
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    license: Option<&'a str>,
    #[serde(borrow)]
    targets: Vec<Built<'a>>,
}

#[derive(Deserialize)]
struct Built<'a> {
    #[serde(borrow)]
    kind: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Resolve<'a> {
    #[serde(borrow)]
    nodes: Vec<Resolved<'a>>,
}

#[derive(Deserialize)]
struct Resolved<'a> {
    id: &'a str,
    #[serde(borrow)]
    deps: Vec<Dependency<'a>>,
}

#[derive(Deserialize)]
struct Dependency<'a> {
    pkg: &'a str,
    #[serde(borrow)]
    dep_kinds: Vec<Kind<'a>>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    kind: Option<&'a str>,
    target: Option<&'a str>,
}

impl Described<'_> {
    fn is_macro(&self) -> bool {
        self.targets.iter().any(|target| target.kind.contains(&"proc-macro"))
    }
}

/// From what `cargo metadata --format-version 1` printed and the text of Cargo.lock, which has the
/// checksums. `package` is a member of the workspace; dependencies for other platforms than
/// `platform` are left out, also of what ran on the machine that built it.
pub fn from_metadata(
    metadata: &Value,
    lock: &str,
    package: &str,
    platform: Option<&Platform>,
) -> Result<Vec<Crate>, CratesError> {
    let metadata = Metadata::deserialize(metadata).map_err(CratesError::Metadata)?;
    let nodes = metadata.resolve.ok_or(CratesError::Unresolved)?.nodes;
    let graph: BTreeMap<&str, &[Dependency<'_>]> =
        nodes.iter().map(|node| (node.id, node.deps.as_slice())).collect();
    let described: BTreeMap<&str, &Described<'_>> =
        metadata.packages.iter().map(|package| (package.id, package)).collect();
    let root = metadata.packages.iter().find(|described| {
        described.name == package && metadata.workspace_members.contains(&described.id)
    });
    let root = root.ok_or_else(|| CratesError::Unknown(package.to_owned()))?.id;

    let needs = |id: &str, kinds: &[Option<&str>]| -> Vec<&str> {
        let wanted = |it: &Kind<'_>| {
            let here = platform.zip(it.target).is_none_or(|(platform, cfg)| platform.is(cfg));
            kinds.contains(&it.kind) && here
        };
        let dependencies = graph.get(id).copied().unwrap_or_default().iter();
        dependencies.filter(|it| it.dep_kinds.iter().any(wanted)).map(|it| it.pkg).collect()
    };
    let is_macro = |id: &&str| described.get(id).is_some_and(|it| it.is_macro());
    let of_program = |id: &str| -> Vec<&str> {
        needs(id, &[None]).into_iter().filter(|id| !is_macro(id)).collect()
    };
    let of_build = |id: &str| needs(id, &[None, Some("build")]);
    let in_program = reached(root, of_program);
    let mut all: Vec<&Described<'_>> =
        reached(root, of_build).iter().filter_map(|id| described.get(id).copied()).collect();
    all.sort_by_key(|it| (it.name, it.version, it.source, it.id));

    let checksums = checksums(lock);
    let place: BTreeMap<&str, usize> =
        all.iter().enumerate().map(|(place, it)| (it.id, place)).collect();
    let crates = all.iter().map(|it| {
        let key = it.source.map(|source| (it.name, it.version, source));
        let dependencies: BTreeSet<usize> =
            of_build(it.id).iter().filter_map(|id| place.get(id).copied()).collect();
        Crate {
            name: it.name.to_owned(),
            version: it.version.to_owned(),
            source: it.source.map(public),
            checksum: key.and_then(|key| checksums.get(&key)).map(|it| (*it).to_owned()),
            license: it.license.filter(|it| !it.trim().is_empty()).map(ToOwned::to_owned),
            role: match it.id {
                id if id == root => Role::Root,
                id if in_program.contains(id) => Role::Program,
                _ => Role::Build,
            },
            dependencies: dependencies.into_iter().collect(),
        }
    });
    Ok(crates.collect())
}

/// All that leads on from somewhere, and it.
fn reached<'a>(from: &'a str, next: impl Fn(&'a str) -> Vec<&'a str>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([from]);
    let mut waiting = vec![from];
    while let Some(id) = waiting.pop() {
        waiting.extend(next(id).into_iter().filter(|id| reached.insert(id)));
    }
    reached
}

/// A source without what may be secret in its URL.
fn public(source: &str) -> String {
    let commit = source.rsplit_once('#').filter(|_| source.starts_with("git+"));
    let commit = commit.map(|(_, commit)| format!("#{commit}")).unwrap_or_default();
    without_credentials(source) + &commit
}

/// The checksums in a Cargo.lock by name, version and source. Lines suffice: Cargo writes it, each
/// key in a line of its own. Locks older than 2020 have them elsewhere, and so give none.
fn checksums(lock: &str) -> BTreeMap<(&str, &str, &str), &str> {
    let mut checksums = BTreeMap::new();
    for block in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let lines = block.lines().take_while(|line| !line.starts_with('['));
            let mut values = lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            values.next().map(|value| value.trim().trim_matches('"'))
        };
        let key = value("name").zip(value("version")).zip(value("source"));
        let checksum = value("checksum")
            .filter(|it| it.len() == 64 && it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some((((name, version), source), checksum)) = key.zip(checksum) {
            checksums.insert((name, version, source), checksum);
        }
    }
    checksums
}

#[derive(Deserialize)]
struct Listed {
    packages: Vec<ListedPackage>,
}

#[derive(Deserialize)]
struct ListedPackage {
    name: String,
    version: String,
    source: Value,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dependencies: Vec<usize>,
    #[serde(default)]
    root: bool,
}

/// From the list that `cargo auditable` puts into a program; `None` if it has none. Such a list has
/// neither checksums nor licenses, and older ones take procedural macros for a part of the program.
pub fn from_program(program: &[u8]) -> Result<Option<Vec<Crate>>, CratesError> {
    let file = object::File::parse(program).map_err(CratesError::Program)?;
    let Some(section) = file.section_by_name(".dep-v0") else { return Ok(None) };
    listed(section.data().map_err(CratesError::Program)?).map(Some)
}

fn listed(packed: &[u8]) -> Result<Vec<Crate>, CratesError> {
    let damaged = |reason: &str| CratesError::Listed(reason.to_owned());
    let mut text = Vec::new();
    // One byte more than allowed tells whether there is more.
    let read = ZlibDecoder::new(packed).take(LIMIT + 1).read_to_end(&mut text);
    read.map_err(|error| damaged(&error.to_string()))?;
    if text.len() as u64 > LIMIT {
        return Err(damaged("it is longer than any honest one"));
    }
    let listed: Listed =
        serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
    let packages = listed.packages;
    if packages.iter().filter(|package| package.root).count() != 1 {
        return Err(damaged("it does not say which of them is the program"));
    }
    if packages.iter().flat_map(|it| &it.dependencies).any(|it| *it >= packages.len()) {
        return Err(damaged("one of them needs what is not in it"));
    }
    let mut order: Vec<(usize, &ListedPackage)> = packages.iter().enumerate().collect();
    order.sort_by_key(|(place, it)| (&it.name, &it.version, it.source.as_str(), *place));
    let place: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(place, (before, _))| (*before, place)).collect();
    let crates = order.iter().map(|(_, it)| {
        let dependencies: BTreeSet<usize> =
            it.dependencies.iter().filter_map(|before| place.get(before).copied()).collect();
        Crate {
            name: it.name.clone(),
            version: it.version.clone(),
            source: match it.source.as_str() {
                Some("local") => None,
                Some("crates.io") => Some(CRATES_IO.to_owned()),
                other => Some(other.unwrap_or("unknown").to_owned()),
            },
            checksum: None,
            license: None,
            role: match it.kind.as_deref() {
                _ if it.root => Role::Root,
                Some("build") => Role::Build,
                _ => Role::Program,
            },
            dependencies: dependencies.into_iter().collect(),
        }
    });
    Ok(crates.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use std::io::Write as _;

    const CHECKSUM: &str = "320119579fcad9c21884f5c4861d16174d0e06250625266f50fe6898340abefa";

    /// Whose order is not that of the names.
    fn id(name: &str) -> String {
        name.chars().rev().collect()
    }

    fn package(name: &str, kind: &str, source: &Value) -> Value {
        json!({
            "id": id(name), "name": name, "version": "1.0.0", "source": source, "license": "MIT",
            "targets": [{ "kind": [kind] }, { "kind": ["test"] }],
        })
    }

    fn node(name: &str, needs: &[(&str, Option<&str>, Option<&str>)]) -> Value {
        let deps = needs.iter().map(|(name, kind, target)| {
            json!({ "pkg": id(name), "dep_kinds": [{ "kind": kind, "target": target }] })
        });
        json!({ "id": id(name), "deps": deps.collect::<Vec<_>>() })
    }

    fn metadata() -> Value {
        let io = json!(CRATES_IO);
        let git = json!("git+https://me:secret@git.example/g?branch=b#0123abc");
        let none = &Value::Null;
        json!({
            "packages": [
                package("app", "bin", none), package("member", "lib", none),
                package("stranger", "lib", none), package("derive", "proc-macro", &io),
                package("both", "lib", &io), package("syn", "lib", &io), package("git", "lib", &git),
                package("cc", "lib", &io), package("proptest", "lib", &io),
                package("windows", "lib", &io),
            ],
            "workspace_members": [id("app"), id("member"), id("stranger")],
            "resolve": { "nodes": [
                node("app", &[
                    ("member", None, None), ("derive", None, None), ("git", None, None),
                    ("proptest", Some("dev"), None), ("cc", Some("build"), None),
                    ("windows", None, Some("cfg(windows)")),
                ]),
                node("derive", &[("syn", None, None), ("both", None, None)]),
                node("member", &[("both", None, Some("cfg(unix)")), ("app", Some("dev"), None)]),
                node("stranger", &[("proptest", None, None)]),
            ]},
        })
    }

    fn roles(crates: &[Crate]) -> Vec<(&str, Role)> {
        crates.iter().map(|it| (it.name.as_str(), it.role)).collect()
    }

    #[test]
    fn what_is_in_a_program_is_told_from_what_built_it() {
        let block = |name: &str, version: &str, more: &str| {
            let source = format!("source = \"{CRATES_IO}\"\n");
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}{more}\n")
        };
        let checksum = format!("checksum = \"{CHECKSUM}\"\n");
        let lock = [
            "version = 4\n\n",
            &block("both", "1.0.0", &format!("{checksum}dependencies = [\n \"cc\",\n]\n")),
            &block("cc", "2.0.0", &checksum),
            &block("syn", "1.0.0", ""),
            "[metadata]\n",
            &checksum,
        ];
        let lock = lock.concat();
        let linux = Platform::new("x86_64-unknown-linux-gnu", "unix\n");
        let crates = from_metadata(&metadata(), &lock, "app", Some(&linux)).unwrap();
        assert_eq!(
            roles(&crates),
            [
                ("app", Role::Root),
                ("both", Role::Program),
                ("cc", Role::Build),
                ("derive", Role::Build),
                ("git", Role::Program),
                ("member", Role::Program),
                ("syn", Role::Build),
            ]
        );
        assert_eq!(crates[0].dependencies, [2, 3, 4, 5]);
        assert_eq!(crates[5].dependencies, [1]);
        let checksums: Vec<bool> = crates.iter().map(|it| it.checksum.is_some()).collect();
        assert_eq!(checksums, [false, true, false, false, false, false, false]);
        assert_eq!(crates[1].checksum.as_deref(), Some(CHECKSUM));
        assert_eq!((&crates[0].source, crates[1].source.as_deref()), (&None, Some(CRATES_IO)));
        assert_eq!(crates[4].source.as_deref(), Some("git+https://git.example/g#0123abc"));
        assert_eq!(crates[4].license.as_deref(), Some("MIT"));

        let mut turned = metadata();
        for list in ["/packages", "/resolve/nodes"] {
            turned.pointer_mut(list).unwrap().as_array_mut().unwrap().reverse();
        }
        assert_eq!(from_metadata(&turned, &lock, "app", Some(&linux)).unwrap(), crates);

        let anywhere = from_metadata(&metadata(), "", "app", None).unwrap();
        assert!(roles(&anywhere).contains(&("windows", Role::Program)), "{anywhere:?}");
    }

    #[test]
    fn only_members_have_programs() {
        let fails = |metadata: &Value, name| from_metadata(metadata, "", name, None).unwrap_err();
        assert!(matches!(fails(&metadata(), "syn"), CratesError::Unknown(_)));
        assert!(matches!(fails(&json!({}), "app"), CratesError::Metadata(_)));
        let mut unresolved = metadata();
        unresolved["resolve"] = Value::Null;
        assert!(matches!(fails(&unresolved, "app"), CratesError::Unresolved));
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packing = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packing.write_all(text).unwrap();
        packing.finish().unwrap()
    }

    #[test]
    fn a_program_tells_its_crates() {
        let list = json!({ "packages": [
            { "name": "serde", "version": "1.0.0", "source": "crates.io" },
            { "name": "cc", "version": "1.0.0", "source": "registry", "kind": "build" },
            { "name": "app", "version": "0.1.0", "source": "local", "root": true,
              "dependencies": [0, 1] },
        ], "format": 1 });
        let crates = listed(&packed(list.to_string().as_bytes())).unwrap();
        assert_eq!(
            roles(&crates),
            [("app", Role::Root), ("cc", Role::Build), ("serde", Role::Program)]
        );
        assert_eq!(crates[0].dependencies, [1, 2]);
        let sources: Vec<_> = crates.iter().map(|it| it.source.as_deref()).collect();
        assert_eq!(sources, [None, Some("registry"), Some(CRATES_IO)]);
    }

    #[test]
    fn a_list_that_cannot_be_is_refused() {
        let text = |packed: &[u8]| listed(packed).unwrap_err().to_string();
        let one = |more: &str| {
            let list =
                format!(r#"{{"packages":[{{"name":"a","version":"1","source":"local"{more}}}]}}"#);
            packed(list.as_bytes())
        };
        assert!(listed(&one(r#","root":true"#)).is_ok());
        assert!(text(&one("")).contains("which of them is the program"));
        assert!(
            text(&one(r#","root":true,"dependencies":[1]"#)).contains("needs what is not in it")
        );
        let bomb = packed(&vec![b' '; LIMIT as usize + 1]);
        assert!(bomb.len() < 100_000 && text(&bomb).contains("longer than any honest one"));
        assert!(text(b"not zlib").contains("can't be read"));
        assert!(matches!(from_program(b"#!/bin/sh"), Err(CratesError::Program(_))));
    }

    proptest! {
        #[test]
        fn no_lock_and_no_list_is_too_odd(
            lock in "(\\[\\[package\\]\\]|name = \"a\"|source|checksum = \"|\n|\\[|é){0,40}",
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = checksums(&lock);
            let _ = listed(&bytes);
            let _ = listed(&packed(&bytes));
            let _ = public(&lock);
        }
    }
}
