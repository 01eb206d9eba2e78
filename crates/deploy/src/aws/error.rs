//! What AWS says when it says no, and what to do then. Never holds a secret.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderValue};
use serde_json::Value;

use super::query;

/// Of the clock, what is not worth a word: a signature is good for five minutes.
pub(super) const SKEW: Duration = Duration::from_mins(4);
/// Codes of services that are asked too often. ECS says it with a code that is in no model
/// (aws/aws-sdk#821).
const THROTTLING: [&str; 8] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "BandwidthLimitExceeded",
];
/// Codes of credentials whose time is over.
const EXPIRED: [&str; 2] = ["ExpiredToken", "ExpiredTokenException"];
/// Codes of signatures that don't fit, often because a clock is wrong.
const SIGNATURE: [&str; 6] = [
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "RequestTimeTooSkewed",
    "RequestExpired",
    "RequestInTheFuture",
    "AuthFailure",
];
/// STS does not reach who vouches for an identity, and says to ask again.
const UNHEARD: &str = "IDPCommunicationError";

/// Why AWS did not do it. Operations are called as IAM calls them, such as `ecs:UpdateService`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AwsError {
    /// It said no.
    #[error("{operation}: {refusal}")]
    Refused {
        /// What was asked for.
        operation: String,
        /// What it said.
        refusal: Box<Refusal>,
    },
    /// No answer, and nothing was done.
    #[error("{operation}: {reason}")]
    Unreachable {
        /// What was asked for.
        operation: String,
        /// Why.
        reason: String,
    },
    /// No good answer, and nobody knows whether it was done.
    #[error("{operation}: {reason}. Whether it was done is not known")]
    Ambiguous {
        /// What was asked for.
        operation: String,
        /// Why.
        reason: String,
    },
    /// An answer that is none.
    #[error("{operation}: the answer can't be read: {reason}")]
    Answer {
        /// What was asked for.
        operation: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody is asking.
    #[error("there are no credentials for AWS: {0}")]
    Credentials(String),
    /// The machine can't do it.
    #[error("{0}")]
    Setup(String),
}

impl AwsError {
    /// The code, if it said no.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } => Some(&refusal.code),
            _ => None,
        }
    }

    pub(super) fn has_expired(&self) -> bool {
        self.code().is_some_and(|code| EXPIRED.contains(&code))
    }

    /// Whether it says that what is asked for is not there.
    pub fn is_about_absence(&self) -> bool {
        self.code().is_some_and(|code| code.contains("NotFound") || code.contains("NotExist"))
    }

    /// Whether it is about rights.
    pub fn is_denied(&self) -> bool {
        self.code()
            .is_some_and(|code| code.starts_with("AccessDenied") || code == "UnauthorizedOperation")
    }
}

/// A no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of HTTP.
    pub status: u16,
    /// Such as `ServiceNotFoundException`.
    pub code: String,
    /// In AWS's own words.
    pub message: String,
    /// By which AWS's support finds it.
    pub request_id: Option<String>,
    /// How far this machine's clock is off, in minutes, if that is why.
    minutes: Option<i64>,
}

