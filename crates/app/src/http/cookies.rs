//! The cookie that signs a browser in. Scripts can't read it, other sites can't send it.

use axum::http::{HeaderMap, header::COOKIE};

use crate::accounts::SESSION_LIFE;

/// The cookie's name, as in the first Graphbook.
const NAME: &str = "authorization";

/// The `Set-Cookie` value that signs in. How long the session lasts is the server's to decide;
/// the cookie only has to live as long as a session can.
pub fn sign_in(token: &str, secure: bool) -> String {
    set(token, SESSION_LIFE.as_secs(), secure)
}

/// The `Set-Cookie` value that signs out.
pub fn sign_out(secure: bool) -> String {
    set("", 0, secure)
}

fn set(value: &str, max_age: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}")
}

/// The token in a request's cookies.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == NAME && !value.is_empty())
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, "a=b; authorization=x.y.z; authorization.sig=s".parse().unwrap());
        assert_eq!(token(&headers), Some("x.y.z"));
        headers.insert(COOKIE, "authorization=; b".parse().unwrap());
        assert_eq!(token(&headers), None);
    }

    #[test]
    fn cookies_are_for_this_site_alone() {
        let cookie = sign_in("x", true);
        assert!(cookie.starts_with("authorization=x; Path=/; Max-Age=2592000; "), "{cookie}");
        assert!(cookie.ends_with("HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        assert!(!sign_out(false).contains("Secure"));
    }
}
