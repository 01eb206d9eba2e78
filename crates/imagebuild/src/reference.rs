//! How the place of an image is written: as skopeo writes it (containers-transports(5)). Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::digest::Digest;

/// A place where an image is, or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `oci:DIR[:TAG]`: a folder in the OCI image layout.
    Layout {
        /// The folder.
        folder: PathBuf,
        /// Which of its images.
        tag: Option<String>,
    },
    /// `oci-archive:FILE[:TAG]`: such a folder as a tar archive.
    Archive {
        /// The archive.
        file: PathBuf,
        /// Which of its images.
        tag: Option<String>,
    },
    /// `docker-archive:FILE[:NAME[:TAG]]`: the same, for `docker load` and `podman load`.
    DockerArchive {
        /// The archive.
        file: PathBuf,
        /// What the image will be called there.
        name: Option<String>,
    },
    /// `docker://HOST/REPOSITORY[:TAG][@DIGEST]`.
    Registry(Reference),
}

/// An image, or more of them, in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host and port, such as `docker.io` or `127.0.0.1:5000`.
    pub host: String,
    /// Such as `library/debian`.
    pub repository: String,
    /// Its name for now; `latest` if neither tag nor digest is said.
    pub tag: Option<String>,
    /// Its name for ever.
    pub digest: Option<Digest>,
}

/// Text that names no place for an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no place for an image: {why}")]
pub struct NoPlace {
    text: String,
    why: &'static str,
}

/// The hosts of Docker Hub's registry have another name than its images.
const DOCKER_HUB: &str = "docker.io";
const KINDS: &str = "write oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG] or \
                     docker://HOST/REPOSITORY[:TAG][@DIGEST]";

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let refuse = |why| NoPlace { text: text.to_owned(), why };
        if let Some(rest) = text.strip_prefix("docker://") {
            return rest.parse().map(Self::Registry);
        }
        let (kind, rest) = text.split_once(':').ok_or_else(|| refuse(KINDS))?;
        let (path, name) = match rest.split_once(':') {
            Some((path, name)) => (path, Some(name.to_owned())),
            None => (rest, None),
        };
        if path.is_empty() || name.as_deref() == Some("") {
            return Err(refuse(KINDS));
        }
        match kind {
            "oci" => Ok(Self::Layout { folder: path.into(), tag: name }),
            "oci-archive" => Ok(Self::Archive { file: path.into(), tag: name }),
            "docker-archive" => Ok(Self::DockerArchive { file: path.into(), name }),
            _ => Err(refuse(KINDS)),
        }
    }
}

impl FromStr for Reference {
    type Err = NoPlace;

    /// Without `docker://`. What Docker leaves out is put in: `debian` is
    /// `docker.io/library/debian:latest`.
    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let refuse = |why| NoPlace { text: format!("docker://{text}"), why };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest = digest.parse();
                let why = "its digest must be \"sha256:\" and 64 hex digits in lower case";
                (name, Some(digest.map_err(|_| refuse(why))?))
            }
            None => (text, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DOCKER_HUB, name),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, None),
        };
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            let why = "a tag has at most 128 letters, digits, \"_\", \".\" and \"-\", and starts with \
                       none of the last two";
            return Err(refuse(why));
        }
        let repository = match host {
            DOCKER_HUB if !repository.contains('/') => format!("library/{repository}"),
            _ => repository.to_owned(),
        };
        if !is_repository(&repository) {
            let why = "a repository has lower case letters, digits, \".\", \"_\", \"-\" and \"/\"";
            return Err(refuse(why));
        }
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Ok(Self { host: host.to_owned(), repository, tag, digest })
    }
}

/// The first part of a name is a host if it could be no part of a repository.
fn is_host(text: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]".contains(letter);
    !text.is_empty()
        && text.chars().all(letters)
        && (text.contains(['.', ':']) || text == "localhost")
}

/// distribution-spec, "Pulling manifests".
pub(crate) fn is_repository(text: &str) -> bool {
    text.len() <= 255
        && text.split('/').all(|part| {
            let ends = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
            let inside = |letter: char| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || "._-".contains(letter)
            };
            ends(part.chars().next()) && ends(part.chars().last()) && part.chars().all(inside)
        })
}

/// distribution-spec, "Pulling manifests".
pub(crate) fn is_tag(text: &str) -> bool {
    let inside = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    (1..=128).contains(&text.len()) && text.chars().all(inside) && !text.starts_with(['.', '-'])
}

impl Reference {
    /// What a registry is asked for: the digest if there is one.
    pub fn wanted(&self) -> String {
        let tag = || self.tag.clone().unwrap_or_else(|| "latest".to_owned());
        self.digest.map_or_else(tag, |digest| digest.to_string())
    }

    /// Host and repository.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, name) = match self {
            Self::Layout { folder, tag } => ("oci", folder, tag),
            Self::Archive { file, tag } => ("oci-archive", file, tag),
            Self::DockerArchive { file, name } => ("docker-archive", file, name),
            Self::Registry(reference) => return write!(f, "docker://{reference}"),
        };
        write!(f, "{kind}:{}", path.display())?;
        name.as_ref().map_or(Ok(()), |name| write!(f, ":{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> (String, String) {
        let reference: Reference = text.parse().unwrap();
        (reference.to_string(), reference.wanted())
    }

    #[test]
    fn places_are_written_as_skopeo_writes_them() {
        for text in [
            "oci:/a/b:1.2",
            "oci:out",
            "oci-archive:a.tar:1",
            "docker-archive:a.tar:name:1",
            "docker://127.0.0.1:5000/a/b:1",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for wrong in
            ["out", "oci:", "oci::x", "oci:out:", "docker:x", "podman://x", "docker://", ""]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_docker_leaves_out_is_put_in() {
        let of = |name: &str, wanted: &str| (name.to_owned(), wanted.to_owned());
        assert_eq!(reference("debian"), of("docker.io/library/debian:latest", "latest"));
        assert_eq!(reference("a/b:1"), of("docker.io/a/b:1", "1"));
        assert_eq!(reference("localhost/b"), of("localhost/b:latest", "latest"));
        assert_eq!(reference("[::1]:5000/b:1"), of("[::1]:5000/b:1", "1"));
        let digest = Digest::of(b"").to_string();
        let both = format!("gcr.io/distroless/cc:1@{digest}");
        assert_eq!(reference(&both), of(&both, &digest));
        for wrong in
            ["a/B", "a:", "a:.x", "a//b", "a/../b", "host.io/", "a@sha256:0", "a/-b", "a?x=1"]
        {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong}");
        }
    }
}
