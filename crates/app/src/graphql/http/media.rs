//! Media types: what a client sends, and what it wants back.

use axum::http::{
    HeaderMap, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{Reply, Trouble};

/// How a reply is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/graphql-response+json`: the status says whether the operation was executed.
    GraphqlResponse,
    /// `application/json`: a well-formed operation that is refused has status 200, as the
    /// specification wants it for clients that know no better.
    Json,
}

impl MediaType {
    /// The type that a client wants most of those we have; nothing if it wants none of them.
    /// Whoever takes anything gets the one whose status says more.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        let mut asked = false;
        for range in headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()) {
            for range in range.split(',') {
                asked = true;
                let mut parts = range.split(';').map(str::trim);
                let found = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                    "application/graphql-response+json" | "application/*" | "*/*" => {
                        Self::GraphqlResponse
                    }
                    "application/json" => Self::Json,
                    _ => continue,
                };
                let weight =
                    parts.find_map(|part| part.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
                let better = best.is_none_or(|(_, before)| weight > before);
                if weight > 0.0 && better {
                    best = Some((found, weight));
                }
            }
        }
        if asked { best.map(|(media, _)| media) } else { Some(Self::GraphqlResponse) }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }

    /// The status that a reply has in this type.
    pub(super) fn status(self, reply: &Reply) -> StatusCode {
        match self {
            // 400 is the status of operations that were understood and refused.
            Self::Json
                if reply.is_refused()
                    && reply.status() == StatusCode::BAD_REQUEST
                    && !reply.is_ill_formed() =>
            {
                StatusCode::OK
            }
            _ => reply.status(),
        }
    }
}

/// Refuses bodies that don't say that they are JSON.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Trouble> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|found| found.eq_ignore_ascii_case("application/json"));
    let charset_fits = parts.all(|part| {
        let Some((name, value)) = part.split_once('=') else { return true };
        !name.eq_ignore_ascii_case("charset")
            || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if json && charset_fits {
        return Ok(());
    }
    let message = "Send application/json in UTF-8, or multipart/form-data for an upload.";
    Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiated(accept: Option<&'static str>) -> Option<MediaType> {
        let accept = accept.map(|value| (ACCEPT, value.parse().unwrap()));
        MediaType::negotiate(&accept.into_iter().collect())
    }

    #[test]
    fn the_type_wanted_most_wins() {
        use MediaType::{GraphqlResponse, Json};
        for (accept, wanted) in [
            (None, Some(GraphqlResponse)),
            (Some("*/*"), Some(GraphqlResponse)),
            (Some("application/json"), Some(Json)),
            (Some("application/json, */*;q=0.1"), Some(Json)),
            (Some("application/graphql-response+json;q=0.5, application/json;q=0.9"), Some(Json)),
            (
                Some("application/graphql-response+json, application/json;q=0.9"),
                Some(GraphqlResponse),
            ),
            (Some("text/html, application/xhtml+xml"), None),
            (Some("application/json;q=0"), None),
        ] {
            assert_eq!(negotiated(accept), wanted, "{accept:?}");
        }
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        let fits = |content_type: &'static str| {
            let pair = (CONTENT_TYPE, content_type.parse().unwrap());
            require_json(&[pair].into_iter().collect()).is_ok()
        };
        assert!(fits("application/json"));
        assert!(fits("Application/JSON; charset=\"UTF-8\""));
        for other in ["text/plain", "application/jsonp", "application/json; charset=latin1", ""] {
            assert!(!fits(other), "{other}");
        }
    }
}
