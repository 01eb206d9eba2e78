//! Which Debian package a file belongs to, from dpkg's own records (dpkg(1), "FILES";
//! deb-control(5)); nothing is run. What is unreadable counts as not there: a machine without dpkg
//! has files that belong to nobody.
//!
//! Files that an administrator has moved away with `dpkg-divert` belong to nobody.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use memchr::memmem;

use crate::purl::purl;

/// As many links as Linux follows before it gives up (`path_resolution(7)`).
const LINKS: usize = 40;

/// An installed package.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Such as `libc6`.
    pub name: String,
    /// Such as `2.36-9+deb12u10`.
    pub version: String,
    /// As Debian calls it, such as `amd64`; `all` for one that is for every processor.
    pub architecture: String,
    /// The source package that it is built of, such as `glibc`: advisories name these.
    pub source: String,
    /// The source package's version.
    pub source_version: String,
    /// Name and address.
    pub maintainer: Option<String>,
}

/// Whose packages they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Such as `debian`.
    pub id: String,
    /// Such as `12`; none in unstable.
    pub version: Option<String>,
}

/// The packages of a machine, and their files.
#[derive(Clone, Debug, Default)]
pub struct Packages {
    root: PathBuf,
    distribution: Option<Distribution>,
    /// Sorted.
    installed: Vec<Package>,
    /// All that the lists say, one path a line, after a first line that is empty. Whole lines are
    /// searched for in it, which is faster than to part it into some hundred thousand of them.
    files: Vec<u8>,
    /// Where in `files` each package's begin, and which package it is.
    starts: Vec<(usize, usize)>,
}

impl Packages {
    /// Reads what dpkg knows below a root folder, or what an image without dpkg tells of the
    /// packages that it is made of (`/var/lib/dpkg/status.d`). Nothing there: no packages.
    pub fn read(root: &Path) -> Self {
        let folder = root.join("var/lib/dpkg");
        let mut packages = Self {
            root: root.to_owned(),
            distribution: Distribution::read(root),
            files: vec![b'\n'],
            ..Self::default()
        };
        packages.installed = parse(&fs::read(folder.join("status")).unwrap_or_default());
        // Each is described in a file of its own, beside which its files are listed.
        let mut lists: Vec<(Package, Vec<u8>)> = Vec::new();
        for path in entries(&folder.join("status.d")) {
            if path.extension() != Some(OsStr::new("md5sums")) {
                let sums = fs::read(path.with_added_extension("md5sums")).unwrap_or_default();
                let described = parse(&fs::read(&path).unwrap_or_default());
                lists.extend(described.into_iter().map(|package| (package, paths(&sums))));
            }
        }
        packages.installed.extend(lists.iter().map(|(package, _)| package.clone()));
        packages.installed.sort();
        packages.installed.dedup();
        for (package, list) in lists {
            packages.add(&list, packages.installed.binary_search(&package).ok());
        }
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        for (index, package) in packages.installed.iter().enumerate() {
            by_name.insert(format!("{}:{}", package.name, package.architecture), index);
            by_name.entry(package.name.clone()).or_insert(index);
        }
        for path in entries(&folder.join("info")) {
            if path.extension() == Some(OsStr::new("list")) {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                // One that was removed leaves a list of its settings, and is no package.
                let package = by_name.get(name.as_ref()).copied();
                if package.is_some() {
                    packages.add(&fs::read(&path).unwrap_or_default(), package);
                }
            }
        }
        packages
    }

    fn add(&mut self, list: &[u8], package: Option<usize>) {
        let Some(package) = package else { return };
        self.starts.push((self.files.len(), package));
        self.files.extend_from_slice(list);
        if self.files.last() != Some(&b'\n') {
            self.files.push(b'\n');
        }
    }

    /// Whose packages they are, if the root folder tells.
    pub fn distribution(&self) -> Option<&Distribution> {
        self.distribution.as_ref()
    }

    /// The package that has installed a file, which is named by its absolute path below the root
    /// folder. Looked for are the path, what it leads to if it is a link, and both with and without
    /// the `/usr` that folders have moved into since packages were built. `None` if nobody has; any
    /// of them for a folder.
    pub fn owner(&self, path: &Path) -> Option<&Package> {
        let resolved = resolved(&self.root, path).filter(|_| path.has_root());
        let paths = std::iter::once(path).chain(resolved.as_deref());
        let mut candidates = paths.flat_map(|path| [Some(path.to_owned()), moved(path)]).flatten();
        let package = candidates.find_map(|path| self.listed(path.as_os_str().as_bytes()))?;
        self.installed.get(package)
    }

