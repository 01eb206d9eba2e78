//! The few services of AWS that a release needs, through one small client: a JSON value goes in, a
//! JSON value comes out, and nothing that AWS adds to its answers is lost on the way.
//!
//! The typed SDKs drop what they don't know, which loses fields of task definitions when these are
//! registered again (see `task_definition`). Theirs are the signatures and the search for credentials.

pub mod credentials;
pub mod error;
mod query;
mod sign;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde_json::Value;
use tokio::sync::Mutex as Turns;

use crate::clock::Clock;
use credentials::{Credentials, Source};
use error::{AwsError, Refusal, SKEW};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);
/// The largest answer that is read, in bytes. Those of AWS are some hundred kilobytes.
const LARGEST: usize = 32 << 20;
/// The longest that a service may tell to wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Elastic Container Service.
    Ecs,
    /// Elastic Container Registry.
    Ecr,
    /// Security Token Service.
    Sts,
    /// `CloudWatch` Logs.
    Logs,
    /// Elastic Load Balancing, version 2.
    Elb,
    /// `CloudFormation`.
    CloudFormation,
    /// Secrets Manager.
    SecretsManager,
    /// Systems Manager.
    Ssm,
}

/// How a service is spoken to.
enum Protocol {
    /// AWS JSON 1.1, with this in front of operations.
    Json(&'static str),
    /// AWS Query, in this version; answers are XML.
    Query(&'static str),
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ecs,
        Self::Ecr,
        Self::Sts,
        Self::Logs,
        Self::Elb,
        Self::CloudFormation,
        Self::SecretsManager,
        Self::Ssm,
    ];

    /// As IAM policies and signatures call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::Sts => "sts",
            Self::Logs => "logs",
            Self::Elb => "elasticloadbalancing",
            Self::CloudFormation => "cloudformation",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Ecs => Protocol::Json("AmazonEC2ContainerServiceV20141113"),
            Self::Ecr => Protocol::Json("AmazonEC2ContainerRegistry_V20150921"),
            Self::Logs => Protocol::Json("Logs_20140328"),
            Self::SecretsManager => Protocol::Json("secretsmanager"),
            Self::Ssm => Protocol::Json("AmazonSSM"),
            Self::Sts => Protocol::Query("2011-06-15"),
            Self::Elb => Protocol::Query("2015-12-01"),
            Self::CloudFormation => Protocol::Query("2010-05-15"),
        }
    }

    /// Where it is (AWS, "Service endpoints and quotas").
    fn address(self, region: &str) -> String {
        let name = if self == Self::Ecr { "api.ecr" } else { self.name() };
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{name}.{region}.{suffix}/")
    }
}

/// How often and how long something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a call is tried that may succeed later.
    pub attempts: u32,
    /// The pause after the first try; twice as long after each that follows, less by chance.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: 8, pause: Duration::from_millis(500) }
    }
}

/// How AWS is reached.
#[derive(Debug)]
pub struct Settings {
    /// Such as `eu-central-1`.
    pub region: String,
    /// Where services are, if not where AWS has them.
    pub endpoints: BTreeMap<Service, Url>,
    /// Who is asking.
    pub source: Source,
    /// How often something is tried.
    pub patience: Patience,
    /// The time.
    pub clock: Clock,
}

/// A client for all services in one region.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    settings: Settings,
    credentials: Turns<Option<Credentials>>,
    /// How far the clock of AWS is ahead of ours.
    skew: Mutex<Duration>,
    behind: Mutex<Duration>,
    calls: Mutex<Vec<String>>,
}

/// What became of one try.
enum Tried {
    Answered(Value),
    /// It may succeed later; with how long to wait, if that was said.
    Passing(AwsError, Option<Duration>),
    /// It may succeed with other credentials, which can be had.
    Expired(AwsError),
    Failed(AwsError),
}

