//! The client's files: read from `crates/app/web` at each request while developing, so that a change shows
//! when the page is loaded again; part of the program in a release.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use super::template::{PartError, Parts};

#[derive(RustEmbed)]
#[folder = "web"]
#[include = "parts/*.html"]
#[include = "queries/*.graphql"]
#[include = "js/*.js"]
#[include = "*.css"]
#[include = "*.svg"]
#[include = "*.webmanifest"]
struct Embedded;

/// Where scripts find the documents that they send.
const DOCUMENTS: &str = "js/documents.js";
/// Fragments that documents may use.
const FRAGMENTS: &str = "fragments";

/// What the client consists of.
pub(super) struct Files {
    /// Where they are served: under their hash, so that an address never changes its content.
    pub(super) base: String,
    /// The end of each page's head: scripts would be found one after the other otherwise.
    pub(super) head_end: String,
    /// The end of a page's body that the client fills: its parts.
    pub(super) body_end: String,
    pub(super) parts: Parts,
    /// The documents of the API, by their names, with the fragments that they use.
    pub(super) documents: BTreeMap<String, String>,
    hash: String,
    served: BTreeMap<String, Served>,
}

struct Served {
    kind: &'static str,
    plain: Bytes,
    /// Made when it is first wanted.
    brotli: OnceLock<Bytes>,
}

/// What is wrong with the files: a release has been tested not to have it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    #[error(transparent)]
    Part(#[from] PartError),
    #[error("web/{0} is no text")]
    Text(String),
}

impl Files {
    /// Those of this moment.
    pub(super) fn load() -> Result<Arc<Self>, FilesError> {
        static RELEASED: OnceLock<Arc<Files>> = OnceLock::new();
        if cfg!(debug_assertions) {
            return Self::read().map(Arc::new);
        }
        if let Some(files) = RELEASED.get() {
            return Ok(Arc::clone(files));
        }
        let files = Arc::new(Self::read()?);
        Ok(Arc::clone(RELEASED.get_or_init(|| files)))
    }

    fn read() -> Result<Self, FilesError> {
        let (mut parts, mut queries) = (BTreeMap::new(), BTreeMap::new());
        let mut served = BTreeMap::new();
        let mut hash = Sha256::new();
        let mut names: Vec<_> = Embedded::iter().collect();
        names.sort();
        for path in names {
            let Some(file) = Embedded::get(&path) else { continue };
            hash.update(path.as_bytes());
            hash.update(&file.data);
            let text = || {
                let text = std::str::from_utf8(&file.data);
                text.map(ToOwned::to_owned).map_err(|_| FilesError::Text(path.to_string()))
            };
            let stem = |folder: &str, end: &str| {
                path.strip_prefix(folder)?.strip_suffix(end).map(ToOwned::to_owned)
            };
            if let Some(name) = stem("parts/", ".html") {
                parts.insert(name, text()?);
            } else if let Some(name) = stem("queries/", ".graphql") {
                queries.insert(name, text()?);
            } else {
                let plain = Bytes::copy_from_slice(&file.data);
                served.insert(path.to_string(), Served::new(kind(&path), plain));
            }
        }
        let parts = Parts::read(parts.iter().map(|(name, text)| (name.as_str(), text.as_str())))?;
        let documents = documents(&queries);
        let module = module(&documents);
        served.insert(DOCUMENTS.to_owned(), Served::new(kind(DOCUMENTS), module.into()));
        let hash = hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        });
        let base = format!("/assets/{hash}");
        let scripts = served.keys().filter(|path| path.starts_with("js/"));
        let preloads = scripts.fold(String::new(), |links, path| {
            format!("{links}<link rel=\"modulepreload\" href=\"{base}/{path}\">")
        });
        let (head_end, body_end) = (preloads + "</head>", parts.templates() + "</body>");
        Ok(Self { base, head_end, body_end, parts, documents, hash, served })
    }
}