    /// Which package has a line that is this path.
    fn listed(&self, path: &[u8]) -> Option<usize> {
        if !path.starts_with(b"/") || path.contains(&b'\n') {
            return None;
        }
        let line = [b"\n", path, b"\n"].concat();
        let at = memmem::find(&self.files, &line)? + 1;
        let after = self.starts.partition_point(|(start, _)| *start <= at);
        self.starts.get(after.checked_sub(1)?).map(|(_, package)| *package)
    }
}

impl Package {
    /// Its name for scanners. Besides what the specification has for Debian's packages it says
    /// `upstream`, the source package, as syft writes it and grype looks for it: without it, no
    /// advisory for `glibc` is found for `libc6`.
    pub fn purl(&self, distribution: Option<&Distribution>) -> String {
        let namespace = distribution.map_or("debian", |it| it.id.as_str());
        let distro =
            distribution.and_then(|it| Some(format!("{}-{}", it.id, it.version.as_ref()?)));
        let upstream = match (&self.source, &self.source_version) {
            (source, version) if *version != self.version => format!("{source}@{version}"),
            (source, _) if *source != self.name => source.clone(),
            _ => String::new(),
        };
        let qualifiers = [
            ("arch", self.architecture.as_str()),
            ("distro", distro.as_deref().unwrap_or_default()),
            ("upstream", &upstream),
        ];
        purl("deb", namespace, &self.name, &self.version, &qualifiers)
    }
}

impl Distribution {
    /// From `os-release`, in either of its places (os-release(5)).
    pub fn read(root: &Path) -> Option<Self> {
        let places = ["/etc/os-release", "/usr/lib/os-release"];
        let read = |place: &str| fs::read(below(root, &resolved(root, Path::new(place))?)).ok();
        let text = places.into_iter().find_map(read)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut lines = text.lines().filter_map(|line| line.trim().split_once('='));
            let (_, value) = lines.rfind(|(name, _)| *name == key)?;
            let quotes: &[char] = &['"', '\''];
            Some(value.trim_matches(quotes).to_owned()).filter(|value| !value.is_empty())
        };
        Some(Self { id: value("ID")?.to_lowercase(), version: value("VERSION_ID") })
    }
}

/// The packages of a status file whose files are there: neither removed ones nor those that left
/// only their settings (dpkg(1), "Package states").
fn parse(status: &[u8]) -> Vec<Package> {
    let text = String::from_utf8_lossy(status);
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            packages.extend(std::mem::take(&mut paragraph).package());
        } else if let Some((field, value)) = line.split_once(':') {
            paragraph.set(field, value.trim());
        }
    }
    packages
}

/// One package's fields.
#[derive(Default)]
struct Paragraph<'a> {
    status: Option<&'a str>,
    source: Option<&'a str>,
    package: Package,
}

impl<'a> Paragraph<'a> {
    fn set(&mut self, field: &str, value: &'a str) {
        // The case of a field's name does not count (deb-control(5)). The rest of a value that goes
        // on is in lines that begin with a space, and so have no name that is known.
        let is = |name: &str| field.eq_ignore_ascii_case(name);
        if is("Package") {
            value.clone_into(&mut self.package.name);
        } else if is("Version") {
            value.clone_into(&mut self.package.version);
        } else if is("Architecture") {
            value.clone_into(&mut self.package.architecture);
        } else if is("Maintainer") {
            self.package.maintainer = Some(value.to_owned());
        } else if is("Source") {
            self.source = Some(value);
        } else if is("Status") {
            self.status = Some(value);
        }
    }

    fn package(self) -> Option<Package> {
        let mut package = self.package;
        // An image without dpkg has no status, and what it describes is there.
        let state = self.status.and_then(|status| status.split_whitespace().last());
        let is_there = !matches!(state, Some("not-installed" | "config-files"));
        // `NAME (VERSION)`, each only if it differs from the package's own.
        let source = self.source.unwrap_or(&package.name);
        let (name, version) = source.split_once('(').unwrap_or((source, ")"));
        let version = version.trim_end().trim_end_matches(')');
        let version = if version.is_empty() { package.version.as_str() } else { version };
        let (source, source_version) = (name.trim().to_owned(), version.to_owned());
        package.source = source;
        package.source_version = source_version;
        (is_there && !package.name.is_empty() && !package.version.is_empty()).then_some(package)
    }
}

