//! Whether a browser sends a request on behalf of another site.

use axum::http::{
    HeaderMap,
    header::{HOST, ORIGIN},
};

/// True when a browser says that the request comes from another site. Browsers that don't send
/// `Sec-Fetch-Site` send `Origin` with everything that can change something; who sends neither
/// is no browser, and nobody can make it send somebody's cookie.
pub fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    // The scheme is not compared: TLS may end at a proxy.
    authority.is_none() || authority != text(HOST.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cross_site(headers: &[(&'static str, &'static str)]) -> bool {
        let pairs =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        is_cross_site(&pairs.collect())
    }

    #[test]
    fn another_site_is_told_by_what_browsers_send() {
        let host = ("host", "graphbook.example:8000");
        assert!(!cross_site(&[host]));
        assert!(!cross_site(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(!cross_site(&[host, ("sec-fetch-site", "none")]));
        assert!(cross_site(&[host, ("sec-fetch-site", "same-site")]));
        assert!(cross_site(&[host, ("sec-fetch-site", "cross-site")]));
        assert!(!cross_site(&[host, ("origin", "https://graphbook.example:8000")]));
        assert!(cross_site(&[host, ("origin", "https://evil.example")]));
        assert!(cross_site(&[host, ("origin", "null")]));
    }
}
