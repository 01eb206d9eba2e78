//! The image that is released: from this machine into ECR, and by what digests a task may call it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imagebuild::archive::{self, ArchiveError};
use imagebuild::blobs::{BlobError, Blobs};
use imagebuild::preflight::could_not_start;
use imagebuild::read::{self, Named, Platforms, ReadError};
use imagebuild::reference::{NoPlace, Place, Reference};
use imagebuild::registry::client::{Connection, Patience, RegistryError, Repository};
use imagebuild::registry::credentials::Credential;
use imagebuild::registry::push::{How, Parcel, push};
use indicatif::MultiProgress;
use oci_spec::image::Descriptor;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws::error::AwsError;
use crate::aws::{Client, Service};

/// An image that tasks can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// As a task definition names it: `REGISTRY/REPOSITORY@DIGEST`.
    pub reference: String,
    /// Its digest, and for an index those of the images that it lists: a task tells one of them.
    pub digests: Vec<String>,
    /// What was sent for it, in bytes.
    pub sent: u64,
}

impl Image {
    /// One that is there, by its name. This account's registry is asked for the images that it lists, as
    /// far as it may be; of others, the name's digest is known.
    pub async fn known(client: &Client, reference: &str) -> Self {
        let asked = async {
            let found: Reference = reference.parse().ok()?;
            let ecr = Ecr::sign_in(client).await.ok().filter(|ecr| ecr.host == found.host)?;
            there(&ecr, &found).await.ok()
        };
        asked.await.unwrap_or_else(|| {
            let digest = reference.split_once('@').map(|(_, digest)| digest.to_owned());
            Self { reference: reference.to_owned(), digests: digest.into_iter().collect(), sent: 0 }
        })
    }
}

/// Why there is no image to release.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// See there.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// See there.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// See there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// See there.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// See there.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It could not start, or is not what it says.
    #[error("{image} is not released:{}", items(.problems))]
    Unsound {
        /// Which.
        image: String,
        /// What is wrong with it.
        problems: Vec<String>,
    },
    /// No repository is named.
    #[error(
        "name the repository of ECR that {0} goes to: repository = \"NAME\" in deploy.toml, or --repository NAME"
    )]
    NoRepository(String),
    /// The registry does not have it.
    #[error("there is no image {0}")]
    Absent(String),
    /// ECR gave no token.
    #[error("ecr:GetAuthorizationToken: the answer holds no token")]
    NoToken,
}

fn items(problems: &[String]) -> String {
    problems.iter().fold(String::new(), |text, problem| text + "\n  - " + problem)
}

/// A registry of ECR, and who may push to it for twelve hours.
struct Ecr {
    host: String,
    plain_http: bool,
    credential: Credential,
}

impl Ecr {
    async fn sign_in(client: &Client) -> Result<Self, ImageError> {
        let answer = client.call(Service::Ecr, "GetAuthorizationToken", &json!({})).await?;
        let text = |key: &str| {
            answer.pointer(&format!("/authorizationData/0/{key}")).and_then(Value::as_str)
        };
        let token = text("authorizationToken").and_then(|token| STANDARD.decode(token).ok());
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let endpoint = text("proxyEndpoint").unwrap_or_default();
        let (scheme, host) = endpoint.split_once("://").ok_or(ImageError::NoToken)?;
        let (user, password) =
            token.as_deref().and_then(|it| it.split_once(':')).ok_or(ImageError::NoToken)?;
        let credential = Credential::Basic { user: user.to_owned(), password: password.to_owned() };
        let host = host.trim_end_matches('/').to_owned();
        Ok(Self { host, plain_http: scheme == "http", credential })
    }

    fn repository(&self, reference: &Reference) -> Result<Repository, RegistryError> {
        // A token is good for the registries of other accounts as well, as far as its owner is.
        let elsewhere = |host: &str| host.split_once(".dkr.ecr.").map(|(_, rest)| rest.to_owned());
        let is_ecr = elsewhere(&reference.host).is_some()
            && elsewhere(&reference.host) == elsewhere(&self.host);
        let is_ours = reference.host == self.host || is_ecr;
        let credential = is_ours.then(|| self.credential.clone());
        let plain_http = self.plain_http;
        let patience = Patience::default();
        Repository::new(reference, None, Connection { plain_http, credential, patience })
    }
}

/// An image that is to be in ECR: one of this machine (`oci:`, `oci-archive:`, `docker-archive:`), or
/// one that is written `docker://…` and must be there.
pub struct Delivery {
    ecr: Ecr,
    origin: Origin,
}

enum Origin {
    Local { image: Box<Local>, repository: String },
    Registry(Image),
}

impl Delivery {
    /// Signs in, and finds the image; nothing is pushed yet.
    pub async fn open(
        client: &Client,
        image: &str,
        repository: Option<&str>,
    ) -> Result<Self, ImageError> {
        let place: Place = image.parse()?;
        if let Place::Registry(reference) = &place {
            let ecr = Ecr::sign_in(client).await?;
            let origin = Origin::Registry(there(&ecr, reference).await?);
            return Ok(Self { ecr, origin });
        }
        let name = image;
        let image = Box::new(Local::open(name, &place)?);
        let repository = repository.ok_or_else(|| ImageError::NoRepository(name.to_owned()))?;
        let ecr = Ecr::sign_in(client).await?;
        let origin = Origin::Local { image, repository: repository.to_owned() };
        Ok(Self { ecr, origin })
    }