/// The paths in lines of `MD5  PATH`, as lists have them.
fn paths(sums: &[u8]) -> Vec<u8> {
    let mut list = Vec::with_capacity(sums.len());
    for line in sums.split(|byte| *byte == b'\n') {
        let Some(at) = memchr::memchr(b' ', line) else { continue };
        let path = line.get(at..).unwrap_or_default().trim_ascii_start();
        let path = path.strip_prefix(b"./").or(path.strip_prefix(b"/")).unwrap_or(path);
        list.push(b'/');
        list.extend_from_slice(path);
        list.push(b'\n');
    }
    list
}

/// Where the same file is if `/bin`, `/sbin` or a `/lib…` is a link to the one in `/usr`.
fn moved(path: &Path) -> Option<PathBuf> {
    let inner = path.strip_prefix("/usr").or(path.strip_prefix("/")).ok()?;
    let first = inner.components().next()?.as_os_str().as_bytes();
    let moves = first == b"bin" || first == b"sbin" || first.starts_with(b"lib");
    let to = if path.starts_with("/usr") { "/" } else { "/usr" };
    moves.then(|| Path::new(to).join(inner))
}

/// What a path leads to below a root folder, which absolute links are meant to be in too.
fn resolved(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut done = PathBuf::from("/");
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    let mut links = 0;
    while let Some(next) = waiting.pop() {
        let mut parts = next.components();
        let Some(part) = parts.next() else { continue };
        waiting.push(parts.as_path().to_owned());
        match part {
            Component::RootDir => done = PathBuf::from("/"),
            Component::ParentDir => {
                done.pop();
            }
            Component::Normal(name) => {
                done.push(name);
                if let Ok(target) = fs::read_link(below(root, &done)) {
                    links += 1;
                    if links > LINKS {
                        return None;
                    }
                    done.pop();
                    waiting.push(target);
                }
            }
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Some(done)
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// What is in a folder, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    const STATUS: &str = "\
Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+deb12u10
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Description: GNU C Library
 Version: of nothing
 .
 Package: nor this

Package: zlib1g
Status: install ok unpacked
Architecture: amd64
Source: zlib
Version: 1:1.2.13.dfsg-1

Package: gone
status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: nosource
Status: hold ok installed
Architecture: all
Version: 3
";

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn name<'a>(packages: &'a Packages, path: &str) -> Option<&'a str> {
        packages.owner(Path::new(path)).map(|package| package.name.as_str())
    }

    #[test]
    fn packages_are_those_whose_files_are_there() {
        let packages = parse(STATUS.as_bytes());
        let names: Vec<&str> = packages.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["libc6", "zlib1g", "nosource"]);
        let [libc, zlib, none] = packages.as_slice() else { panic!("{packages:?}") };
        assert_eq!((libc.source.as_str(), libc.source_version.as_str()), ("glibc", "2.36-9"));
        assert_eq!(libc.version, "2.36-9+deb12u10");
        assert!(libc.maintainer.as_ref().is_some_and(|it| it.starts_with("GNU Libc")));
        let source = (zlib.source.as_str(), zlib.source_version.as_str());
        assert_eq!(source, ("zlib", "1:1.2.13.dfsg-1"));
        assert_eq!((none.source.as_str(), none.source_version.as_str()), ("nosource", "3"));
    }

    #[test]
    fn a_scanner_knows_a_package_by_its_purl() {
        let debian = Distribution { id: "debian".into(), version: Some("12".into()) };
        let packages = parse(STATUS.as_bytes());
        assert_eq!(
            packages[0].purl(Some(&debian)),
            "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc%402.36-9"
        );
        let ubuntu = Distribution { id: "ubuntu".into(), version: None };
        assert_eq!(
            packages[1].purl(Some(&ubuntu)),
            "pkg:deb/ubuntu/zlib1g@1:1.2.13.dfsg-1?arch=amd64&upstream=zlib"
        );
        assert_eq!(packages[2].purl(None), "pkg:deb/debian/nosource@3?arch=all");
    }

    #[test]
    fn a_distribution_says_what_it_is() {
        let text = "PRETTY_NAME=\"x\"\nID=Debian\n# ID=no\nVERSION_ID=\"12\"\nVERSION_CODENAME=b\n";
        let debian = Distribution { id: "debian".into(), version: Some("12".into()) };
        assert_eq!(Distribution::parse(text), Some(debian));
        let unstable = Distribution { id: "debian".into(), version: None };
        assert_eq!(Distribution::parse("ID='debian'"), Some(unstable));
        assert_eq!(Distribution::parse("NAME=x"), None);
    }

    #[test]
    fn a_file_is_found_at_any_of_its_paths() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "var/lib/dpkg/status", STATUS);
        // Without a last line feed, which would let two lists run together.
        let list = "/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n/usr/share/doc/libc6/copyright";
        write(root.path(), "var/lib/dpkg/info/libc6:amd64.list", list);
        let list = "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13\n/etc/zlib\n";
        write(root.path(), "var/lib/dpkg/info/zlib1g:amd64.list", list);
        write(root.path(), "var/lib/dpkg/info/nosource.list", "/usr/bin/tool\n");
        write(root.path(), "var/lib/dpkg/info/gone.list", "/etc/gone\n");
        write(root.path(), "var/lib/dpkg/info/libc6:amd64.md5sums", "x  /etc/sums\n");
        write(root.path(), "usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "");
        write(root.path(), "etc/os-release", "ID=debian\nVERSION_ID=12\n");
        symlink("usr/lib", root.path().join("lib")).unwrap();
        let link = |target: &str, name: &str| {
            symlink(target, root.path().join("usr/lib/x86_64-linux-gnu").join(name)).unwrap();
        };
        link("libz.so.1.2.13", "libz.so.1");
        link("/etc/alternatives/z", "libabsolute.so");
        link("libround.so", "libround.so");
        fs::create_dir_all(root.path().join("etc/alternatives")).unwrap();
        symlink("../../lib/x86_64-linux-gnu/libz.so.1", root.path().join("etc/alternatives/z"))
            .unwrap();

        let packages = Packages::read(root.path());
        for (path, owner) in [
            ("/lib/x86_64-linux-gnu/libc.so.6", Some("libc6")),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", Some("libc6")),
            ("/usr/share/doc/libc6/copyright", Some("libc6")),
            ("/share/doc/libc6/copyright", None),
            ("/lib/x86_64-linux-gnu/libz.so.1.2.13", Some("zlib1g")),
            ("/lib/x86_64-linux-gnu/libz.so.1", Some("zlib1g")),
            ("/usr/lib/x86_64-linux-gnu/libabsolute.so", Some("zlib1g")),
            ("/usr/lib/x86_64-linux-gnu/libround.so", None),
            ("/bin/tool", Some("nosource")),
            ("/usr/lib/x86_64-linux-gnu/libc.so", None),
            ("/x86_64-linux-gnu/libc.so.6", None),
            ("/etc/gone", None),
            ("/etc/sums", None),
            ("etc/zlib", None),
            ("", None),
            ("/lib\n/lib/x86_64-linux-gnu/libc.so.6", None),
        ] {
            assert_eq!(name(&packages, path), owner, "{path}");
        }
        assert_eq!(packages.distribution().unwrap().id, "debian");
    }

    #[test]
    fn an_image_without_dpkg_lists_its_packages_too() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            "var/lib/dpkg/status.d/libc6",
            "Package: libc6\nVersion: 2\nSource: glibc\n",
        );
        let sums = "0123  ./lib/x86_64-linux-gnu/libc.so.6\n4567  usr/share/doc/a b\n";
        write(root.path(), "var/lib/dpkg/status.d/libc6.md5sums", sums);
        write(root.path(), "var/lib/dpkg/status.d/t.1", "Package: t.1\nVersion: 1\n");
        write(root.path(), "var/lib/dpkg/status.d/t.1.md5sums", "89  /etc/t\n");
        let packages = Packages::read(root.path());
        assert_eq!(name(&packages, "/usr/lib/x86_64-linux-gnu/libc.so.6"), Some("libc6"));
        assert_eq!(name(&packages, "/usr/share/doc/a b"), Some("libc6"));
        assert_eq!(name(&packages, "/etc/t"), Some("t.1"));
    }

    #[test]
    fn without_dpkg_files_belong_to_nobody() {
        let root = tempfile::tempdir().unwrap();
        let packages = Packages::read(root.path());
        assert_eq!(packages.owner(Path::new("/lib/libc.so.6")), None);
        assert_eq!(packages.distribution(), None);
    }

    proptest! {
        #[test]
        fn no_record_is_too_odd(
            status in prop::collection::vec(any::<u8>(), 0..300),
            tail in "(Package|Version|Source|Status|:|\\(|\\)| |\n|a){0,60}",
            path in prop::collection::vec(any::<u8>(), 0..30),
        ) {
            let _ = parse(&status);
            let _ = parse(tail.as_bytes());
            let _ = Distribution::parse(&tail.replace(':', "="));
            let list = paths(&status);
            let mut packages = Packages { files: vec![b'\n'], ..Packages::default() };
            packages.add(&list, Some(7));
            let path = Path::new(OsStr::from_bytes(&path));
            let _ = packages.owner(path);
            let _ = moved(path);
            for line in list.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                prop_assert_eq!(packages.listed(line), Some(7));
            }
        }
    }
}