impl Refusal {
    /// From an answer, at a time of this machine's clock.
    pub(super) fn read(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Self {
        let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
        let request_id = text("x-amzn-requestid").or_else(|| text("x-amz-request-id"));
        let (code, message) =
            json(headers, body).or_else(|| query::error(body)).unwrap_or_default();
        let code = if code.is_empty() { format!("HTTP {status}") } else { code };
        let mut refusal = Self { status, code, message, request_id, minutes: None };
        if let Some(theirs) = headers.get(DATE).and_then(date).filter(|_| refusal.is_about_time()) {
            let minutes = |time: Duration| i64::try_from(time.as_secs() / 60).unwrap_or(i64::MAX);
            refusal.minutes = match now.duration_since(theirs) {
                Ok(ahead) => Some(ahead).filter(|it| *it > SKEW).map(minutes),
                Err(error) => Some(error.duration()).filter(|it| *it > SKEW).map(|it| -minutes(it)),
            };
        }
        refusal
    }

    pub(super) fn is_throttling(&self) -> bool {
        THROTTLING.contains(&self.code.as_str())
            || self.status == 429
            || self.message.contains("Rate exceeded")
    }

    /// Whether it was not done, and may be soon.
    pub(super) fn is_passing(&self) -> bool {
        self.is_throttling() || self.code == UNHEARD
    }

    pub(super) fn is_about_time(&self) -> bool {
        SIGNATURE.contains(&self.code.as_str())
    }

    fn advice(&self) -> String {
        let code = self.code.as_str();
        if let Some(minutes) = self.minutes.filter(|_| self.is_about_time()) {
            return format!("This machine's clock is off by {minutes} min: set it");
        }
        if EXPIRED.contains(&code) && self.message.starts_with("Token expired") {
            return "The job's OIDC token has expired: let tokens live longer (CircleCI, \
                    oidc-custom-claims, ttl), or start the job again"
                .to_owned();
        }
        if EXPIRED.contains(&code) {
            return "The credentials have expired: sign in again".to_owned();
        }
        if self.is_throttling() {
            return "AWS was asked too often by this account; try again in some minutes".to_owned();
        }
        if code.starts_with("AccessDenied") {
            return denied(&self.message);
        }
        if self.is_about_time() {
            return "The secret key does not belong to the access key, or the region is another's"
                .to_owned();
        }
        match code {
            "UnrecognizedClientException" | "InvalidClientTokenId" => {
                "AWS does not know these credentials: see AWS_ACCESS_KEY_ID, AWS_PROFILE".to_owned()
            }
            "ClusterNotFoundException" => "See cluster and region in deploy.toml".to_owned(),
            "RepositoryNotFoundException" => {
                "Create the repository first, or see repository and region in deploy.toml"
                    .to_owned()
            }
            _ => String::new(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message.trim_end_matches('.'))?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        match self.advice().as_str() {
            "" => Ok(()),
            advice => write!(f, ". {advice}"),
        }
    }
}

/// What to do about a right that is missing; messages mostly name it behind `to perform`.
fn denied(message: &str) -> String {
    let action = message.split_once("to perform").and_then(|(_, rest)| {
        rest.trim_start_matches([':', ' ']).split_whitespace().next().map(|it| it.trim_matches('.'))
    });
    if action == Some("sts:AssumeRoleWithWebIdentity") {
        return "The role's trust policy must let this identity in: see its audience and subject"
            .to_owned();
    }
    let action = action.unwrap_or("it");
    if message.contains("explicit deny") {
        return format!("A policy denies {action} explicitly: no other policy can allow it");
    }
    format!("Allow {action} in the policy of the role or user that this runs as")
}

/// Code and message as AWS JSON has them: the code behind a namespace, and before an address.
fn json(headers: &HeaderMap, body: &[u8]) -> Option<(String, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let header = headers.get("x-amzn-errortype").and_then(|it| it.to_str().ok());
    let code = text("__type").or_else(|| text("code")).or(header)?;
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let message = text("message").or_else(|| text("Message")).unwrap_or_default();
    Some((code.to_owned(), message.to_owned()))
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
pub(super) fn date(value: &HeaderValue) -> Option<SystemTime> {
    let time = chrono::DateTime::parse_from_rfc2822(value.to_str().ok()?).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(time.timestamp().try_into().ok()?))
}

/// Host, innermost reason, and what to do: the outer reasons only say that there was a request.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let host = error.url().and_then(reqwest::Url::host_str).unwrap_or_default();
    if error.is_timeout() {
        return format!("{host}: it does not answer");
    }
    let mut cause: &dyn std::error::Error = error;
    let mut unknown = false;
    while let Some(inner) = cause.source() {
        cause = inner;
        unknown |= cause.to_string().contains("dns error");
    }
    let advice = match error.is_connect() {
        true if unknown => {
            ". See how the region is written, and whether names can be looked up here"
        }
        true => ". See whether this machine needs a proxy (HTTPS_PROXY), or see --endpoint-url",
        false => "",
    };
    format!("{host}: {cause}{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(headers: &[(&'static str, &'static str)], body: &str) -> Refusal {
        let pairs = headers.iter().map(|(name, value)| {
            (name.parse::<reqwest::header::HeaderName>().unwrap(), HeaderValue::from_static(value))
        });
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        Refusal::read(400, &pairs.collect(), body.as_bytes(), now)
    }

    #[test]
    fn the_code_is_found_wherever_a_service_puts_it() {
        let body =
            r#"{"__type":"com.amazonaws.ecs#ServiceNotFoundException:http://x/","Message":"M."}"#;
        let found = refusal(&[("x-amzn-requestid", "7")], body);
        assert_eq!(found.to_string(), "ServiceNotFoundException: M (request 7)");
        let found = refusal(&[("x-amzn-errortype", "A:b")], "{}");
        assert_eq!(found.code, "A");
        assert_eq!(refusal(&[], "<html>").code, "HTTP 400");
    }

    #[test]
    fn throttling_is_known_by_its_words_too() {
        assert!(refusal(&[], r#"{"__type":"ThrottlingException"}"#).is_throttling());
        assert!(
            refusal(&[], r#"{"__type":"ClientException","message":"Rate exceeded"}"#)
                .is_throttling()
        );
        assert!(!refusal(&[], r#"{"__type":"ClientException"}"#).is_throttling());
    }

    #[test]
    fn a_clock_that_is_wrong_is_told() {
        let body = r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#;
        let found = refusal(&[("date", "Sun, 09 Sep 2001 02:00:00 GMT")], body);
        assert!(
            found.to_string().ends_with("This machine's clock is off by -13 min: set it"),
            "{found}"
        );
        let found = refusal(&[], body);
        assert!(found.to_string().contains("secret key does not belong"), "{found}");
    }
}
