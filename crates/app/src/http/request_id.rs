//! What a request is called.

use axum::http::{HeaderMap, HeaderName};

/// The header that carries it, in and out.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What a request is called, in the log and in every error.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    /// The id that a proxy or client gave, if it is fit to be repeated and logged; else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        Self(incoming(headers).unwrap_or_else(random))
    }
}

fn incoming(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
    ((1..=64).contains(&id.len()) && id.bytes().all(fit)).then(|| id.to_owned())
}

fn random() -> String {
    let mut bytes = [0; 8];
    // Without randomness an id is less unique, and nothing else.
    let _ = getrandom::fill(&mut bytes);
    format!("{:016x}", u64::from_be_bytes(bytes))
}
