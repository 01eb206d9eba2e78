//! Who is asking: the search of `aws-config` (environment, profiles, SSO, processes, web identity,
//! containers, instances), or the identity that `CircleCI` gives to a job, exchanged for a role.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::error::AwsError;

/// Credentials are got again so long before they expire.
const MARGIN: Duration = Duration::from_mins(5);

/// An access key.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    key: String,
    secret: String,
    token: Option<String>,
    expires: Option<SystemTime>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.key)
    }
}

impl Credentials {
    /// Of their parts.
    pub fn new(
        key: &str,
        secret: &str,
        token: Option<String>,
        expires: Option<SystemTime>,
    ) -> Self {
        Self { key: key.to_owned(), secret: secret.to_owned(), token, expires }
    }

    /// Whether they are good for some time.
    pub(super) fn lasts(&self, now: SystemTime) -> bool {
        !self.have_expired(now + MARGIN)
    }

    pub(super) fn have_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub(super) fn identity(&self) -> Identity {
        let Self { key, secret, token, expires } = self.clone();
        aws_credential_types::Credentials::new(key, secret, token, expires, "deploy").into()
    }
}

/// Where credentials come from.
#[derive(Debug)]
pub enum Source {
    /// Here they are, and there are no others.
    Fixed(Credentials),
    /// Wherever `aws-config` finds some.
    Chain(SharedCredentialsProvider),
    /// An identity is exchanged for a role.
    OpenId(OpenId),
}

impl Source {
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}

/// An identity that somebody else vouches for, and the role that trusts it.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenId {
    /// The role's ARN.
    pub role: String,
    /// The token.
    pub token: String,
    /// What the session is called in AWS's logs.
    pub session: String,
}

impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenId({})", self.role)
    }
}

impl OpenId {
    /// `CircleCI`'s, where a job has a token (its documentation, "Using `OpenID` Connect tokens in
    /// jobs") and a role is named. Web identities as files are the chain's.
    pub fn of_circleci(role: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let token = env("CIRCLE_OIDC_TOKEN_V2").or_else(|| env("CIRCLE_OIDC_TOKEN"))?;
        let role = role.map(ToOwned::to_owned).or_else(|| env("AWS_ROLE_ARN"))?;
        let job = env("CIRCLE_WORKFLOW_JOB_ID").unwrap_or_else(|| "job".to_owned());
        Some(Self { role, token, session: session(&format!("deploy-{job}")) })
    }

    pub(super) fn request(&self) -> Value {
        json!({
            "RoleArn": self.role,
            "RoleSessionName": self.session,
            "WebIdentityToken": self.token,
        })
    }
}

/// Of a name, what a session may be called: `[\w+=,.@-]{2,64}` (STS, `AssumeRoleWithWebIdentity`).
fn session(name: &str) -> String {
    let allowed = |it: char| it.is_ascii_alphanumeric() || "_+=,.@-".contains(it);
    name.chars().map(|it| if allowed(it) { it } else { '-' }).take(64).collect()
}

/// What STS says.
pub(super) fn of_role(answer: &Value) -> Result<Credentials, AwsError> {
    let text = |name: &str| answer.pointer(&format!("/Credentials/{name}")).and_then(Value::as_str);
    let expires = text("Expiration").and_then(|it| chrono::DateTime::parse_from_rfc3339(it).ok());
    match (text("AccessKeyId"), text("SecretAccessKey")) {
        (Some(key), Some(secret)) => {
            let token = text("SessionToken").map(ToOwned::to_owned);
            Ok(Credentials::new(key, secret, token, expires.map(SystemTime::from)))
        }
        _ => Err(AwsError::Answer {
            operation: "sts:AssumeRoleWithWebIdentity".to_owned(),
            reason: "it holds no credentials".to_owned(),
        }),
    }
}

/// The search of `aws-config`, and the region that it finds. Nothing is asked yet.
pub async fn chain(
    profile: Option<&str>,
    region: Option<&str>,
) -> (Option<SharedCredentialsProvider>, Option<String>) {
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(Web::default());
    if let Some(profile) = profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region.to_owned()));
    }
    let found = loader.load().await;
    (found.credentials_provider(), found.region().map(ToString::to_string))
}

pub(super) async fn of_chain(chain: &SharedCredentialsProvider) -> Result<Credentials, AwsError> {
    let found = chain.provide_credentials().await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        AwsError::Credentials(format!(
            "{cause}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with \
             AWS_PROFILE, or in CircleCI name a role for its identity"
        ))
    })?;
    let token = found.session_token().map(ToOwned::to_owned);
    let (key, secret) = (found.access_key_id(), found.secret_access_key());
    Ok(Credentials::new(key, secret, token, found.expiry()))
}

