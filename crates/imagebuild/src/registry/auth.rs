//! What a registry asks for, and what it is answered (RFC 7235; distribution, "Token Authentication
//! Specification").

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::client::{LARGEST_ANSWER, RegistryError, is_forbidden, limited};
use super::credentials::Credential;

/// How a registry wants to be told who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

/// The first challenge that is understood.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|it| it.to_str().ok());
    let mut found = values.filter_map(|value| {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        let parameters = parameters(rest);
        let of = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        let bearer = scheme.eq_ignore_ascii_case("bearer");
        let (realm, service) = (of("realm").filter(|_| bearer)?, of("service"));
        Some(Challenge::Bearer { realm, service })
    });
    found.next()
}

/// `name=value` and `name="value"`, between commas; a comma may also be inside of quotes.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ', '\t']).to_owned();
        let mut value = String::new();
        let mut letters = after.char_indices();
        let mut end = after.len();
        let mut quoted = false;
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => quoted = !quoted,
                '\\' if quoted => value.extend(letters.next().map(|(_, letter)| letter)),
                ',' if !quoted => {
                    end = at;
                    break;
                }
                _ => value.push(letter),
            }
        }
        found.push((name, value.trim().to_owned()));
        rest = after.get(end..).unwrap_or_default();
    }
    found
}

/// What is sent along with requests, and how it is got anew.
#[derive(Debug)]
pub(super) struct Auth {
    credential: Option<Credential>,
    /// What tokens are asked for.
    scopes: Vec<String>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    header: Option<HeaderValue>,
    /// Counts what was held before, so that of many that were refused at once only one asks.
    turn: u64,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Auth {
    pub(super) fn new(credential: Option<Credential>, scopes: Vec<String>) -> Self {
        Self { credential, scopes, held: Mutex::default() }
    }

    pub(super) fn is_known(&self) -> bool {
        self.credential.is_some()
    }

    /// What to send now.
    pub(super) async fn header(&self) -> (Option<HeaderValue>, u64) {
        let held = self.held.lock().await;
        (held.header.clone(), held.turn)
    }

    /// Gets what is to be sent instead of what was refused. `false` if there is nothing else.
    pub(super) async fn answer(
        &self,
        http: &Client,
        registry: &Url,
        refused: u64,
        headers: &HeaderMap,
    ) -> Result<bool, RegistryError> {
        let mut held = self.held.lock().await;
        if held.turn != refused {
            return Ok(true);
        }
        let header = match (challenge(headers), &self.credential) {
            (Some(Challenge::Basic), Some(Credential::Basic { user, password })) => {
                // The same once more would be refused once more.
                let first = held.turn == 0;
                first.then(|| format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            (Some(Challenge::Bearer { realm, service }), _) => {
                let token = self.token(http, registry, &realm, service.as_deref()).await?;
                Some(format!("Bearer {token}"))
            }
            _ => None,
        };
        let Some(header) = header else { return Ok(false) };
        let mut value = HeaderValue::try_from(header).map_err(|_| RegistryError::Answer {
            what: "the registry's token".to_owned(),
            why: "it has characters that no header can have".to_owned(),
        })?;
        value.set_sensitive(true);
        held.header = Some(value);
        held.turn += 1;
        Ok(true)
    }

    async fn token(
        &self,
        http: &Client,
        registry: &Url,
        realm: &str,
        service: Option<&str>,
    ) -> Result<String, RegistryError> {
        let refuse =
            |why: String| RegistryError::Answer { what: format!("the realm {realm:?}"), why };
        let mut url = Url::parse(realm).map_err(|error| refuse(error.to_string()))?;
        if let Some(why) = is_forbidden(registry, &url) {
            return Err(refuse(why.to_owned()));
        }
        let mut query: Vec<(&str, &str)> = Vec::new();
        query.extend(service.map(|service| ("service", service)));
        let request = if let Some(Credential::Identity(token)) = &self.credential {
            let scope = self.scopes.join(" ");
            query.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
            query.extend([("client_id", "imagebuild"), ("scope", &scope)]);
            let body =
                url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
            let form = "application/x-www-form-urlencoded";
            http.post(url.clone()).header(reqwest::header::CONTENT_TYPE, form).body(body)
        } else {
            query.extend(self.scopes.iter().map(|scope| ("scope", scope.as_str())));
            url.query_pairs_mut().extend_pairs(query);
            let request = http.get(url.clone());
            match &self.credential {
                Some(Credential::Basic { user, password }) => {
                    request.basic_auth(user, Some(password))
                }
                _ => request,
            }
        };
        let what = format!("a token from {}", url.host_str().unwrap_or_default());
        let response = request.timeout(Duration::from_secs(30)).send().await;
        let response = response.map_err(|error| RegistryError::unreachable(&what, &error))?;
        let status = response.status();
        let body = limited(response, LARGEST_ANSWER).await;
        let body = body.map_err(|error| RegistryError::unreachable(&what, &error))?;
        if !status.is_success() {
            return Err(RegistryError::refused(&what, status, &body, self.is_known()));
        }
        let token: Option<Token> = serde_json::from_slice(&body).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        token.ok_or_else(|| RegistryError::Answer { what, why: "there is none in it".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(value: &str) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        challenge(&headers)
    }

    #[test]
    fn challenges_are_read_with_commas_in_quotes() {
        let bearer = |realm: &str, service: Option<&str>| {
            let service = service.map(ToOwned::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service })
        };
        let text = r#"Bearer realm="https://a/t",service="r",scope="repository:a:pull,push""#;
        assert_eq!(of(text), bearer("https://a/t", Some("r")));
        let text = r#"bearer scope="repository:a:pull,push" , realm = "https://a/t""#;
        assert_eq!(of(text), bearer("https://a/t", None));
        assert_eq!(of(r#"Bearer realm="a\"b""#), bearer("a\"b", None));
        assert_eq!(of(r#"Basic realm="x""#), Some(Challenge::Basic));
        assert_eq!(of("BASIC"), Some(Challenge::Basic));
        assert_eq!(of("Bearer service=x"), None);
        assert_eq!(of("Negotiate"), None);
    }

    proptest! {
        #[test]
        fn no_challenge_is_too_much(text in "[ -~]{0,80}") {
            let _ = of(&format!("Bearer {text}"));
        }
    }
}
