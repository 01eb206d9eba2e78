//! One function for each step of the protocol (distribution-spec v1.1).
//!
//! Every step is repeated where that may help: connections that end, answers that say to come again
//! later, tokens that have expired. Credentials go to the registry and nowhere else.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER,
};
use reqwest::redirect::Policy;
use reqwest::{Body, Method, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::auth::Auth;
use super::credentials::Credential;
use crate::blobs::Blobs;
use crate::digest::{Digest, Hashing};
use crate::reference::Reference;

/// The most that is read of an answer that says what went wrong, or is a token, in bytes.
pub(super) const LARGEST_ANSWER: u64 = 64 << 10;
/// The largest manifest that is read, in bytes (distribution-spec, "Pushing Manifests").
const LARGEST_MANIFEST: u64 = 4 << 20;
/// How much of a blob is read and sent at a time, in bytes.
const CHUNK: usize = 256 << 10;

/// The manifests that are understood.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.oci.image.index.v1+json, \
                         application/vnd.docker.distribution.manifest.v2+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json";

/// How long a registry is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often something is tried.
    pub attempts: u32,
    /// The pause after the first try; twice as long after each that follows.
    pub pause: Duration,
    /// How long nothing may be heard, or be taken of a blob.
    pub silence: Duration,
    /// How long an answer may take when all of a blob was sent: large ones are looked through.
    pub answer: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 5,
            pause: Duration::from_millis(500),
            silence: Duration::from_mins(1),
            answer: Duration::from_mins(5),
        }
    }
}

/// The longest that a registry may tell to wait.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a registry did not do what it was asked for. Never holds a secret: of addresses, what stands
/// behind a question mark is left out.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("{what}: {reason}")]
    Unreachable {
        /// What was tried.
        what: String,
        /// Why it failed, and what to do.
        reason: String,
    },
    /// It said no.
    #[error("{what}: the registry answers {status}{}{}", said(.errors), advice(*.status, .errors, *.known))]
    Refused {
        /// What was tried.
        what: String,
        /// Its status.
        status: StatusCode,
        /// Codes and messages.
        errors: Vec<(String, String)>,
        /// Whether there were credentials.
        known: bool,
    },
    /// An answer that it must not give.
    #[error("{what}: {why}")]
    Answer {
        /// What it was about.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A blob on this machine.
    #[error("{path} can't be read or written: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: std::io::Error,
    },
    /// The tag belongs to another image for ever.
    #[error(
        "{reference} is {found} and can't be changed, because the registry's tags are immutable; this \
         image is {wanted}. Push it under another tag"
    )]
    Immutable {
        /// Where.
        reference: String,
        /// The image that has the tag.
        found: String,
        /// The image that was pushed.
        wanted: String,
    },
    /// See there.
    #[error(transparent)]
    Credential(#[from] super::credentials::CredentialError),
    /// The machine can't do it.
    #[error("no connections can be made: {0}")]
    Setup(String),
}

fn said(errors: &[(String, String)]) -> String {
    errors.iter().fold(String::new(), |mut text, (code, message)| {
        // Writing to a String cannot fail.
        let _ = write!(text, "; {code}: {message}");
        text
    })
}

fn advice(status: StatusCode, errors: &[(String, String)], known: bool) -> &'static str {
    let is = |code: &str| errors.iter().any(|(it, _)| it == code);
    match status {
        StatusCode::UNAUTHORIZED if !known => {
            ". There are no credentials for it: run `docker login` or `podman login`, or set \
             IMAGEBUILD_USER and IMAGEBUILD_PASSWORD"
        }
        StatusCode::UNAUTHORIZED => ". Its credentials are wrong, or have expired: sign in again",
        StatusCode::FORBIDDEN => ". These credentials may not do that",
        StatusCode::NOT_FOUND if is("NAME_UNKNOWN") => ". Create the repository first",
        StatusCode::TOO_MANY_REQUESTS => ". Try again later",
        _ => "",
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorItem>,
}

#[derive(Deserialize)]
struct ErrorItem {
    code: String,
    #[serde(default)]
    message: String,
}

impl RegistryError {
    pub(super) fn unreachable(what: &str, error: &reqwest::Error) -> Self {
        let mut reason = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        // The outermost only says that there was a request, and its address with all secrets.
        while let Some(error) = cause {
            cause = error.source();
            if cause.is_none() {
                reason = error.to_string();
            }
        }
        if error.is_timeout() {
            "it does not answer".clone_into(&mut reason);
        }
        Self::Unreachable { what: what.to_owned(), reason }
    }