/// What `aws-config` asks its questions with: the same HTTP client as everything else, instead of
/// another one with another TLS library.
#[derive(Clone, Debug)]
struct Web {
    client: Arc<OnceLock<reqwest::Client>>,
    timeout: Duration,
}

impl Default for Web {
    fn default() -> Self {
        Self { client: Arc::default(), timeout: Duration::from_secs(10) }
    }
}

impl Web {
    /// As patient as it is asked to be: where no instance is, nobody answers for it, and `aws-config`
    /// wants to know that in a second.
    fn within(&self, settings: &HttpConnectorSettings) -> Self {
        let read = settings.read_timeout().unwrap_or(self.timeout);
        let timeout = settings.connect_timeout().unwrap_or_default() + read;
        Self { client: Arc::clone(&self.client), timeout }
    }
}

impl HttpClient for Web {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.within(settings))
    }
}

impl HttpConnector for Web {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.client.get_or_init(|| {
            // The first one stays, if there is one.
            let _ = rustls::crypto::ring::default_provider().install_default();
            reqwest::Client::new()
        });
        HttpConnectorFuture::new(send(client.clone(), self.timeout, request))
    }
}

async fn send(
    client: reqwest::Client,
    timeout: Duration,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let user = |error: String| ConnectorError::user(error.into());
    let method = request.method().parse().map_err(|_| user("no method".to_owned()))?;
    let mut sent = client.request(method, request.uri()).timeout(timeout);
    for (name, value) in request.headers() {
        sent = sent.header(name, value);
    }
    sent = sent.body(request.body().bytes().unwrap_or_default().to_vec());
    let io = |error: reqwest::Error| {
        if error.is_timeout() {
            ConnectorError::timeout(error.into())
        } else {
            ConnectorError::io(error.into())
        }
    };
    let response = sent.send().await.map_err(io)?;
    let status = StatusCode::try_from(response.status().as_u16())
        .map_err(|error| user(error.to_string()))?;
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(io)?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body.to_vec()));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_circleci_has_an_identity() {
        let of = |pairs: &'static [(&str, &str)], role: Option<&str>| {
            OpenId::of_circleci(role, |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let job = [
            ("CIRCLE_OIDC_TOKEN", "v1"),
            ("CIRCLE_OIDC_TOKEN_V2", "v2"),
            ("CIRCLE_WORKFLOW_JOB_ID", "a b"),
        ];
        let job: &'static [(&str, &str)] = Box::leak(Box::new(job));
        let found = of(job, Some("arn:r")).unwrap();
        assert_eq!((found.token.as_str(), found.session.as_str()), ("v2", "deploy-a-b"));
        assert!(!format!("{found:?}").contains("v2"));
        assert_eq!(of(job, None), None, "no role");
        assert_eq!(of(&[("CIRCLE_OIDC_TOKEN", "")], Some("arn:r")), None);
        assert_eq!(session(&"x".repeat(90)).len(), 64);
    }

    #[test]
    fn credentials_of_a_role_end() {
        let answer = json!({ "Credentials": {
            "AccessKeyId": "k", "SecretAccessKey": "s", "SessionToken": "t",
            "Expiration": "1970-01-01T01:00:00Z",
        }});
        let found = of_role(&answer).unwrap();
        let at = |minutes| SystemTime::UNIX_EPOCH + Duration::from_mins(minutes);
        assert!(found.lasts(at(54)) && !found.lasts(at(56)));
        assert!(!format!("{found:?}").contains('s') || !format!("{found:?}").contains("Secret"));
        assert!(found.have_expired(at(60)) && !found.have_expired(at(59)));
        assert!(of_role(&json!({})).is_err());
    }

    #[tokio::test]
    async fn an_instance_that_does_not_answer_is_waited_for_as_long_as_aws_config_says() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let request = format!("http://{}/", silent.local_addr().unwrap());
        let moment = Duration::from_millis(5);
        let settings =
            HttpConnectorSettings::builder().connect_timeout(moment).read_timeout(moment).build();
        let web = Web::default().within(&settings);
        assert_eq!((web.timeout, Web::default().timeout), (moment * 2, Duration::from_secs(10)));
        let error = web.call(HttpRequest::get(request).unwrap()).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }
}
