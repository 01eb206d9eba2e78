//! What is said of an image, beside it: an artifact that refers to it (image-spec 1.1, "Guidelines
//! for Artifact Usage"; distribution-spec 1.1, "Pushing Manifests with Subject"). The image itself
//! stays as it is.

use std::collections::BTreeMap;

use indicatif::MultiProgress;
use oci_spec::image::{ImageIndex, MediaType};
use serde_json::{Value, json};

use super::client::{Got, RegistryError, Repository};
use super::push::{Parcel, push};
use crate::blobs::{BlobError, Blobs};
use crate::digest::Digest;

/// The configuration of what has none.
const EMPTY: &[u8] = b"{}";

/// Something that is said of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// What kind of thing it is: a media type.
    pub kind: &'a str,
    /// Said of it, by key.
    pub annotations: &'a [(&'a str, &'a str)],
    /// Itself.
    pub bytes: &'a [u8],
}

/// Why it was not said.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// See there.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The list of what refers to the image is none.
    #[error("{tag} is no list of what refers to an image: {reason}")]
    Index {
        /// The tag that stands for it.
        tag: String,
        /// Why.
        reason: String,
    },
}

/// Says something of the image that a registry has. Where the registry keeps no list of what refers
/// to an image, it is kept under a tag, as the specification wants it; who writes that at the same
/// moment may win. Gives the digest of what was said.
pub async fn attach(
    to: &Repository,
    subject: &Got,
    statement: &Statement<'_>,
    blobs: &Blobs,
    bars: &MultiProgress,
) -> Result<Digest, AttachError> {
    let described = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len() });
    let annotations: BTreeMap<&str, &str> = statement.annotations.iter().copied().collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::ImageManifest.to_string(),
        "artifactType": statement.kind,
        "config": described("application/vnd.oci.empty.v1+json", EMPTY),
        "layers": [described(statement.kind, statement.bytes)],
        "subject": described(&subject.media_type, &subject.bytes),
        "annotations": annotations,
    });
    let manifest = manifest.to_string().into_bytes();
    for bytes in [EMPTY, statement.bytes] {
        blobs.put(bytes)?;
    }
    let kind = MediaType::ImageManifest;
    let parcel = Parcel::new(&kind, &manifest, blobs, &BTreeMap::new())?;
    let pushed = push(to, &parcel, &[], bars).await?;
    if pushed.keeps_referrers == Some(false) {
        let mut entry = described(&parcel.media_type, &manifest);
        if let Some(fields) = entry.as_object_mut() {
            fields.insert("artifactType".to_owned(), statement.kind.into());
            fields.insert("annotations".to_owned(), json!(annotations));
        }
        list(to, subject.digest, entry).await?;
    }
    Ok(pushed.digest)
}

/// distribution-spec 1.1, "Referrers Tag Schema".
async fn list(to: &Repository, subject: Digest, entry: Value) -> Result<(), AttachError> {
    let tag = format!("sha256-{}", subject.hex());
    let refuse = |error: serde_json::Error| AttachError::Index {
        tag: tag.clone(),
        reason: error.to_string(),
    };
    let kind = MediaType::ImageIndex.to_string();
    let mut index = match to.get_manifest(&tag).await? {
        Some(got) => {
            // Only if it is one is it written again.
            serde_json::from_slice::<ImageIndex>(&got.bytes).map_err(refuse)?;
            serde_json::from_slice(&got.bytes).map_err(refuse)?
        }
        None => json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [] }),
    };
    let list = index.get_mut("manifests").and_then(Value::as_array_mut);
    if let Some(list) =
        list.filter(|list| list.iter().all(|it| it.get("digest") != entry.get("digest")))
    {
        list.push(entry);
        to.put_manifest(&tag, &kind, index.to_string().as_bytes()).await?;
    }
    Ok(())
}