    pub(super) fn refused(what: &str, status: StatusCode, body: &[u8], known: bool) -> Self {
        let parsed: Option<Errors> = serde_json::from_slice(body).ok();
        let errors = parsed.map(|it| it.errors).unwrap_or_default();
        let errors = errors.into_iter().map(|error| (error.code, error.message)).collect();
        Self::Refused { what: what.to_owned(), status, errors, known }
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        let Self::Refused { errors, .. } = self else { return false };
        errors.iter().any(|(code, _)| codes.contains(&code.as_str()))
    }

    /// Whether the same may succeed later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => {
                matches!(status.as_u16(), 408 | 429 | 499 | 500 | 502 | 503 | 504 | 522)
                    || self.has_code(&["TOOMANYREQUESTS"])
            }
            _ => false,
        }
    }
}

/// Why an address that a registry names must not be followed. It may not lead into a network that
/// only this machine sees, nor from `https` to `http`.
pub(super) fn is_forbidden(registry: &Url, url: &Url) -> Option<&'static str> {
    if url.host() == registry.host() && url.scheme() == registry.scheme() {
        return None;
    }
    if registry.scheme() == "https" && url.scheme() != "https" {
        return Some("it leads away from https");
    }
    if !["http", "https"].contains(&url.scheme()) {
        return Some("it is neither http nor https");
    }
    let private = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => is_private(IpAddr::V4(address)),
        Some(url::Host::Ipv6(address)) => is_private(IpAddr::V6(address)),
        None => true,
    };
    private.then_some("it leads to a private address of another host")
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => {
            it.is_loopback() || it.is_private() || it.is_link_local() || it.is_unspecified()
        }
        IpAddr::V6(it) => match it.to_ipv4_mapped() {
            Some(it) => is_private(IpAddr::V4(it)),
            None => {
                it.is_loopback()
                    || it.is_unspecified()
                    || it.is_unique_local()
                    || it.is_unicast_link_local()
            }
        },
    }
}

/// Reads an answer, if it is no longer than that.
pub(super) async fn limited(mut response: Response, limit: u64) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let left = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..left.min(chunk.len())).unwrap_or_default());
        if body.len() as u64 == limit {
            break;
        }
    }
    Ok(body)
}

/// A repository of a registry.
#[derive(Debug)]
pub struct Repository {
    http: reqwest::Client,
    /// Of the registry, with `/v2/`.
    root: Url,
    /// As people write it.
    host: String,
    /// Its name.
    pub name: String,
    auth: Auth,
    patience: Patience,
    requests: AtomicU64,
}

/// How a registry is talked to.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Without TLS. Always so with this machine.
    pub plain_http: bool,
    /// Who is asking.
    pub credential: Option<Credential>,
    /// How long it is waited for.
    pub patience: Patience,
}

/// A manifest that was got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// As the registry says.
    pub media_type: String,
    /// Of its bytes.
    pub digest: Digest,
}

/// What a registry says to a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Whether it keeps a list of what refers to an image (distribution-spec, `OCI-Subject`).
    pub keeps_referrers: bool,
}

/// An upload that has begun.
#[derive(Debug)]
pub struct Session(Url);

/// What became of a mount.
#[derive(Debug)]
pub enum Mount {
    /// The blob is there.
    Done,
    /// It must be uploaded after all.
    Upload(Session),
}

impl Repository {
    /// For a reference; with tokens that may also read another repository, from which blobs are
    /// mounted. Nothing is sent yet.
    pub fn new(
        reference: &Reference,
        mounts_from: Option<&str>,
        connection: Connection,
    ) -> Result<Self, RegistryError> {
        let Connection { plain_http, credential, patience } = connection;
        // Docker Hub's registry has another name than its images.
        let host = match reference.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if plain_http || is_this_machine(host) { "http" } else { "https" };
        let refuse = |error: String| RegistryError::Setup(error);
        let root = Url::parse(&format!("{scheme}://{host}/v2/"));
        let root = root.map_err(|error| refuse(format!("{host:?}: {error}")))?;
        let mut scopes = vec![format!("repository:{}:pull,push", reference.repository)];
        scopes.extend(mounts_from.map(|name| format!("repository:{name}:pull")));
        // The first one stays, if there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let followed = root.clone();
        let policy = Policy::custom(move |attempt| match is_forbidden(&followed, attempt.url()) {
            None if attempt.previous().len() <= 5 => attempt.follow(),
            None => attempt.error("it is redirected for ever"),
            Some(why) => attempt.error(why),
        });
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("imagebuild/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10).min(patience.silence))
            .redirect(policy);
        if scheme == "http" {
            // Reading the certificates of all authorities takes longer than asking such a registry.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            http,
            root,
            host: reference.host.clone(),
            name: reference.repository.clone(),
            auth: Auth::new(credential, scopes),
            patience,
            requests: AtomicU64::new(0),
        })
    }

