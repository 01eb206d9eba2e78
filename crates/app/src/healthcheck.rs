//! Asks a running server whether it is ready; images have no curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the server may take: less than the 5 seconds after which ECS gives up by default.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks the server that listens on `listen`.
///
/// # Errors
/// What it said, or why it said nothing.
pub(crate) async fn ask(listen: SocketAddr) -> Result<String, String> {
    let url = format!("http://{}/readyz", reachable(listen));
    // The client wants to know its TLS even where none is spoken.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let unreachable = |error: reqwest::Error| format!("{url} does not answer: {}", root(&error));
    let client =
        reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().map_err(unreachable)?;
    let response = client.get(&url).send().await.map_err(unreachable)?;
    let ready = response.status().is_success();
    let text = response.text().await.map_err(unreachable)?.trim().to_owned();
    if ready { Ok(text) } else { Err(text) }
}

/// A server that listens on all addresses is asked on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The innermost cause: the one that says something.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
