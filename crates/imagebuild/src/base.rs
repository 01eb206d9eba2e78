//! What an image stands on: another image; and the file that says which one that is for ever.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use oci_spec::image::{History, MediaType};

use crate::blobs::{BlobError, replace};
use crate::digest::Digest;
use crate::image::Settings;
use crate::layer::{Entries, Node, Written};
use crate::read::{Contents, Fault};

/// An image that another one stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// What it was asked for as, such as `docker.io/library/debian:12`.
    pub name: String,
    /// Of the index or manifest that the name stood for.
    pub digest: Digest,
    /// From the lowest.
    pub layers: Vec<(MediaType, Written)>,
    /// What is said of how it came to be.
    pub history: Vec<History>,
    /// How it is started.
    pub settings: Settings,
    /// What a container of it sees.
    pub entries: Entries,
}

impl Base {
    /// Fills in what is not set, as a Dockerfile's `FROM` does.
    pub(crate) fn settle(&self, settings: &mut Settings) {
        let own = &self.settings;
        if settings.user.is_empty() {
            settings.user = numbers(&self.entries, &own.user);
        }
        if settings.working_dir.is_empty() {
            settings.working_dir.clone_from(&own.working_dir);
        }
        let named = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
        let set: Vec<String> = settings.env.iter().map(|it| named(it)).collect();
        let inherited = own.env.iter().filter(|it| !set.contains(&named(it))).cloned();
        settings.env = inherited.chain(settings.env.iter().cloned()).collect();
        for (name, value) in &own.labels {
            settings.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let ports = own.ports.iter().filter(|port| !settings.ports.contains(port)).cloned();
        settings.ports = ports.chain(settings.ports.iter().cloned()).collect();
        if settings.stop_signal.is_none() {
            settings.stop_signal.clone_from(&own.stop_signal);
        }
        let annotations = [("name", self.name.clone()), ("digest", self.digest.to_string())];
        for (key, value) in annotations {
            settings.annotations.insert(format!("org.opencontainers.image.base.{key}"), value);
        }
    }
}

/// `UID:GID` of a user by name, as an image's own `/etc/passwd` has it (passwd(5)).
pub(crate) fn numbers(image: &Entries, user: &str) -> String {
    let file = image.get("/etc/passwd").map(|entry| &entry.node);
    let Some(Node::Bytes(bytes)) = file else { return user.to_owned() };
    let text = String::from_utf8_lossy(bytes);
    let found = text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [name, _, uid, gid, ..] if *name == user => Some(format!("{uid}:{gid}")),
            _ => None,
        }
    });
    found.unwrap_or_else(|| user.to_owned())
}

/// Why an image can't be stood on.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// It is not as it should be.
    #[error("the base image {name} is not sound: {fault}")]
    Unsound {
        /// Which.
        name: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The file with the digests of bases can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A line of it.
    #[error("line {number} of {} is no name of an image and its digest", .path.display())]
    Line {
        /// Which.
        path: PathBuf,
        /// From 1.
        number: usize,
    },
    /// It can't be written.
    #[error(transparent)]
    Write(#[from] BlobError),
}

/// Makes an image that was read one to stand on.
pub fn on(name: String, digest: Digest, image: Contents) -> Result<Base, BaseError> {
    match image.faults.into_iter().next() {
        Some(fault) => Err(BaseError::Unsound { name, fault }),
        None => Ok(Base {
            name,
            digest,
            layers: image.layers,
            history: image.history,
            settings: image.settings,
            entries: image.entries,
        }),
    }
}

/// Which digest each base has: lines with a name and a digest, in a file that is checked in, so that
/// everybody builds on the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<String, Digest>);

impl Lock {
    /// Reads the file; one that is not there says nothing.
    pub fn read(path: &Path) -> Result<Self, BaseError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(reason) => return Err(BaseError::Lock { path: path.to_owned(), reason }),
        };
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let parsed = lines.map(|(number, line)| {
            let pair = line
                .split_once(' ')
                .and_then(|(name, digest)| Some((name.to_owned(), digest.trim().parse().ok()?)));
            pair.ok_or_else(|| BaseError::Line { path: path.to_owned(), number })
        });
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    /// The digest of a base.
    pub fn get(&self, name: &str) -> Option<Digest> {
        self.0.get(name).copied()
    }

    /// Says it, and whether that is new.
    pub fn set(&mut self, name: &str, digest: Digest) -> bool {
        self.0.insert(name.to_owned(), digest) != Some(digest)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<(), BaseError> {
        let mut text = "# The base images that this is built on. `imagebuild build --update-base` \
                        looks them up again.\n"
            .to_owned();
        for (name, digest) in &self.0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} {digest}");
        }
        // A file that is named alone is in this folder.
        let path = if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) };
        Ok(replace(&path, text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.lock");
        let mut lock = Lock::read(&path).unwrap();
        assert_eq!(lock.get("debian"), None);
        assert!(lock.set("debian", Digest::of(b"1")) && !lock.set("debian", Digest::of(b"1")));
        lock.write(&path).unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        fs::write(&path, "# a\n\ndebian sha256:1\n").unwrap();
        assert!(Lock::read(&path).unwrap_err().to_string().starts_with("line 3 of"));
    }

    #[test]
    fn what_is_not_set_is_the_bases() {
        let mut entries = Entries::default();
        let passwd = Node::Bytes(b"root:x:0:0::/:\nweb:x:33:34::/:/bin/sh\n".to_vec());
        let entry = crate::layer::Entry { node: passwd, mode: 0o644, owner: (0, 0), modified: 0 };
        entries.put("/etc/passwd", entry);
        let words = |text: &[&str]| text.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let base = Base {
            name: "debian".to_owned(),
            digest: Digest::of(b""),
            layers: Vec::new(),
            history: Vec::new(),
            settings: Settings {
                env: words(&["PATH=/bin", "A=1"]),
                user: "web".to_owned(),
                working_dir: "/srv".to_owned(),
                ..Settings::default()
            },
            entries,
        };
        let mut settings = Settings { env: words(&["A=2"]), ..Settings::default() };
        base.settle(&mut settings);
        assert_eq!(settings.env, ["PATH=/bin", "A=2"]);
        assert_eq!((settings.user.as_str(), settings.working_dir.as_str()), ("33:34", "/srv"));
        assert_eq!(settings.annotations["org.opencontainers.image.base.name"], "debian");
        let mut own = Settings { user: "1:1".to_owned(), ..Settings::default() };
        base.settle(&mut own);
        assert_eq!(own.user, "1:1");
    }
}
