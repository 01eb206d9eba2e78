//! Which address a request comes from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use tokio::sync::OwnedSemaphorePermit;

/// The connection that a request came by; the server puts it into every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The other end.
    pub address: SocketAddr,
    /// Its place among those served at once, for whoever keeps the connection: a socket.
    pub place: Arc<OwnedSemaphorePermit>,
}

/// The client's address: the connection's other end, or, behind `trusted_proxies` proxies that
/// each append to `X-Forwarded-For`, the entry that the outermost of them wrote. What stands
/// further left the client may have written itself.
pub fn address(extensions: &Extensions, headers: &HeaderMap, trusted_proxies: usize) -> IpAddr {
    let peer = extensions
        .get::<Peer>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
    if trusted_proxies == 0 {
        return peer.to_canonical();
    }
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let entry = forwarded.iter().rev().nth(trusted_proxies - 1);
    entry.and_then(|entry| parse(entry.trim())).unwrap_or(peer).to_canonical()
}

/// An address, with a port behind it or not.
fn parse(entry: &str) -> Option<IpAddr> {
    entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn seen(forwarded: &[&'static str], trusted: usize) -> String {
        let mut extensions = Extensions::new();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        extensions.insert(Peer { address: ([10, 0, 0, 9], 1234).into(), place: Arc::new(place) });
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        address(&extensions, &headers, trusted).to_string()
    }

    #[test]
    fn only_what_trusted_proxies_wrote_counts() {
        assert_eq!(seen(&["6.6.6.6"], 0), "10.0.0.9");
        assert_eq!(seen(&["6.6.6.6, 1.2.3.4"], 1), "1.2.3.4");
        assert_eq!(seen(&["6.6.6.6", "1.2.3.4, 5.6.7.8:99"], 2), "1.2.3.4");
        assert_eq!(seen(&["6.6.6.6, [2001:db8::1]:443"], 1), "2001:db8::1");
    }

    #[test]
    fn a_missing_or_broken_entry_falls_back_to_the_peer() {
        assert_eq!(seen(&[], 1), "10.0.0.9");
        assert_eq!(seen(&["1.2.3.4"], 2), "10.0.0.9");
        assert_eq!(seen(&["nonsense"], 1), "10.0.0.9");
    }
}
