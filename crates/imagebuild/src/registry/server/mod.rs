//! A registry in a folder (distribution-spec v1.1): for tests, in which it behaves as odd as real ones
//! do, and for development.
//!
//! A blob that is there is what its digest says: it is hashed while it is written, and renamed when
//! it is whole. Names are checked against the specification's grammar, so that none leads out of the
//! folder.

pub mod personality;
mod store;

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HOST, HeaderName, HeaderValue,
    LINK, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::digest::Digest;
use crate::reference::{is_repository, is_tag};
use personality::{Credentials, Fault, Mounts, Personality, What};
use store::{Session, Store};

/// The largest manifest that is taken, in bytes.
const LARGEST_MANIFEST: usize = 4 << 20;

type Answer = Response<Full<Bytes>>;

/// A registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    store: Store,
    personality: Personality,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    faults: Vec<Fault>,
    sessions: HashMap<String, Session>,
    /// Tokens, and for how many requests they are good.
    tokens: HashMap<String, u32>,
    counter: u64,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// What was answered; 0 if nothing was.
    pub status: u16,
    /// How much came with it, in bytes.
    pub received: u64,
}

/// Nothing is answered, and the connection ends.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here")]
struct Closed;

/// Answers each request of each connection, until the future is dropped; an error ends a connection
/// without an answer.
pub async fn serve<B, E, F, A>(listener: TcpListener, answer: F) -> io::Result<()>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<B>, E>> + Send + 'static,
    B: hyper::body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        let service = service_fn(answer.clone());
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            // How it ends is the client's business.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Registry {
    /// Opens a folder, or makes it.
    pub fn open(folder: &Path, personality: Personality) -> io::Result<Self> {
        let store = Store::open(folder)?;
        Ok(Self(Arc::new(Inner { store, personality, state: Mutex::default() })))
    }

    /// Serves until the future is dropped, and with it all connections.
    pub async fn serve(&self, listener: TcpListener) -> io::Result<()> {
        let inner = Arc::clone(&self.0);
        let answer = move |request| {
            let inner = Arc::clone(&inner);
            async move { inner.answer(request).await }
        };
        serve(listener, answer).await
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.0.state().seen.clone()
    }

    /// Forgets them.
    pub fn forget_requests(&self) {
        self.0.state().seen.clear();
    }

    /// Lets something go wrong. Of several faults that fit a request, the oldest comes first.
    pub fn fault(&self, fault: Fault) {
        self.0.state().faults.push(fault);
    }

    /// Whether a repository has a blob.
    pub fn has_blob(&self, name: &str, digest: Digest) -> bool {
        self.0.store.has_blob(name, digest)
    }

    /// The manifest that a repository has under a tag or digest.
    pub fn manifest(&self, name: &str, reference: &str) -> Option<Vec<u8>> {
        self.0.store.manifest(name, reference).map(|(_, bytes)| bytes)
    }
}

