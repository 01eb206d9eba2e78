//! The shared libraries that a program needs, found as the loader would find them, without running
//! anything (ld.so(8), "Description"; System V ABI, "Shared Object Dependencies").

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use crate::elf::{Elf, Machine};
use crate::loader_cache;

/// Where files are looked for: this machine, another root folder, an image.
pub trait Root {
    /// The bytes of the file at an absolute path, links followed; `None` if there is none.
    fn read(&self, path: &Path) -> Option<Vec<u8>>;

    /// What the file at an absolute path is, links followed; `None` if there is none, or no ELF file.
    fn elf(&self, path: &Path) -> Option<Elf>;
}

/// This machine, or the folder that holds the root of another one.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Where on this machine a path of that one is.
    pub(crate) fn locate(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

impl Root for Folder {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(self.locate(path)).ok()
    }

    fn elf(&self, path: &Path) -> Option<Elf> {
        Elf::open(File::open(self.locate(path)).ok()?).ok()
    }
}

/// One root over another: what is in both is the upper one's. The loader's cache is the upper one's
/// alone if it has one, because it is the one that will be used.
pub(crate) struct Over<'a>(pub(crate) &'a dyn Root, pub(crate) &'a dyn Root);

impl Root for Over<'_> {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.read(path).or_else(|| self.1.read(path))
    }

    fn elf(&self, path: &Path) -> Option<Elf> {
        self.0.elf(path).or_else(|| self.1.elf(path))
    }
}

/// What a program needs besides itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// The program's own processor.
    pub machine: Machine,
    /// The loader first, then the libraries in the order in which they are loaded.
    pub libraries: Vec<Library>,
}

/// A file that a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    /// As it is asked for: a name such as `libc.so.6`, or a path.
    pub name: String,
    /// Where it was found.
    pub path: PathBuf,
    /// Who asked first: a path.
    pub needed_by: PathBuf,
    /// Whether it was found through a path that the asking file names, and so must stay where it is.
    pub by_own_path: bool,
    /// What it is.
    pub elf: Elf,
}

/// Why a program could not start.
#[derive(Debug, thiserror::Error)]
pub enum ClosureError {
    /// Something it needs is not there.
    #[error(
        "{} needs {name}, which is not there. Looked for it in {}. Install the package that has it \
         on this machine",
        .needed_by.display(), shown(.tried)
    )]
    Missing {
        /// The library.
        name: String,
        /// Who needs it.
        needed_by: PathBuf,
        /// Where it was looked for.
        tried: Vec<PathBuf>,
    },
    /// A library is older than what needs it.
    #[error(
        "{} needs {version} of {}, which offers no such version of its symbols. Build the program \
         on a system that is as old as this library, or use a newer one of it",
        .needed_by.display(), .library.display()
    )]
    Version {
        /// The version.
        version: String,
        /// The library.
        library: PathBuf,
        /// Who needs it.
        needed_by: PathBuf,
    },
}

fn shown(paths: &[PathBuf]) -> String {
    let mut text = String::new();
    for path in paths {
        let comma = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}", path.display());
    }
    text
}

/// Finds all that a program needs. `place` is the absolute path that it will have, on which
/// `$ORIGIN` depends; the program itself is given, because it need not be there yet.
pub fn closure(root: &dyn Root, place: &Path, elf: Elf) -> Result<Closure, ClosureError> {
    let cache = root.read(Path::new("/etc/ld.so.cache")).unwrap_or_default();
    let mut search = Search { root, cache, machine: elf.machine, loaded: Vec::new() };
    let interpreter = elf.interpreter.clone();
    search.loaded.push(Loaded {
        name: String::new(),
        path: place.to_owned(),
        loader: None,
        by_own_path: true,
        elf,
    });
    if let Some(interpreter) = interpreter {
        search.load(0, &interpreter)?;
    }
    search.run()?;
    search.check_versions()?;
    let path = |index: usize| search.loaded.get(index).map(|it| it.path.clone());
    let libraries = search.loaded.iter().skip(1).map(|loaded| Library {
        name: loaded.name.clone(),
        path: loaded.path.clone(),
        needed_by: loaded.loader.and_then(path).unwrap_or_default(),
        by_own_path: loaded.by_own_path,
        elf: loaded.elf.clone(),
    });
    Ok(Closure { machine: search.machine, libraries: libraries.collect() })
}

/// A file in the order of loading, and which of those before it asked for it first.
struct Loaded {
    name: String,
    path: PathBuf,
    loader: Option<usize>,
    by_own_path: bool,
    elf: Elf,
}

struct Search<'a> {
    root: &'a dyn Root,
    cache: Vec<u8>,
    machine: Machine,
    loaded: Vec<Loaded>,
}

