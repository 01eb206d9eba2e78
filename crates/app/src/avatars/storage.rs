//! Where the files of profile pictures are kept: a folder, or an S3 bucket.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path as Key,
    prefix::PrefixStore,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::{
    AvatarName, Encoding, MAX_UPLOAD_BYTES, PictureError, parse_file_name, picture::DAMAGED,
    process,
};
use crate::tasks::blocking;

/// How many pictures are processed at once. Each may take a few hundred megabytes for a moment;
/// more of them would not be faster on a small machine.
const PROCESSED_AT_ONCE: usize = 2;
/// How long a connection to the bucket may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one request to the bucket may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a failed request to the bucket is repeated.
const RETRIES: usize = 3;
/// How long reading or writing one file may take in all, waiting and repeating included.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);

/// The pictures that were kept. Clones share the same store.
#[derive(Clone, Debug)]
pub struct Avatars {
    store: Arc<dyn ObjectStore>,
    processing: Arc<Semaphore>,
}

/// How to reach a bucket.
#[derive(Clone, Debug, Default)]
pub struct S3Settings {
    /// Such as `eu-central-1`; `us-east-1` where nothing is said.
    pub region: Option<String>,
    /// The URL of a service other than AWS (`http://…` is allowed, for tests at home).
    pub endpoint: Option<String>,
    /// Given together with the secret. Without both, credentials are looked for where AWS puts
    /// them: environment, web identity, container, machine.
    pub access_key_id: Option<String>,
    /// The secret of that key.
    pub secret_access_key: Option<SecretString>,
    /// What temporary credentials come with.
    pub session_token: Option<SecretString>,
}

/// A kept file.
#[derive(Clone)]
pub struct StoredFile {
    /// `image/jpeg` or `image/png`.
    pub content_type: &'static str,
    /// All of it.
    pub bytes: Bytes,
}

impl fmt::Debug for StoredFile {
    /// Without the content, which nobody wants in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredFile")
            .field("content_type", &self.content_type)
            .field("length", &self.bytes.len())
            .finish()
    }
}

/// Why there is no place to keep pictures in: for the person who runs this program.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The folder can't be created.
    #[error("can't create the folder {} for profile pictures: {source}; name a folder that can be created and written to", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder is there but can't be used.
    #[error("can't use the folder {} for profile pictures: {source}; check that it is a folder and can be written to", path.display())]
    FolderUnusable {
        /// The folder.
        path: PathBuf,
        /// What the store said.
        source: object_store::Error,
    },
    /// One half of the credentials is missing.
    #[error(
        "can't use the bucket {bucket:?} for profile pictures: access key and secret must be given together; set both, or neither to use the machine's own"
    )]
    HalfACredential {
        /// The bucket.
        bucket: String,
    },
    /// The settings of the bucket make no sense.
    #[error(
        "can't use the bucket {bucket:?} for profile pictures: {source}; check bucket, prefix, region and endpoint"
    )]
    Bucket {
        /// The bucket.
        bucket: String,
        /// What the store said.
        source: object_store::Error,
    },
}

/// Why a picture was not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum AvatarError {
    /// The upload is at fault: tell the person.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The store is at fault: log it.
    #[error(
        "can't {action} the profile picture {file}: {source}; check the store's reachability, permissions and free space"
    )]
    Storage {
        /// `save` or `read`.
        action: &'static str,
        /// The file's name in the store.
        file: String,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The program stopped before the picture was processed.
    #[error("can't process the profile picture: the program is stopping; try again in a moment")]
    Stopping,
}

impl Avatars {
    /// Keeps the files in a folder, which is created if it is missing.
    pub fn folder(dir: &Path) -> Result<Self, SetupError> {
        let path = || dir.to_path_buf();
        std::fs::create_dir_all(dir)
            .map_err(|source| SetupError::Folder { path: path(), source })?;
        let store = LocalFileSystem::new_with_prefix(dir)
            .map_err(|source| SetupError::FolderUnusable { path: path(), source })?
            // A name is stored for good once the file is: so the file must survive a power cut.
            .with_fsync(true);
        Ok(Self::new(Arc::new(store)))
    }

    /// Keeps the files in an S3 bucket, which must exist, below a prefix, which may be empty.
    ///
    /// Nothing is sent yet: whether the bucket can be reached shows with the first picture.
    pub fn s3(bucket: &str, prefix: &str, settings: S3Settings) -> Result<Self, SetupError> {
        let unusable = |source| SetupError::Bucket { bucket: bucket.to_owned(), source };
        ensure_tls_provider();
        let store = bucket_builder(bucket, settings)?.build().map_err(unusable)?;
        let prefix = Key::parse(prefix).map_err(|error| unusable(error.into()))?;
        Ok(Self::new(if prefix.as_ref().is_empty() {
            Arc::new(store) as Arc<dyn ObjectStore>
        } else {
            Arc::new(PrefixStore::<AmazonS3>::new(store, prefix))
        }))
    }

    fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, processing: Arc::new(Semaphore::new(PROCESSED_AT_ONCE)) }
    }

    /// Processes an upload and keeps both files. The same picture may be saved any number of
    /// times: it has the same name and the same files.
    pub async fn save(&self, upload: Bytes) -> Result<AvatarName, AvatarError> {
        // Also checked by `process`; here so that it need not wait for its turn.
        if upload.len() > MAX_UPLOAD_BYTES {
            return Err(PictureError::TooLarge { bytes: upload.len() }.into());
        }
        let turn = Arc::clone(&self.processing).acquire_owned().await;
        let turn = turn.map_err(|_| AvatarError::Stopping)?;
        let work = blocking(move || {
            // Held until the work is done, even when nobody waits for it any more.
            let _turn = turn;
            process(&upload)
        });
        let picture = match work.await {
            Ok(picture) => picture?,
            // A decoder that gave up on a picture made to confuse it: the picture's fault.
            Err(error) if error.is_panic() => return Err(DAMAGED.into()),
            Err(_) => return Err(AvatarError::Stopping),
        };
        let [(large, large_bytes), (small, small_bytes)] = picture.files;
        tokio::try_join!(self.put(large, large_bytes), self.put(small, small_bytes))?;
        Ok(picture.name)
    }

    /// Reads a file by its name. `None` if there is no such file, or if no file could be called
    /// that; the store only ever sees names that [`AvatarName::file`] makes.
    pub async fn open(&self, file_name: &str) -> Result<Option<StoredFile>, AvatarError> {
        let Some(encoding) = parse_file_name(file_name) else { return Ok(None) };
        let key = Key::from(file_name);
        let read = async {
            match self.store.get(&key).await {
                Ok(found) => found.bytes().await.map(Some),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let bytes = in_time(read).await.map_err(|source| AvatarError::Storage {
            action: "read",
            file: file_name.to_owned(),
            source,
        })?;
        let content_type = encoding.content_type();
        Ok(bytes.map(|bytes| StoredFile { content_type, bytes }))
    }

    async fn put(&self, file: String, bytes: Bytes) -> Result<(), AvatarError> {
        let key = Key::from(file.as_str());
        match in_time(self.store.put(&key, bytes.into())).await {
            Ok(_) => Ok(()),
            Err(source) => Err(AvatarError::Storage { action: "save", file, source }),
        }
    }
}

/// Waits for the store, but not for ever.
async fn in_time<T>(
    work: impl Future<Output = object_store::Result<T>>,
) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
    match tokio::time::timeout(TOTAL_TIMEOUT, work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Box::new(TooSlow)),
    }
}

#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} seconds", TOTAL_TIMEOUT.as_secs())
    }
}

impl std::error::Error for TooSlow {}

fn bucket_builder(bucket: &str, settings: S3Settings) -> Result<AmazonS3Builder, SetupError> {
    let plain_http = settings.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
    let mut options = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_timeout(REQUEST_TIMEOUT)
        .with_allow_http(plain_http);
    for encoding in [Encoding::Jpeg, Encoding::Png] {
        // For whoever looks at the bucket directly or serves it through a CDN.
        options =
            options.with_content_type_for_suffix(encoding.extension(), encoding.content_type());
    }
    let retry = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: TOTAL_TIMEOUT,
        ..RetryConfig::default()
    };
    let mut builder = match (settings.access_key_id, settings.secret_access_key) {
        // Not `from_env`: a session token found there would not belong to this key.
        (Some(id), Some(secret)) => AmazonS3Builder::new()
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret()),
        (None, None) => AmazonS3Builder::from_env(),
        _ => return Err(SetupError::HalfACredential { bucket: bucket.to_owned() }),
    };
    if let Some(token) = settings.session_token {
        builder = builder.with_token(token.expose_secret());
    }
    if let Some(region) = settings.region {
        builder = builder.with_region(region);
    }
    let builder = builder.with_bucket_name(bucket).with_client_options(options).with_retry(retry);
    Ok(match settings.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
        None => builder,
    })
}

/// The HTTP client is built without a TLS implementation of its own and takes the process's.
fn ensure_tls_provider() {
    // An error says that there is one already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
#[path = "storage_tests.rs"]
mod tests;
