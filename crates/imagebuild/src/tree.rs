//! What a container sees: the entries of all layers, links followed inside of the image. Pure, but
//! for the bytes of files that are on this machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use crate::closure::Root;
use crate::elf::Elf;
use crate::layer::{Entries, Entry, Node, UNDATED};

/// Links that lead to links are followed so many times (`path_resolution(7)`).
const LINKS: usize = 40;

/// Entries by their path, the upper layer's where several have one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree<'a>(BTreeMap<&'a str, &'a Entry>);

/// The root folder, which is in no layer.
static TOP: Entry = Entry { node: Node::Folder, mode: 0o755, owner: (0, 0), modified: UNDATED };

impl<'a> Tree<'a> {
    /// Of layers from the lowest, without anything that marks what is gone.
    pub(crate) fn new(layers: impl IntoIterator<Item = &'a Entries>) -> Self {
        Self(layers.into_iter().flat_map(Entries::iter).collect())
    }

    /// What is at a path, links followed.
    pub(crate) fn find(&self, path: &Path) -> Option<&'a Entry> {
        let (at, rest) = self.walk(path)?;
        match at.as_str() {
            _ if !rest.as_os_str().is_empty() => None,
            "" => Some(&TOP),
            at => self.0.get(at).copied(),
        }
    }

    /// The path without links, as far as it is there; `None` if its links lead nowhere.
    pub(crate) fn resolve(&self, path: &str) -> Option<String> {
        let (at, rest) = self.walk(Path::new(path))?;
        let rest = rest.to_str()?;
        Some(if rest.is_empty() { at } else { format!("{at}/{rest}") })
    }

    /// How far a path leads, and what is left of it.
    fn walk(&self, path: &Path) -> Option<(String, PathBuf)> {
        let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
        let mut at = String::new();
        let mut left = LINKS;
        while let Some(path) = waiting.pop() {
            let mut parts = path.components();
            while let Some(part) = parts.next() {
                match part {
                    Component::RootDir => at.clear(),
                    Component::ParentDir => at.truncate(at.rfind('/').unwrap_or_default()),
                    Component::Normal(name) => {
                        let next = format!("{at}/{}", name.to_str()?);
                        let Some(entry) = self.0.get(next.as_str()) else {
                            let after = waiting.iter().rev().map(PathBuf::as_path);
                            let rest = [Path::new(name), parts.as_path()].into_iter().chain(after);
                            // Joining nothing would leave a slash at the end.
                            let rest = rest.filter(|part| !part.as_os_str().is_empty()).collect();
                            return Some((at, rest));
                        };
                        if let Node::Link(target) = &entry.node {
                            left = left.checked_sub(1)?;
                            waiting.push(parts.as_path().to_owned());
                            waiting.push(target.into());
                            break;
                        }
                        at = next;
                    }
                    Component::CurDir | Component::Prefix(_) => {}
                }
            }
        }
        Some((at, PathBuf::new()))
    }
}

impl Root for Tree<'_> {
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        match &self.find(path)?.node {
            Node::Bytes(bytes) => Some(bytes.clone()),
            Node::Copy { from, .. } => fs::read(from).ok(),
            Node::Folder | Node::Link(_) | Node::Known { .. } => None,
        }
    }

    fn elf(&self, path: &Path) -> Option<Elf> {
        match &self.find(path)?.node {
            Node::Bytes(bytes) => Elf::parse(bytes.as_slice()).ok(),
            Node::Copy { from, .. } => Elf::open(File::open(from).ok()?).ok(),
            Node::Folder | Node::Link(_) | Node::Known { .. } => None,
        }
    }
}