    /// How a task definition names it.
    pub fn reference(&self) -> String {
        match &self.origin {
            Origin::Local { image, repository } => {
                format!("{}/{repository}@{}", self.ecr.host, image.found.top.digest())
            }
            Origin::Registry(image) => image.reference.clone(),
        }
    }

    /// For which processors it is, as Go calls them, if it is of this machine and says so.
    pub fn architectures(&self) -> Option<Vec<String>> {
        match &self.origin {
            Origin::Local { image, .. } => image.architectures(),
            Origin::Registry(_) => None,
        }
    }

    /// Sees to it that it is there, under tags if there are some. One of this machine is looked at first:
    /// it must be what it says, and could start.
    pub async fn deliver(self, tags: &[String], bars: &MultiProgress) -> Result<Image, ImageError> {
        match self.origin {
            Origin::Local { image, repository } => {
                image.sound()?;
                image.pushed(&self.ecr, &repository, tags, bars).await
            }
            Origin::Registry(image) => Ok(image),
        }
    }
}

/// An image of this machine.
struct Local {
    /// As it was written.
    name: String,
    folder: PathBuf,
    found: Named,
    _unpacked: Option<TempDir>,
}

impl Local {
    fn open(name: &str, place: &Place) -> Result<Self, ImageError> {
        let (folder, tag, unpacked) = match place {
            Place::Layout { folder, tag } => (folder.clone(), tag.clone(), None),
            Place::Archive { file, tag } => {
                let unpacked = archive::unpack(file)?;
                (unpacked.path().to_owned(), tag.clone(), Some(unpacked))
            }
            Place::DockerArchive { file, .. } => {
                let unpacked = archive::unpack(file)?;
                (unpacked.path().to_owned(), None, Some(unpacked))
            }
            Place::Registry(reference) => return Err(ImageError::Absent(reference.to_string())),
        };
        let found = read::find(&folder, tag.as_deref(), Platforms::All)?;
        Ok(Self { name: name.to_owned(), folder, found, _unpacked: unpacked })
    }

    fn architectures(&self) -> Option<Vec<String>> {
        let blobs = Blobs::open(&self.folder.join("blobs/sha256")).ok()?;
        let json = |digest: &str| -> Option<Value> {
            serde_json::from_slice(&blobs.get(digest.parse().ok()?).ok()?).ok()
        };
        let of = |image: &Descriptor| {
            let manifest = json(image.digest().as_ref())?;
            let config = json(manifest.pointer("/config/digest")?.as_str()?)?;
            Some(config.get("architecture")?.as_str()?.to_owned())
        };
        self.found.images.iter().map(of).collect()
    }

    /// Every digest is computed again, and every image looked at.
    fn sound(&self) -> Result<(), ImageError> {
        for image in &self.found.images {
            let contents = read::read(&self.folder, image);
            let problems = could_not_start(&contents);
            let faults = contents.faults.iter().map(ToString::to_string);
            let problems: Vec<String> =
                faults.chain(problems.iter().map(ToString::to_string)).collect();
            if !problems.is_empty() {
                return Err(ImageError::Unsound { image: self.name.clone(), problems });
            }
        }
        Ok(())
    }

    async fn pushed(
        &self,
        ecr: &Ecr,
        repository: &str,
        tags: &[String],
        bars: &MultiProgress,
    ) -> Result<Image, ImageError> {
        let Self { folder, found, .. } = self;
        let blobs = Blobs::open(&folder.join("blobs/sha256"))?;
        let digest = found.top.digest().to_string();
        let refuse = |_| ImageError::Absent(digest.clone());
        let manifest = blobs.get(digest.parse().map_err(refuse)?)?;
        let parcel = Parcel::new(found.top.media_type(), &manifest, &blobs, &BTreeMap::new())?;
        let reference: Reference = format!("{}/{repository}", ecr.host).parse()?;
        let pushed = push(&ecr.repository(&reference)?, &parcel, tags, bars).await?;
        let sent = pushed.blobs.iter().filter(|blob| blob.how == How::Uploaded);
        let mut digests = vec![digest.clone()];
        digests.extend(found.images.iter().map(|image| image.digest().to_string()));
        digests.dedup();
        let sent = sent.map(|blob| blob.size).sum();
        Ok(Image { reference: format!("{}/{repository}@{digest}", ecr.host), digests, sent })
    }
}

async fn there(ecr: &Ecr, reference: &Reference) -> Result<Image, ImageError> {
    let repository = ecr.repository(reference)?;
    let absent = || ImageError::Absent(reference.to_string());
    let got = repository.get_manifest(&reference.wanted()).await?.ok_or_else(absent)?;
    let digest = got.digest.to_string();
    let listed: Value = serde_json::from_slice(&got.bytes).unwrap_or_default();
    let listed = listed.get("manifests").and_then(Value::as_array).into_iter().flatten();
    let listed = listed.filter_map(|it| Some(it.get("digest")?.as_str()?.to_owned()));
    let digests = std::iter::once(digest.clone()).chain(listed).collect();
    let reference = format!("{}/{}@{digest}", reference.host, reference.repository);
    Ok(Image { reference, digests, sent: 0 })
}