    /// How many requests were sent, those for tokens not counted.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Host and name.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    fn url(&self, rest: &str) -> Result<Url, RegistryError> {
        let url = self.root.join(&format!("{}/{rest}", self.name));
        url.map_err(|error| RegistryError::Setup(error.to_string()))
    }

    /// The digest that a tag or digest stands for, if there is such a manifest.
    pub async fn head_manifest(&self, reference: &str) -> Result<Option<Digest>, RegistryError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let what = format!("asking for {}:{reference}", self.shown());
        let headers = [(ACCEPT, MANIFESTS.to_owned())];
        let found = self.call(&what, Method::HEAD, &url, &headers, None).await;
        let Some(response) = unless_absent(found)? else { return Ok(None) };
        let digest = header(response.headers(), "docker-content-digest");
        match digest.and_then(|digest| digest.parse().ok()) {
            Some(digest) => Ok(Some(digest)),
            // Old registries don't say it.
            None => Ok(self.get_manifest(reference).await?.map(|got| got.digest)),
        }
    }

    /// A manifest by tag or digest, if there is one. With a digest, it is that one.
    pub async fn get_manifest(&self, reference: &str) -> Result<Option<Got>, RegistryError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let what = format!("getting {}:{reference}", self.shown());
        let headers = [(ACCEPT, MANIFESTS.to_owned())];
        let found = self.call(&what, Method::GET, &url, &headers, None).await;
        let Some(response) = unless_absent(found)? else { return Ok(None) };
        let media_type = header(response.headers(), CONTENT_TYPE.as_str()).unwrap_or_default();
        let said = header(response.headers(), "docker-content-digest");
        let bytes = self.body(&what, response, LARGEST_MANIFEST).await?;
        let digest = Digest::of(&bytes);
        let said = said.and_then(|said| said.parse::<Digest>().ok());
        let wanted = reference.parse().ok().or(said);
        if wanted.is_some_and(|wanted| wanted != digest) {
            let why = format!("the registry sends other bytes, whose digest is {digest}");
            return Err(RegistryError::Answer { what, why });
        }
        Ok(Some(Got { bytes, media_type, digest }))
    }

    /// Whether a blob is there.
    pub async fn has_blob(&self, digest: Digest) -> Result<bool, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let what = format!("asking {} for {digest}", self.shown());
        let found = self.call(&what, Method::HEAD, &url, &[], None).await;
        Ok(unless_absent(found)?.is_some())
    }

    /// Gets a blob of a known size into a folder, and makes sure that it is that one.
    pub async fn get_blob(
        &self,
        digest: Digest,
        size: u64,
        blobs: &Blobs,
        progress: &AtomicU64,
    ) -> Result<(), RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let what = format!("getting {digest} from {}", self.shown());
        let mut attempt = 0;
        loop {
            attempt += 1;
            progress.store(0, Ordering::Relaxed);
            match self.try_get_blob(&what, &url, digest, size, blobs, progress).await {
                Err(error) if error.is_passing() && attempt < self.patience.attempts => {
                    self.pause(attempt, None).await;
                }
                done => return done,
            }
        }
    }

    async fn try_get_blob(
        &self,
        what: &str,
        url: &Url,
        digest: Digest,
        size: u64,
        blobs: &Blobs,
        progress: &AtomicU64,
    ) -> Result<(), RegistryError> {
        let mut response = self.call(what, Method::GET, url, &[], None).await?;
        let write = |reason| {
            let path = blobs.folder().display().to_string();
            RegistryError::File { path, reason }
        };
        let mut aside = blobs.aside().map_err(|error| write(std::io::Error::other(error)))?;
        let mut file = File::from_std(aside.file().try_clone().map_err(write)?);
        let mut hashing = Hashing::new(std::io::sink());
        let mut got = 0;
        loop {
            let chunk = tokio::time::timeout(self.patience.silence, response.chunk()).await;
            let silent = |_| RegistryError::Unreachable {
                what: what.to_owned(),
                reason: "nothing more comes".to_owned(),
            };
            let chunk = chunk.map_err(silent)?;
            let chunk = chunk.map_err(|error| RegistryError::unreachable(what, &error))?;
            let Some(chunk) = chunk else { break };
            got += chunk.len() as u64;
            if got > size {
                break;
            }
            std::io::Write::write_all(&mut hashing, &chunk).map_err(write)?;
            file.write_all(&chunk).await.map_err(write)?;
            progress.store(got, Ordering::Relaxed);
        }
        file.flush().await.map_err(write)?;
        let (_, found, _) = hashing.finish();
        if got < size {
            let reason = format!("it ended after {got} of {size} bytes");
            return Err(RegistryError::Unreachable { what: what.to_owned(), reason });
        }
        if got > size || found != digest {
            let why = "the registry sends other bytes".to_owned();
            return Err(RegistryError::Answer { what: what.to_owned(), why });
        }
        aside.keep(digest).map_err(|error| write(std::io::Error::other(error)))
    }

    /// Lets the registry take a blob of another of its repositories.
    pub async fn mount(&self, digest: Digest, from: &str) -> Result<Mount, RegistryError> {
        let mut url = self.url("blobs/uploads/")?;
        url.query_pairs_mut().append_pair("mount", &digest.to_string()).append_pair("from", from);
        let what = format!("mounting {digest} of {from} into {}", self.shown());
        let response =
            self.call(&what, Method::POST, &url, &[(CONTENT_LENGTH, "0".to_owned())], None).await?;
        match response.status() {
            StatusCode::CREATED => Ok(Mount::Done),
            _ => Ok(Mount::Upload(self.session(&what, &response)?)),
        }
    }

    /// Begins an upload.
    pub async fn start_upload(&self) -> Result<Session, RegistryError> {
        let url = self.url("blobs/uploads/")?;
        let what = format!("beginning an upload to {}", self.shown());
        let length = [(CONTENT_LENGTH, "0".to_owned())];
        let response = self.call(&what, Method::POST, &url, &length, None).await;
        // ECR closes the connection if there is no such repository, or no right to upload to it
        // (CircleCI-Public/aws-ecr-orb#259, docker/build-push-action#850).
        let response = response.map_err(|error| match error {
            RegistryError::Unreachable { what, reason } if self.host.contains(".dkr.ecr") => {
                let reason = format!(
                    "{reason}. ECR answers so if the repository does not exist, or ecr:\
                     InitiateLayerUpload is not allowed"
                );
                RegistryError::Unreachable { what, reason }
            }
            error => error,
        })?;
        self.session(&what, &response)
    }

    fn session(&self, what: &str, response: &Response) -> Result<Session, RegistryError> {
        let refuse = |why: String| RegistryError::Answer { what: what.to_owned(), why };
        let location = header(response.headers(), LOCATION.as_str());
        let location =
            location.ok_or_else(|| refuse("the registry names no Location".to_owned()))?;
        let url = response.url().join(&location);
        let url = url.map_err(|error| refuse(format!("its Location is no address: {error}")))?;
        match is_forbidden(&self.root, &url) {
            Some(why) => Err(refuse(format!("its Location is refused: {why}"))),
            None => Ok(Session(url)),
        }
    }

    /// Uploads a file as a blob: one POST and one PUT with a length, because ECR loses what comes
    /// in several `PATCH` requests (aws/containers-roadmap#2831). Each try is a new upload.
    pub async fn put_blob(
        &self,
        digest: Digest,
        size: u64,
        path: &Path,
        begun: Option<Session>,
        progress: &Arc<AtomicU64>,
    ) -> Result<(), RegistryError> {
        let mut begun = begun;
        let mut attempt = 0;
        loop {
            attempt += 1;
            // What seemed to fail may have been done, and its answer lost.
            if attempt > 1 && self.has_blob(digest).await? {
                progress.store(size, Ordering::Relaxed);
                return Ok(());
            }
            let session = match begun.take() {
                Some(session) => session,
                None => self.start_upload().await?,
            };
            progress.store(0, Ordering::Relaxed);
            let lost = ["BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"];
            match self.try_put_blob(digest, size, path, session, progress).await {
                Err((error, after))
                    if (error.is_passing() || error.has_code(&lost))
                        && attempt < self.patience.attempts =>
                {
                    self.pause(attempt, after).await;
                }
                done => return done.map_err(|(error, _)| error),
            }
        }
    }

    async fn try_put_blob(
        &self,
        digest: Digest,
        size: u64,
        path: &Path,
        session: Session,
        progress: &Arc<AtomicU64>,
    ) -> Result<(), (RegistryError, Option<Duration>)> {
        let what = format!("uploading {digest} to {}", self.shown());
        let mut url = session.0;
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        // A token may expire between the two requests of an upload, for which it is not to blame.
        for last in [false, true] {
            let read =
                |reason| (RegistryError::File { path: path.display().to_string(), reason }, None);
            let file = File::open(path).await.map_err(read)?;
            let (header_value, turn) = self.auth.header().await;
            let mut request = self.http.put(url.clone()).header(CONTENT_LENGTH, size);
            request = request.header(CONTENT_TYPE, "application/octet-stream");
            if let Some(value) = header_value.filter(|_| self.is_own(&url)) {
                request = request.header(AUTHORIZATION, value);
            }
            let request = request.body(body(file, Arc::clone(progress))).send();
            self.requests.fetch_add(1, Ordering::Relaxed);
            let response = tokio::select! {
                response = request => {
                    response.map_err(|error| (RegistryError::unreachable(&what, &error), None))?
                }
                () = self.silence(size, progress) => {
                    let reason = "it takes no more bytes, or does not answer".to_owned();
                    return Err((RegistryError::Unreachable { what, reason }, None));
                }
            };
            if response.status() == StatusCode::UNAUTHORIZED && !last {
                let answered =
                    self.auth.answer(&self.http, &self.root, turn, response.headers()).await;
                if answered.map_err(|error| (error, None))? {
                    continue;
                }
            }
            return self.checked(&what, response).await.map(drop);
        }
        Ok(())
    }

    /// Ends when nothing was taken for too long.
    async fn silence(&self, size: u64, progress: &AtomicU64) {
        let (mut seen, mut since) = (0, Instant::now());
        let step = (self.patience.silence / 4).min(Duration::from_secs(1));
        loop {
            tokio::time::sleep(step).await;
            let now = progress.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            let patience = if now >= size { self.patience.answer } else { self.patience.silence };
            if since.elapsed() > patience {
                return;
            }
        }
    }

    /// Puts a manifest under a tag or its digest. One that has just been uploaded to may not know of
    /// it yet (clowdhaus/ocync#104).
    pub async fn put_manifest(
        &self,
        reference: &str,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Put, RegistryError> {
        let url = self.url(&format!("manifests/{reference}"))?;
        let what = format!("putting {}:{reference}", self.shown());
        let headers = [(CONTENT_TYPE, media_type.to_owned())];
        let late = ["BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"];
        let mut attempt = 0;
        let result = loop {
            attempt += 1;
            let body = Some(Bytes::copy_from_slice(bytes));
            match self.call(&what, Method::PUT, &url, &headers, body).await {
                Err(error) if error.has_code(&late) && attempt < self.patience.attempts => {
                    self.pause(attempt, None).await;
                }
                result => break result,
            }
        };
        match result {
            Ok(response) => {
                Ok(Put { keeps_referrers: response.headers().contains_key("oci-subject") })
            }
            Err(error) if is_about_tags(&error) => {
                let wanted = Digest::of(bytes);
                match self.head_manifest(reference).await? {
                    Some(found) if found == wanted => Ok(Put { keeps_referrers: false }),
                    Some(found) => Err(RegistryError::Immutable {
                        reference: format!("{}:{reference}", self.shown()),
                        found: found.to_string(),
                        wanted: wanted.to_string(),
                    }),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Sends a request that may be repeated, until there is an answer; one that is no success is an
    /// error.
    async fn call(
        &self,
        what: &str,
        method: Method,
        url: &Url,
        headers: &[(reqwest::header::HeaderName, String)],
        body: Option<Bytes>,
    ) -> Result<Response, RegistryError> {
        let mut attempt = 0;
        let mut refused = false;
        loop {
            let (value, turn) = self.auth.header().await;
            let mut request = self.http.request(method.clone(), url.clone());
            for (name, value) in headers {
                request = request.header(name, value);
            }
            if let Some(value) = value.filter(|_| self.is_own(url)) {
                request = request.header(AUTHORIZATION, value);
            }
            if let Some(body) = body.clone() {
                request = request.body(body);
            }
            self.requests.fetch_add(1, Ordering::Relaxed);
            let sent = tokio::time::timeout(self.patience.silence, request.send()).await;
            let (error, after) = match sent {
                Ok(Ok(response)) => {
                    if response.status() == StatusCode::UNAUTHORIZED && !refused {
                        refused = true;
                        let headers = response.headers();
                        if self.auth.answer(&self.http, &self.root, turn, headers).await? {
                            continue;
                        }
                    }
                    match self.checked(what, response).await {
                        Ok(response) => return Ok(response),
                        Err(failed) => failed,
                    }
                }
                Ok(Err(error)) => (RegistryError::unreachable(what, &error), None),
                Err(_) => {
                    let reason = "it does not answer".to_owned();
                    (RegistryError::Unreachable { what: what.to_owned(), reason }, None)
                }
            };
            attempt += 1;
            if !error.is_passing() || attempt >= self.patience.attempts {
                return Err(error);
            }
            self.pause(attempt, after).await;
        }
    }

    /// The answer if it is a success; else what it says, and how long it says to wait.
    async fn checked(
        &self,
        what: &str,
        response: Response,
    ) -> Result<Response, (RegistryError, Option<Duration>)> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let seconds = header(response.headers(), RETRY_AFTER.as_str());
        let after = seconds.and_then(|it| it.parse().ok()).map(Duration::from_secs);
        let body = self.body(what, response, LARGEST_ANSWER).await.unwrap_or_default();
        Err((RegistryError::refused(what, status, &body, self.auth.is_known()), after))
    }

    async fn body(&self, what: &str, from: Response, limit: u64) -> Result<Vec<u8>, RegistryError> {
        let body = tokio::time::timeout(self.patience.silence, limited(from, limit)).await;
        match body {
            Ok(body) => body.map_err(|error| RegistryError::unreachable(what, &error)),
            Err(_) => Err(RegistryError::Unreachable {
                what: what.to_owned(),
                reason: "nothing more comes".to_owned(),
            }),
        }
    }

    /// Twice as long each time, and not for all at the same moment.
    async fn pause(&self, attempt: u32, asked: Option<Duration>) {
        let jitter = f64::from(RandomState::new().build_hasher().finish() as u32);
        let jitter = jitter / f64::from(u32::MAX);
        let own = self.patience.pause * 2_u32.saturating_pow(attempt.saturating_sub(1));
        let own = own.mul_f64(0.75 + jitter / 2.0);
        tokio::time::sleep(asked.unwrap_or(own).max(own).min(LONGEST_PAUSE)).await;
    }

    /// Whether an address is the registry's own, which may be told who is asking.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.root.origin()
    }
}

/// As Docker does it: with this machine one talks without TLS.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    };
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// As registries say that a tag may not be changed: ECR, Harbor, others.
fn is_about_tags(error: &RegistryError) -> bool {
    let RegistryError::Refused { status, errors, .. } = error else { return false };
    let said = |(code, message): &(String, String)| {
        code == "TAG_INVALID"
            || message.contains("ImageTagAlreadyExists")
            || message.contains("immutable")
    };
    *status == StatusCode::CONFLICT || errors.iter().any(said)
}

fn unless_absent(
    result: Result<Response, RegistryError>,
) -> Result<Option<Response>, RegistryError> {
    match result {
        Ok(response) => Ok(Some(response)),
        Err(RegistryError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

/// What a file holds, and how much of it was taken.
fn body(file: File, progress: Arc<AtomicU64>) -> Body {
    Body::wrap_stream(stream::try_unfold((file, progress), |(mut file, progress)| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        progress.fetch_add(read as u64, Ordering::Relaxed);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), (file, progress))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_talked_to_without_tls() {
        for host in
            ["localhost", "localhost:5000", "127.0.0.1", "127.8.8.8:1", "[::1]:5000", "[::1]"]
        {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "10.0.0.1:5000", "localhost.example.org", "[::2]:1"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn addresses_that_lead_into_private_networks_are_refused() {
        let forbidden = |registry: &str, url: &str| {
            is_forbidden(&Url::parse(registry).unwrap(), &Url::parse(url).unwrap()).is_some()
        };
        let registry = "https://registry.example/v2/";
        for url in [
            "http://registry.example/x",
            "https://127.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1.2.3/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost/",
            "file:///etc/passwd",
        ] {
            assert!(forbidden(registry, url), "{url}");
        }
        assert!(!forbidden(registry, "https://registry.example/x"));
        assert!(!forbidden(registry, "https://storage.example/x"));
        assert!(!forbidden("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/x"), "its own host");
        assert!(forbidden("http://registry.example/v2/", "http://127.0.0.1/x"));
    }
}