/// Documents by their names, each with the fragments that it uses, and those that these use.
fn documents(queries: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let shared = queries.get(FRAGMENTS).map(String::as_str).unwrap_or_default();
    let fragments: BTreeMap<&str, &str> = shared
        .split("\nfragment ")
        .map(|text| text.strip_prefix("fragment ").unwrap_or(text))
        .filter_map(|text| Some((text.split_whitespace().next()?, text.trim_end())))
        .collect();
    let whole = |text: &str| {
        let mut whole = text.trim_end().to_owned();
        let mut used = Vec::new();
        while let Some((name, fragment)) = fragments
            .iter()
            .find(|(name, _)| !used.contains(*name) && spreads(&whole).any(|it| it == **name))
        {
            used.push(*name);
            whole = whole + "\nfragment " + fragment;
        }
        whole
    };
    let documents = queries.iter().filter(|(name, _)| *name != FRAGMENTS);
    documents.map(|(name, text)| (name.clone(), whole(text))).collect()
}

/// The names that stand behind `...`.
fn spreads(document: &str) -> impl Iterator<Item = &str> {
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    document
        .split("...")
        .skip(1)
        .map(move |rest| rest.split(|it| !is_name(it)).next().unwrap_or(""))
}

fn module(documents: &BTreeMap<String, String>) -> String {
    documents.iter().fold(String::new(), |text, (name, document)| {
        let document = serde_json::Value::from(document.as_str());
        format!("{text}export const {name} = {document};\n")
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

impl Served {
    fn new(kind: &'static str, plain: Bytes) -> Self {
        Self { kind, plain, brotli: OnceLock::new() }
    }

    fn brotli(&self) -> Bytes {
        let made = self.brotli.get_or_init(|| {
            let quality = if cfg!(debug_assertions) { 1 } else { 11 };
            let parameters = brotli::enc::BrotliEncoderParams { quality, ..Default::default() };
            let mut out = Vec::new();
            // Reading from memory and writing to it cannot fail.
            let _ = brotli::BrotliCompress(&mut &*self.plain, &mut out, &parameters);
            out.into()
        });
        made.clone()
    }
}

/// Compresses what a release serves, once for all.
pub(crate) fn squeeze() {
    // While developing, files change, and each page reads them anew.
    if cfg!(debug_assertions) {
        return;
    }
    for served in Files::load().iter().flat_map(|files| files.served.values()) {
        served.brotli();
    }
}

/// Answers `/assets/HASH/PATH`. What is asked for by another hash, as by the page of another release
/// while two run, is answered as it is here, and not kept.
pub(crate) async fn serve(
    Path((hash, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let files = match Files::load() {
        Ok(files) => files,
        Err(error) => {
            tracing::error!(%error, "the web client can't be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let Some(served) = files.served.get(&path) else {
        return (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response();
    };
    let keep = if hash == files.hash { "public, max-age=31536000, immutable" } else { "no-store" };
    let common = [(CONTENT_TYPE, served.kind), (CACHE_CONTROL, keep), (VARY, "accept-encoding")];
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let takes_brotli =
        accepted.split(',').any(|it| it.trim().starts_with("br") && !it.contains("q=0"));
    if takes_brotli {
        return (common, [(CONTENT_ENCODING, "br")], served.brotli()).into_response();
    }
    (common, served.plain.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_the_fragments_that_they_use_and_no_others() {
        let queries = [
            (
                "fragments",
                "fragment a on A { x ...b }\n\nfragment b on B { y }\nfragment c on C { z }\n",
            ),
            ("One", "query One { it { ...a } }\n"),
            ("Two", "query Two { it { ...ab } }\n"),
        ];
        let queries = queries.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let documents = documents(&queries);
        assert_eq!(documents.len(), 2);
        assert_eq!(
            documents["One"],
            "query One { it { ...a } }\nfragment a on A { x ...b }\nfragment b on B { y }"
        );
        assert_eq!(documents["Two"], "query Two { it { ...ab } }");
        assert_eq!(
            module(&[("One".to_owned(), "{ a\n}".to_owned())].into()),
            "export const One = \"{ a\\n}\";\n"
        );
    }
}