impl Client {
    /// Makes one; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, AwsError> {
        // The first one stays, if there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("deploy/", env!("CARGO_PKG_VERSION")))
            .timeout(CALL)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| AwsError::Setup(error.to_string()))?;
        Ok(Self {
            http,
            settings,
            credentials: Turns::default(),
            skew: Mutex::default(),
            behind: Mutex::default(),
            calls: Mutex::default(),
        })
    }

    /// Its region.
    pub fn region(&self) -> &str {
        &self.settings.region
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    /// The calls that were made, as IAM calls them, such as `ecs:UpdateService`; each try is one.
    pub fn calls(&self) -> Vec<String> {
        locked(&self.calls).clone()
    }

    /// Calls an operation, and tries it again where that may help and does no harm: what may have
    /// been done already is not done twice, but told as [`AwsError::Ambiguous`].
    pub async fn call(
        &self,
        service: Service,
        operation: &str,
        body: &Value,
    ) -> Result<Value, AwsError> {
        let mut attempt = 0;
        let mut renewed = false;
        loop {
            attempt += 1;
            let (error, after) = match self.attempt(service, operation, body).await {
                Tried::Answered(answer) => return Ok(answer),
                Tried::Expired(_) if !renewed => {
                    renewed = true;
                    continue;
                }
                Tried::Expired(error) | Tried::Failed(error) => return Err(error),
                Tried::Passing(error, after) => (error, after),
            };
            if attempt >= self.settings.patience.attempts {
                return Err(error);
            }
            let most = self.settings.patience.pause * 2_u32.saturating_pow(attempt - 1);
            let pause = after.unwrap_or(most.mul_f64(0.5 + chance() / 2.0)).min(LONGEST_PAUSE);
            self.settings.clock.sleep(pause).await;
        }
    }

    async fn attempt(&self, service: Service, operation: &str, body: &Value) -> Tried {
        let name = format!("{}:{operation}", service.name());
        let signed = operation != "AssumeRoleWithWebIdentity";
        let credentials = if signed {
            match self.credentials().await {
                Ok(credentials) => Some(credentials),
                Err(error) => return Tried::Failed(error),
            }
        } else {
            None
        };
        let request = match self.request(service, operation, body, credentials.as_ref()) {
            Ok(request) => request,
            Err(error) => return Tried::Failed(error),
        };
        locked(&self.calls).push(name.clone());
        let sent = request.send().await;
        let answered = match sent {
            Ok(mut response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                match whole(&mut response).await {
                    Ok(Some(bytes)) => Ok((status, headers, bytes)),
                    Ok(None) => {
                        let reason = format!("it has more than {LARGEST} bytes");
                        return Tried::Failed(AwsError::Answer { operation: name, reason });
                    }
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        match answered {
            Ok((status, headers, bytes)) if status.is_success() => {
                drop(headers);
                let answer = match service.protocol() {
                    Protocol::Json(_) if bytes.is_empty() => Ok(Value::Null),
                    Protocol::Json(_) => {
                        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
                    }
                    Protocol::Query(_) => query::answer(&bytes),
                };
                answer.map_or_else(
                    |reason| Tried::Failed(AwsError::Answer { operation: name, reason }),
                    Tried::Answered,
                )
            }
            Ok((status, headers, bytes)) => {
                let refusal = Refusal::read(status.as_u16(), &headers, &bytes, self.now());
                let repeatable = is_repeatable(operation, body);
                match self.refused(name, repeatable, status, &headers, refusal) {
                    Tried::Failed(error) if error.has_expired() => {
                        self.expired(error, credentials).await
                    }
                    tried => tried,
                }
            }
            Err(error) => {
                let (connecting, reason) = (error.is_connect(), error::reason(&error));
                // A request that was never sent was never carried out.
                if connecting || is_repeatable(operation, body) {
                    Tried::Passing(AwsError::Unreachable { operation: name, reason }, None)
                } else {
                    Tried::Failed(AwsError::Ambiguous { operation: name, reason })
                }
            }
        }
    }

    fn refused(
        &self,
        name: String,
        repeatable: bool,
        status: StatusCode,
        headers: &HeaderMap,
        refusal: Refusal,
    ) -> Tried {
        let seconds = headers.get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
        let after = seconds.map(Duration::from_secs);
        let (passing, about_time) = (refusal.is_passing(), refusal.is_about_time());
        let reason = refusal.to_string();
        let refusal = Box::new(refusal);
        let error = AwsError::Refused { operation: name.clone(), refusal };
        if passing {
            return Tried::Passing(error, after);
        }
        if about_time && self.learn_time(headers) {
            return Tried::Passing(error, Some(Duration::ZERO));
        }
        if !status.is_server_error() {
            return Tried::Failed(error);
        }
        if repeatable {
            Tried::Passing(error, after)
        } else {
            Tried::Failed(AwsError::Ambiguous { operation: name, reason })
        }
    }

    /// Forgets credentials that are refused, unless there are others already.
    async fn expired(&self, error: AwsError, used: Option<Credentials>) -> Tried {
        if used.is_none() || self.settings.source.is_fixed() {
            return Tried::Failed(error);
        }
        let mut held = self.credentials.lock().await;
        if *held == used {
            *held = None;
        }
        Tried::Expired(error)
    }

    /// Takes the time from an answer, and says whether that is another than was believed.
    fn learn_time(&self, headers: &HeaderMap) -> bool {
        let Some(theirs) = headers.get(DATE).and_then(error::date) else { return false };
        let known = self.now();
        let ours = self.settings.clock.now();
        *locked(&self.skew) = theirs.duration_since(ours).unwrap_or_default();
        *locked(&self.behind) = ours.duration_since(theirs).unwrap_or_default();
        let apart = theirs.duration_since(known).or_else(|_| known.duration_since(theirs));
        apart.unwrap_or_default() > SKEW
    }

    /// The time as AWS has it.
    fn now(&self) -> SystemTime {
        self.settings.clock.now() + *locked(&self.skew) - *locked(&self.behind)
    }

    fn request(
        &self,
        service: Service,
        operation: &str,
        body: &Value,
        credentials: Option<&Credentials>,
    ) -> Result<reqwest::RequestBuilder, AwsError> {
        let url = match self.settings.endpoints.get(&service) {
            Some(url) => url.to_string(),
            None => service.address(self.region()),
        };
        let mut headers = Vec::new();
        let content = match service.protocol() {
            Protocol::Json(target) => {
                headers.push(("content-type", "application/x-amz-json-1.1".to_owned()));
                headers.push(("x-amz-target", format!("{target}.{operation}")));
                body.to_string()
            }
            Protocol::Query(version) => {
                headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
                query::form(operation, version, body)
            }
        };
        let mut request = self.http.post(&url).body(content.clone());
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        if let Some(credentials) = credentials {
            let signed = sign::Signed {
                url: &url,
                headers: &headers,
                body: content.as_bytes(),
                service: service.name(),
                region: self.region(),
                time: self.now(),
            };
            for (name, value) in signed.by(credentials)? {
                request = request.header(name, value);
            }
        }
        Ok(request)
    }

    /// Those that are known, unless they are about to expire. Who comes while they are got waits.
    async fn credentials(&self) -> Result<Credentials, AwsError> {
        let mut held = self.credentials.lock().await;
        if let Some(known) = held.as_ref().filter(|known| known.lasts(self.now())) {
            return Ok(known.clone());
        }
        match (self.found().await, &*held) {
            (Ok(found), _) => {
                *held = Some(found.clone());
                Ok(found)
            }
            // Their last minutes may be enough.
            (Err(_), Some(known)) if !known.have_expired(self.now()) => Ok(known.clone()),
            (Err(error), _) => Err(error),
        }
    }

    async fn found(&self) -> Result<Credentials, AwsError> {
        match &self.settings.source {
            Source::Fixed(credentials) => Ok(credentials.clone()),
            Source::Chain(chain) => credentials::of_chain(chain).await,
            Source::OpenId(open_id) => {
                let request = open_id.request();
                let operation = "AssumeRoleWithWebIdentity";
                let answer = Box::pin(self.call(Service::Sts, operation, &request));
                credentials::of_role(&answer.await?)
            }
        }
    }
}

/// The body of an answer; nothing if it is too large.
async fn whole(response: &mut reqwest::Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > LARGEST {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Whether doing it twice is as doing it once. What has a token is done once for that (ECS, "Ensuring
/// idempotency").
fn is_repeatable(operation: &str, body: &Value) -> bool {
    ["clientToken", "ClientToken", "ClientRequestToken"].iter().any(|it| body.get(it).is_some())
        || ["Describe", "List", "Get", "Batch", "Filter", "Assume", "DeleteChangeSet"]
            .iter()
            .any(|verb| operation.starts_with(verb))
}

/// From 0 to 1.
fn chance() -> f64 {
    f64::from(random() as u32) / f64::from(u32::MAX)
}

/// A name for a request that no other has, by which AWS does it once however often it is sent.
pub(crate) fn token() -> String {
    format!("{:016x}{:016x}", random(), random())
}

fn random() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    RandomState::new().build_hasher().finish()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_where_aws_has_them() {
        assert_eq!(Service::Ecr.address("eu-west-1"), "https://api.ecr.eu-west-1.amazonaws.com/");
        assert_eq!(Service::Sts.address("cn-north-1"), "https://sts.cn-north-1.amazonaws.com.cn/");
    }

    #[test]
    fn what_changes_something_is_not_done_twice() {
        for often in ["DescribeServices", "GetAuthorizationToken"] {
            assert!(is_repeatable(often, &Value::Null), "{often}");
        }
        for once in ["UpdateService", "RegisterTaskDefinition", "RunTask", "PutImage"] {
            assert!(!is_repeatable(once, &Value::Null), "{once}");
        }
    }
}