impl Search<'_> {
    /// Breadth first, as the loader does it, so that the same library is found by the same asker.
    fn run(&mut self) -> Result<(), ClosureError> {
        let mut waiting: VecDeque<usize> = (0..self.loaded.len()).collect();
        while let Some(asker) = waiting.pop_front() {
            let needed = self.loaded.get(asker).map(|it| it.elf.needed.clone()).unwrap_or_default();
            for name in needed {
                let before = self.loaded.len();
                self.load(asker, &name)?;
                waiting.extend(before..self.loaded.len());
            }
        }
        Ok(())
    }

    fn load(&mut self, asker: usize, name: &str) -> Result<(), ClosureError> {
        let same = |it: &Loaded| it.name == name || it.elf.soname.as_deref() == Some(name);
        if self.loaded.iter().skip(1).any(same) {
            return Ok(());
        }
        let places = self.places(asker, name);
        let found = places.iter().find_map(|(path, by_own_path)| {
            let elf = self.root.elf(path)?;
            // One for another processor is passed over.
            (elf.machine == self.machine).then(|| (path.clone(), *by_own_path, elf))
        });
        let Some((path, by_own_path, elf)) = found else {
            let needed_by = self.loaded.get(asker).map(|it| it.path.clone()).unwrap_or_default();
            let tried = places.into_iter().map(|(path, _)| path).collect();
            return Err(ClosureError::Missing { name: name.to_owned(), needed_by, tried });
        };
        let loader = Some(asker);
        self.loaded.push(Loaded { name: name.to_owned(), path, loader, by_own_path, elf });
        Ok(())
    }

    /// The paths at which the loader looks, in its order, and whether a file itself names each.
    fn places(&self, asker: usize, name: &str) -> Vec<(PathBuf, bool)> {
        let Some(asking) = self.loaded.get(asker) else { return Vec::new() };
        if name.contains('/') {
            return vec![(expanded(name, &asking.path), true)];
        }
        let mut places: Vec<(PathBuf, bool)> = Vec::new();
        let mut own = |folders: &[String], of: &Path| {
            let paths = folders.iter().map(|folder| (expanded(folder, of).join(name), true));
            places.extend(paths);
        };
        // The RPATHs of all that led here, unless the asker has a RUNPATH.
        if asking.elf.runpath.is_empty() {
            let mut at = Some(asking);
            while let Some(file) = at {
                own(&file.elf.rpath, &file.path);
                at = file.loader.and_then(|loader| self.loaded.get(loader));
            }
        }
        own(&asking.elf.runpath, &asking.path);
        places
            .extend(loader_cache::lookup(&self.cache, name).into_iter().map(|path| (path, false)));
        if !asking.elf.no_default_folders {
            let folders = default_folders(self.machine);
            places.extend(folders.into_iter().map(|folder| (folder.join(name), false)));
        }
        places
    }

    /// Whether every version that somebody needs is offered.
    fn check_versions(&self) -> Result<(), ClosureError> {
        let mut offers: BTreeMap<&str, &Loaded> = BTreeMap::new();
        for file in self.loaded.iter().skip(1) {
            offers.entry(&file.name).or_insert(file);
            offers.entry(file.elf.soname.as_deref().unwrap_or(&file.name)).or_insert(file);
        }
        for file in &self.loaded {
            for (library, versions) in &file.elf.versions_needed {
                // What offers no versions at all is accepted, as the loader does.
                let Some(offering) = offers.get(library.as_str()) else { continue };
                let offered = &offering.elf.versions_offered;
                let missing = versions.iter().find(|version| !offered.contains(*version));
                if let Some(version) = missing.filter(|_| !offered.is_empty()) {
                    return Err(ClosureError::Version {
                        version: version.clone(),
                        library: offering.path.clone(),
                        needed_by: file.path.clone(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// With `$ORIGIN` as the folder of the file that says it.
fn expanded(folder: &str, of: &Path) -> PathBuf {
    let origin = of.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let path = folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin);
    let mut plain = PathBuf::from("/");
    for component in Path::new(&path).components() {
        match component {
            Component::Normal(part) => plain.push(part),
            Component::ParentDir => {
                plain.pop();
            }
            _ => {}
        }
    }
    plain
}

/// Where a loader looks by itself: Debian's folders for each processor, then everybody's.
pub(crate) fn default_folders(machine: Machine) -> Vec<PathBuf> {
    let triplet = match machine.architecture() {
        Some("amd64") => "x86_64-linux-gnu",
        Some("arm64") => "aarch64-linux-gnu",
        Some("386") => "i386-linux-gnu",
        Some("arm") => "arm-linux-gnueabihf",
        Some("riscv64") => "riscv64-linux-gnu",
        Some("ppc64le") => "powerpc64le-linux-gnu",
        Some("s390x") => "s390x-linux-gnu",
        _ => "",
    };
    let mut folders: Vec<PathBuf> = Vec::new();
    if !triplet.is_empty() {
        folders.extend(["/lib", "/usr/lib"].map(|folder| Path::new(folder).join(triplet)));
    }
    let wide: &[&str] = if machine.is_64 { &["/lib64", "/usr/lib64"] } else { &[] };
    folders.extend(wide.iter().chain(&["/lib", "/usr/lib"]).map(PathBuf::from));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_the_folder_of_whoever_says_it() {
        let program = Path::new("/opt/app/bin/server");
        assert_eq!(expanded("$ORIGIN/../lib", program), Path::new("/opt/app/lib"));
        assert_eq!(expanded("${ORIGIN}", program), Path::new("/opt/app/bin"));
        assert_eq!(expanded("/a/./b", program), Path::new("/a/b"));
    }
}