/// What a request is about.
enum Route<'a> {
    Root,
    Token,
    Catalog,
    Blob { name: &'a str, digest: Digest },
    Uploads { name: &'a str },
    Upload { name: &'a str, id: &'a str },
    Manifest { name: &'a str, reference: &'a str },
    Tags { name: &'a str },
    Referrers { name: &'a str, digest: Digest },
}

fn route(path: &str) -> Option<Route<'_>> {
    if path == "/token" {
        return Some(Route::Token);
    }
    let rest = path.strip_prefix("/v2")?.trim_start_matches('/');
    match rest {
        "" => return Some(Route::Root),
        "_catalog" => return Some(Route::Catalog),
        _ => {}
    }
    let parsed = if let Some(name) = rest.strip_suffix("/blobs/uploads/") {
        Route::Uploads { name }
    } else if let Some(name) = rest.strip_suffix("/blobs/uploads") {
        Route::Uploads { name }
    } else if let Some(name) = rest.strip_suffix("/tags/list") {
        Route::Tags { name }
    } else {
        let (front, last) = rest.rsplit_once('/')?;
        let (name, kind) = front.rsplit_once('/')?;
        match kind {
            "uploads" => Route::Upload { name: name.strip_suffix("/blobs")?, id: last },
            "blobs" => Route::Blob { name, digest: last.parse().ok()? },
            "manifests" if is_tag(last) || last.parse::<Digest>().is_ok() => {
                Route::Manifest { name, reference: last }
            }
            "referrers" => Route::Referrers { name, digest: last.parse().ok()? },
            _ => return None,
        }
    };
    match parsed {
        Route::Blob { name, .. }
        | Route::Uploads { name }
        | Route::Upload { name, .. }
        | Route::Manifest { name, .. }
        | Route::Tags { name }
        | Route::Referrers { name, .. } => is_repository(name).then_some(parsed),
        Route::Root | Route::Token | Route::Catalog => Some(parsed),
    }
}

/// The body of a request, read to its end.
struct Body {
    incoming: Incoming,
    received: u64,
    /// After how much the connection ends.
    ends_after: Option<u64>,
}

impl Body {
    async fn next(&mut self) -> Result<Option<Bytes>, Closed> {
        while let Some(frame) = self.incoming.frame().await {
            if let Ok(data) = frame.map_err(|_| Closed)?.into_data() {
                self.received += data.len() as u64;
                if self.ends_after.is_some_and(|end| self.received > end) {
                    return Err(Closed);
                }
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn collect(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Closed> {
        let mut all = Vec::new();
        while let Some(data) = self.next().await? {
            all.extend_from_slice(&data);
        }
        Ok((all.len() <= limit).then_some(all))
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Closed> {
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let number = {
            let mut state = self.state();
            let method = request.method().to_string();
            state.seen.push(Seen { method, path: path.clone(), status: 0, received: 0 });
            state.seen.len() - 1
        };
        let fault = self.next_fault(request.method().as_str(), &path);
        let (parts, incoming) = request.into_parts();
        let mut body = Body { incoming, received: 0, ends_after: None };
        if let Some(What::CloseAfter(bytes)) = fault {
            body.ends_after = Some(bytes);
        }
        let done = match &fault {
            Some(What::Close) => Err(Closed),
            Some(What::Hang) => std::future::pending().await,
            Some(What::Status { status, retry_after, code }) => {
                // It was read, so that the client is not still writing when it is answered.
                body.collect(0).await.map(|_| {
                    let mut answer = error(*status, code, "as the test wants it");
                    if let Some(seconds) = retry_after {
                        put(&mut answer, RETRY_AFTER, &seconds.to_string());
                    }
                    answer
                })
            }
            _ => {
                if let Some(What::Late(time)) = fault {
                    tokio::time::sleep(time).await;
                }
                self.handle(&parts, &mut body).await
            }
        };
        let done = match (fault, done) {
            (Some(What::LoseAnswer), _) => Err(Closed),
            (Some(What::OtherBytes), Ok(answer)) => Ok(changed(answer).await),
            (Some(What::Location(location)), Ok(mut answer)) => {
                put(&mut answer, LOCATION, &location);
                Ok(answer)
            }
            (Some(What::Cut), Ok(answer)) => Ok(cut(answer).await),
            (_, done) => done,
        };
        if let Some(seen) = self.state().seen.get_mut(number) {
            seen.status = done.as_ref().map_or(0, |answer| answer.status().as_u16());
            seen.received = body.received;
        }
        done
    }

    fn next_fault(&self, method: &str, path: &str) -> Option<What> {
        let mut state = self.state();
        let fits = |it: &Fault| it.times > 0 && it.method == method && path.contains(it.path);
        let fault = state.faults.iter_mut().find(|fault| fits(fault))?;
        fault.times -= 1;
        Some(fault.what.clone())
    }

    async fn handle(
        &self,
        request: &hyper::http::request::Parts,
        body: &mut Body,
    ) -> Result<Answer, Closed> {
        let header = |name: HeaderName| request.headers.get(name)?.to_str().ok();
        let host = header(HOST).unwrap_or_default().to_owned();
        let Some(route) = route(request.uri.path()) else {
            body.collect(0).await?;
            return Ok(error(404, "NAME_INVALID", "there is nothing of that name"));
        };
        let query: HashMap<String, String> =
            url::form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        if let Some(refused) = self.refused(&route, header(AUTHORIZATION), &host) {
            body.collect(0).await?;
            return Ok(refused);
        }
        let get = request.method == Method::GET || request.method == Method::HEAD;
        match (&request.method, route) {
            (_, Route::Root) if get => Ok(status(200)),
            (_, Route::Token) if get => Ok(self.token()),
            (_, Route::Catalog) if get => {
                Ok(reply_json(200, &json!({ "repositories": self.store.repositories() })))
            }
            (_, Route::Blob { name, digest }) if get => Ok(self.blob(name, digest, header(RANGE))),
            (&Method::POST, Route::Uploads { name }) => self.begin(name, &query, &host, body).await,
            (&Method::PATCH, Route::Upload { name, id }) => {
                self.patch(name, id, header(CONTENT_RANGE), &host, body).await
            }
            (&Method::PUT, Route::Upload { name, id }) => self.finish(name, id, &query, body).await,
            (&Method::GET, Route::Upload { name, id }) => Ok(self.progress(name, id, &host)),
            (&Method::DELETE, Route::Upload { id, .. }) => {
                let gone = self.state().sessions.remove(id);
                Ok(if gone.is_some() { status(204) } else { unknown_upload() })
            }
            (_, Route::Manifest { name, reference }) if get => Ok(self.manifest(name, reference)),
            (&Method::PUT, Route::Manifest { name, reference }) => {
                let kind = header(CONTENT_TYPE).unwrap_or_default().to_owned();
                self.put_manifest(name, reference, &kind, body).await
            }
            (_, Route::Tags { name }) if get => Ok(self.tags(name, &query)),
            (_, Route::Referrers { name, digest }) if get && self.personality.referrers => {
                Ok(self.referrers(name, digest, query.get("artifactType")))
            }
            (_, Route::Referrers { .. }) => Ok(error(404, "UNSUPPORTED", "no referrers are kept")),
            _ => {
                body.collect(0).await?;
                Ok(error(405, "UNSUPPORTED", "that is not done here"))
            }
        }
    }

    /// The answer to somebody who may not.
    fn refused(&self, route: &Route<'_>, shown: Option<&str>, host: &str) -> Option<Answer> {
        let basic = |user: &str, password: &str| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        let challenge = match (self.personality.credentials.as_ref()?, route) {
            (Credentials::Basic { user, password }, _) => {
                if shown == Some(basic(user, password).as_str()) {
                    return None;
                }
                format!("Basic realm=\"http://{host}/\",service=\"registry\"")
            }
            (Credentials::Bearer { user, password, .. }, Route::Token) => {
                if shown == Some(basic(user, password).as_str()) {
                    return None;
                }
                "Basic realm=\"token\"".to_owned()
            }
            (Credentials::Bearer { .. }, _) => {
                let token = shown.and_then(|shown| shown.strip_prefix("Bearer "));
                let mut state = self.state();
                let left = token.and_then(|token| state.tokens.get_mut(token));
                if let Some(left) = left.filter(|left| **left > 0) {
                    *left -= 1;
                    return None;
                }
                // A comma within quotes, as real ones have it.
                format!(
                    "Bearer realm=\"http://{host}/token\",service=\"{host}\",\
                     scope=\"repository:a:pull,push\""
                )
            }
        };
        let mut answer = error(401, "UNAUTHORIZED", "authentication required");
        put(&mut answer, WWW_AUTHENTICATE, &challenge);
        Some(answer)
    }

    fn token(&self) -> Answer {
        let mut state = self.state();
        state.counter += 1;
        let token = format!("token-{}", state.counter);
        if let Some(Credentials::Bearer { uses, .. }) = self.personality.credentials {
            state.tokens.insert(token.clone(), uses);
        }
        reply_json(200, &json!({ "token": token, "expires_in": 60 }))
    }

    fn blob(&self, name: &str, digest: Digest, range: Option<&str>) -> Answer {
        let Some(bytes) = self.store.blob(name, digest) else {
            return error(404, "BLOB_UNKNOWN", "there is no such blob");
        };
        let whole = bytes.len();
        let start = range.and_then(|range| {
            range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
        });
        let mut answer = match start {
            Some(start) if start < whole => {
                let rest = bytes.get(start..).unwrap_or_default().to_vec();
                let mut answer = reply(206, "application/octet-stream", rest);
                let of = format!("bytes {start}-{}/{whole}", whole - 1);
                put(&mut answer, CONTENT_RANGE, &of);
                answer
            }
            Some(_) => return error(416, "RANGE_INVALID", "the blob is not that long"),
            None => reply(200, "application/octet-stream", bytes),
        };
        put(&mut answer, DIGEST, &digest.to_string());
        answer
    }

    async fn begin(
        &self,
        name: &str,
        query: &HashMap<String, String>,
        host: &str,
        body: &mut Body,
    ) -> Result<Answer, Closed> {
        let known = self.personality.only_repositories.as_ref();
        if known.is_some_and(|known| !known.iter().any(|it| it == name)) {
            return Err(Closed);
        }
        if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from"))
            && let Ok(digest) = digest.parse::<Digest>()
            && is_repository(from)
            && self.store.has_blob(from, digest)
            && self.mounts(from, digest)
        {
            self.store.own(name, digest).map_err(|_| Closed)?;
            return Ok(self.created(&format!("/v2/{name}/blobs/{digest}"), Some(digest)));
        }
        let session = self.store.session().map_err(|_| Closed)?;
        let id = {
            let mut state = self.state();
            state.counter += 1;
            let id = format!("upload-{}", state.counter);
            state.sessions.insert(id.clone(), session);
            id
        };
        if let Some(digest) = query.get("digest") {
            let query = HashMap::from([("digest".to_owned(), digest.clone())]);
            return self.finish(name, &id, &query, body).await;
        }
        Ok(self.accepted(name, &id, host, 202, 0))
    }

    fn mounts(&self, from: &str, digest: Digest) -> bool {
        match self.personality.mounts {
            Mounts::Always => true,
            Mounts::Never => false,
            Mounts::Referenced => {
                let digest = digest.to_string();
                self.store
                    .manifests(from)
                    .iter()
                    .any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(&digest))
            }
        }
    }

    fn accepted(&self, name: &str, id: &str, host: &str, code: u16, size: u64) -> Answer {
        let path = format!("/v2/{name}/blobs/uploads/{id}");
        let mut answer = status(code);
        let location = if self.personality.relative_location {
            path
        } else {
            // With something in the query, which must be kept.
            format!("http://{host}{path}?state=abc")
        };
        put(&mut answer, LOCATION, &location);
        put(&mut answer, RANGE, &format!("0-{}", size.saturating_sub(1)));
        answer
    }

    fn take_session(&self, id: &str) -> Option<Session> {
        self.state().sessions.remove(id)
    }

    async fn patch(
        &self,
        name: &str,
        id: &str,
        range: Option<&str>,
        host: &str,
        body: &mut Body,
    ) -> Result<Answer, Closed> {
        let Some(mut session) = self.take_session(id) else { return Ok(unknown_upload()) };
        let start = range.and_then(|range| range.split('-').next()?.parse::<u64>().ok());
        if start.is_some_and(|start| start != session.size()) {
            body.collect(0).await?;
            self.state().sessions.insert(id.to_owned(), session);
            return Ok(error(416, "BLOB_UPLOAD_INVALID", "that is not what comes next"));
        }
        let lost = self.personality.patch_loses_data && session.size() > 0;
        while let Some(data) = body.next().await? {
            if !lost {
                session.write(&data).map_err(|_| Closed)?;
            }
        }
        let code = if self.personality.patch_loses_data { 201 } else { 202 };
        let answer = self.accepted(name, id, host, code, session.size());
        self.state().sessions.insert(id.to_owned(), session);
        Ok(answer)
    }

    fn progress(&self, name: &str, id: &str, host: &str) -> Answer {
        let size = self.state().sessions.get(id).map(Session::size);
        size.map_or_else(unknown_upload, |size| self.accepted(name, id, host, 204, size))
    }

    async fn finish(
        &self,
        name: &str,
        id: &str,
        query: &HashMap<String, String>,
        body: &mut Body,
    ) -> Result<Answer, Closed> {
        let Some(mut session) = self.take_session(id) else { return Ok(unknown_upload()) };
        let wanted = query.get("digest").and_then(|digest| digest.parse::<Digest>().ok());
        while let Some(data) = body.next().await? {
            session.write(&data).map_err(|_| Closed)?;
        }
        let Some(wanted) = wanted else {
            return Ok(error(400, "DIGEST_INVALID", "there is no digest"));
        };
        match session.keep(wanted) {
            Ok(true) => {
                self.store.own(name, wanted).map_err(|_| Closed)?;
                Ok(self.created(&format!("/v2/{name}/blobs/{wanted}"), Some(wanted)))
            }
            Ok(false) => Ok(error(400, "DIGEST_INVALID", "the bytes have another digest")),
            Err(_) => Err(Closed),
        }
    }

    fn created(&self, location: &str, digest: Option<Digest>) -> Answer {
        let mut answer = status(201);
        if !(self.personality.no_location && location.contains("/manifests/")) {
            put(&mut answer, LOCATION, location);
        }
        if let Some(digest) = digest {
            put(&mut answer, DIGEST, &digest.to_string());
        }
        answer
    }

    fn manifest(&self, name: &str, reference: &str) -> Answer {
        let Some((kind, bytes)) = self.store.manifest(name, reference) else {
            return error(404, "MANIFEST_UNKNOWN", "there is no such manifest");
        };
        let digest = Digest::of(&bytes);
        let mut answer = reply(200, &kind, bytes);
        put(&mut answer, DIGEST, &digest.to_string());
        answer
    }

    async fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        kind: &str,
        body: &mut Body,
    ) -> Result<Answer, Closed> {
        let Some(bytes) = body.collect(LARGEST_MANIFEST).await? else {
            return Ok(error(413, "SIZE_INVALID", "a manifest has at most 4 MiB"));
        };
        let digest = Digest::of(&bytes);
        if reference.parse::<Digest>().is_ok_and(|wanted| wanted != digest) {
            return Ok(error(400, "DIGEST_INVALID", "the bytes have another digest"));
        }
        let Some((named, subject)) = named(&bytes) else {
            return Ok(error(400, "MANIFEST_INVALID", "that is no manifest"));
        };
        let there = |digest: &Digest| {
            self.store.has_blob(name, *digest)
                || self.store.manifest(name, &digest.to_string()).is_some()
        };
        if let Some(missing) = named.iter().find(|digest| !there(digest)) {
            return Ok(error(400, "MANIFEST_BLOB_UNKNOWN", &missing.to_string()));
        }
        if self.personality.immutable_tags
            && is_tag(reference)
            && self.store.manifest(name, reference).is_some()
        {
            let message = "ImageTagAlreadyExistsException: the tag can't be overwritten because the \
                           repository is immutable";
            return Ok(error(400, "TAG_INVALID", message));
        }
        self.store.put_manifest(name, reference, kind, &bytes).map_err(|_| Closed)?;
        let mut answer = self.created(&format!("/v2/{name}/manifests/{reference}"), Some(digest));
        if let Some(subject) = subject.filter(|_| self.personality.referrers) {
            put(&mut answer, HeaderName::from_static("oci-subject"), &subject);
        }
        Ok(answer)
    }

    fn tags(&self, name: &str, query: &HashMap<String, String>) -> Answer {
        let Some(mut tags) = self.store.tags(name) else {
            return error(404, "NAME_UNKNOWN", "there is no such repository");
        };
        if let Some(last) = query.get("last") {
            tags.retain(|tag| tag > last);
        }
        let limit = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
        let more = tags.len() > limit;
        tags.truncate(limit);
        let mut answer = reply_json(200, &json!({ "name": name, "tags": tags }));
        if let Some(last) = tags.last().filter(|_| more) {
            let next = format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\"");
            put(&mut answer, LINK, &next);
        }
        answer
    }

    fn referrers(&self, name: &str, subject: Digest, wanted: Option<&String>) -> Answer {
        let subject = subject.to_string();
        let mut found = Vec::new();
        for (kind, bytes) in self.store.manifests(name) {
            let Ok(manifest) = serde_json::from_slice::<Value>(&bytes) else { continue };
            let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
            if text("/subject/digest") != Some(&subject) {
                continue;
            }
            let artifact = text("/artifactType").or_else(|| text("/config/mediaType"));
            if wanted.is_some_and(|wanted| artifact != Some(wanted)) {
                continue;
            }
            let mut descriptor = json!({
                "mediaType": kind,
                "digest": Digest::of(&bytes).to_string(),
                "size": bytes.len(),
            });
            let fields = [
                ("artifactType", artifact.map(Value::from)),
                ("annotations", manifest.get("annotations").cloned()),
            ];
            for (name, value) in fields {
                if let (Some(value), Some(fields)) = (value, descriptor.as_object_mut()) {
                    fields.insert(name.to_owned(), value);
                }
            }
            found.push(descriptor);
        }
        let kind = MediaType::ImageIndex.to_string();
        let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": found });
        let mut answer = reply(200, &kind, index.to_string().into_bytes());
        if wanted.is_some() {
            put(&mut answer, HeaderName::from_static("oci-filters-applied"), "artifactType");
        }
        answer
    }
}

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a manifest names, which must be there, and what it is about, which need not be.
fn named(bytes: &[u8]) -> Option<(Vec<Digest>, Option<String>)> {
    let digest = |it: &Descriptor| it.digest().to_string().parse::<Digest>().ok();
    let subject = |it: &Option<Descriptor>| it.as_ref().map(|it| it.digest().to_string());
    if let Ok(manifest) = serde_json::from_slice::<ImageManifest>(bytes) {
        let named = manifest.layers().iter().chain([manifest.config()]);
        return Some((named.map(digest).collect::<Option<_>>()?, subject(manifest.subject())));
    }
    let index: ImageIndex = serde_json::from_slice(bytes).ok()?;
    let named = index.manifests().iter().map(digest);
    Some((named.collect::<Option<_>>()?, subject(index.subject())))
}

fn status(code: u16) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    answer
}

fn reply(code: u16, kind: &str, body: Vec<u8>) -> Answer {
    let mut answer = status(code);
    put(&mut answer, CONTENT_LENGTH, &body.len().to_string());
    *answer.body_mut() = Full::new(body.into());
    put(&mut answer, CONTENT_TYPE, kind);
    answer
}

fn reply_json(code: u16, value: &Value) -> Answer {
    reply(code, "application/json", value.to_string().into_bytes())
}

fn error(code: u16, name: &str, message: &str) -> Answer {
    reply_json(code, &json!({ "errors": [{ "code": name, "message": message }] }))
}

fn unknown_upload() -> Answer {
    error(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
}

fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

async fn bytes(answer: &mut Answer) -> Vec<u8> {
    let body = std::mem::take(answer.body_mut());
    match body.collect().await {
        Ok(collected) => collected.to_bytes().to_vec(),
        Err(never) => match never {},
    }
}

async fn changed(mut answer: Answer) -> Answer {
    let mut bytes = bytes(&mut answer).await;
    if let Some(byte) = bytes.first_mut() {
        *byte ^= 1;
    }
    *answer.body_mut() = Full::new(bytes.into());
    answer
}

async fn cut(mut answer: Answer) -> Answer {
    let mut bytes = bytes(&mut answer).await;
    bytes.truncate(bytes.len() / 2);
    // The length that was promised stays.
    *answer.body_mut() = Full::new(bytes.into());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let digest = Digest::of(b"");
        let there = |path: &str| route(path).is_some();
        assert!(there("/v2/") && there("/v2") && there("/v2/a/b-c/blobs/uploads/"));
        assert!(there(&format!("/v2/a/blobs/{digest}")) && there("/v2/a/b/manifests/1.0"));
        assert!(there("/v2/a/blobs/uploads/x") && there("/v2/a/tags/list"));
        for path in [
            "/v2/../../etc/manifests/1",
            "/v2/a/../b/manifests/1",
            "/v2/_blobs/x/manifests/1",
            "/v2/a/manifests/..",
            "/v2/a/manifests/.hidden",
            "/v2/a/blobs/sha256:../../etc/passwd",
            "/v2//manifests/1",
            "/v2/A/manifests/1",
            "/etc/passwd",
            "/v2/manifests/1",
        ] {
            assert!(!there(path), "{path}");
        }
    }
}
