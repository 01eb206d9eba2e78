//! AWS in this process: a service of ECS whose time passes at once, a registry like ECR's, and what
//! goes wrong with both. For tests, and for `deploy simulate`, which shows what a release does then.

pub mod scenarios;
pub mod stacks;
pub mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use imagebuild::blobs::Blobs;
use imagebuild::digest::Digest;
use imagebuild::reference::{NoPlace, Reference};
use imagebuild::registry::client::{Connection, RegistryError, Repository};
use imagebuild::registry::credentials::Credential;
use imagebuild::registry::push::{Parcel, push};
use imagebuild::registry::server::personality::Personality;
use imagebuild::registry::server::{Registry, serve};
use indicatif::{MultiProgress, ProgressDrawTarget};
use oci_spec::image::MediaType;
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::aws::credentials::{OpenId, Source};
use crate::aws::error::AwsError;
use crate::aws::{Client, Patience, Service, Settings};
use crate::clock::Clock;
use crate::ecs::Place;
use crate::release::{Outcome, ReleaseError, Say, Target, release};
use crate::rollout::Limits;
use scenarios::Scenario;
use stacks::{Fails, Stacks};
use world::{ACCOUNT, REGION, Start, World};

/// Of the registry, for the user `AWS`.
pub const PASSWORD: &str = "a password of ECR";

/// Something that goes wrong with calls of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Such as `DescribeServices`.
    pub operation: &'static str,
    /// So many calls are well before.
    pub after: u32,
    /// With so many it goes wrong.
    pub times: u32,
    /// What.
    pub what: Wrong,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is answered with this status and code, and not done.
    Refused(u16, &'static str),
    /// It is done, and the connection ends.
    Reset,
    /// It is done, and answered with 500.
    Lost,
}

/// The services, until they are dropped.
pub struct Simulator {
    inner: Arc<Inner>,
    address: SocketAddr,
    registry: Registry,
    _folder: TempDir,
    _served: JoinSet<()>,
}

struct Inner {
    world: Mutex<World>,
    stacks: Mutex<Stacks>,
    faults: Mutex<Vec<Fault>>,
    calls: Mutex<Vec<(String, Value)>>,
    clock: Clock,
    began: SystemTime,
    /// Where tokens of ECR lead to.
    registry: Mutex<String>,
}

impl Simulator {
    /// Begins to serve, on ports of this machine that are free.
    pub async fn serve(start: Start, faults: &[Fault], clock: &Clock) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let registry = Registry::open(folder.path(), Personality::ecr(PASSWORD))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (api, served) = (TcpListener::bind("127.0.0.1:0").await?, registry.clone());
        let address = api.local_addr()?;
        let inner = Arc::new(Inner {
            world: Mutex::new(World::new(start)),
            stacks: Mutex::default(),
            faults: Mutex::new(faults.to_vec()),
            calls: Mutex::default(),
            clock: clock.clone(),
            began: clock.now(),
            registry: Mutex::new(listener.local_addr()?.to_string()),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Until it is dropped.
            let _ = served.serve(listener).await;
        });
        let answering = Arc::clone(&inner);
        tasks.spawn(async move {
            let answer = move |request| {
                let inner = Arc::clone(&answering);
                async move { inner.answer(request).await }
            };
            // Until it is dropped.
            let _ = serve(api, answer).await;
        });
        Ok(Self { inner, address, registry, _folder: folder, _served: tasks })
    }

    /// Where all of its services are.
    pub fn endpoint(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// A client of it, with an identity that is exchanged for credentials.
    pub fn client(&self, clock: &Clock) -> Result<Client, AwsError> {
        let endpoint: Url =
            self.endpoint().parse().map_err(|_| AwsError::Setup(self.endpoint()))?;
        let endpoints = Service::ALL.map(|service| (service, endpoint.clone()));
        let open_id = OpenId {
            role: format!("arn:aws:iam::{ACCOUNT}:role/release"),
            token: "an identity".to_owned(),
            session: "deploy-simulated".to_owned(),
        };
        Client::new(Settings {
            region: REGION.to_owned(),
            endpoints: endpoints.into(),
            source: Source::OpenId(open_id),
            patience: Patience::default(),
            clock: clock.clone(),
        })
    }

    /// Puts a small image into its registry, and says how to name it.
    pub async fn image(&self) -> Result<String, RegistryError> {
        let folder =
            tempfile::tempdir().map_err(|error| RegistryError::Setup(error.to_string()))?;
        let blobs = Blobs::open(folder.path());
        let put = |bytes: &[u8]| blobs.as_ref().map(|blobs| blobs.put(bytes));
        let (Ok(blobs), Ok(Ok(layer)), Ok(Ok(config))) = (&blobs, put(b"a layer"), put(b"{}"))
        else {
            return Err(RegistryError::Setup("no folder can be written".to_owned()));
        };
        let part = |kind: &str, digest: Digest, size: usize| {
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({ "mediaType": kind, "digest": digest, "size": size })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MediaType::ImageManifest.to_string(),
            "config": part("config.v1+json", config, 2),
            "layers": [part("layer.v1.tar", layer, 7)],
        });
        let name = format!("{}/graphbook:new", locked(&self.inner.registry));
        let refuse = |error: NoPlace| RegistryError::Setup(error.to_string());
        let reference: Reference = name.parse().map_err(refuse)?;
        let credential =
            Credential::Basic { user: "AWS".to_owned(), password: PASSWORD.to_owned() };
        let connection = Connection { credential: Some(credential), ..Connection::default() };
        let to = Repository::new(&reference, None, connection)?;
        let manifest = manifest.to_string().into_bytes();
        let parcel = Parcel::new(&MediaType::ImageManifest, &manifest, blobs, &BTreeMap::new())?;
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        push(&to, &parcel, &["new".to_owned()], &bars).await?;
        Ok(format!("docker://{name}"))
    }

    /// Its registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The operations that were called, with what was said.
    pub fn calls(&self) -> Vec<(String, Value)> {
        locked(&self.inner.calls).clone()
    }

    /// Lets tokens of ECR lead to another registry, `HOST:PORT`.
    pub fn lead_to(&self, registry: &str) {
        registry.clone_into(&mut locked(&self.inner.registry));
    }

    /// Lets a resource of stacks fail from now on.
    pub fn fail(&self, fails: Option<Fails>) {
        locked(&self.inner.stacks).fails = fails;
    }

    /// The stacks as they are now.
    pub fn stacks(&self) -> Stacks {
        locked(&self.inner.stacks).clone()
    }

    /// The world as it is now.
    pub fn world(&self) -> World {
        self.inner.world().clone()
    }
}

/// What became of a scenario.
pub struct Played {
    /// The world, as it was left.
    pub simulator: Simulator,
    /// What became of the release.
    pub result: Result<Outcome, ReleaseError>,
}

/// Releases an image in a scenario's world, in no time.
pub async fn play(scenario: &Scenario, say: &mut dyn Say) -> io::Result<Played> {
    let clock = Clock::simulated();
    let simulator = Simulator::serve(scenario.start.clone(), &scenario.faults, &clock).await?;
    let image = simulator.image().await.map_err(io::Error::other)?;
    let client = simulator.client(&clock).map_err(io::Error::other)?;
    let target = Target {
        place: Place { cluster: "main".to_owned(), service: "graphbook".to_owned() },
        account: Some(ACCOUNT.to_owned()),
        container: None,
        image,
        repository: None,
        tags: Vec::new(),
        edits: Vec::new(),
        migrate: Vec::new(),
        schema: Vec::new(),
        limits: Limits::default(),
        rollback: true,
        force: false,
        breaker: false,
    };
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    let mut never = std::future::pending();
    let result = release(&client, &target, &bars, say, &mut never).await;
    Ok(Played { simulator, result })
}

/// A request that is left without an answer, which ends its connection.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends")]
struct Hangup;

/// An error of AWS: status and code.
type Refusal = (u16, &'static str, String);

impl Inner {
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = locked(&self.world);
        world.advance(self.clock.since(self.began).as_secs());
        world
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Hangup> {
        let header = |name: &str| request.headers().get(name)?.to_str().ok().map(ToOwned::to_owned);
        let target = header("x-amz-target");
        let signed = header("authorization").is_some_and(|it| it.starts_with("AWS4-HMAC-SHA256 "));
        let body = request.into_body().collect().await.map_err(|_| Hangup)?.to_bytes();
        let (operation, said) = match &target {
            Some(target) => {
                let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
                (operation, serde_json::from_slice(&body).unwrap_or(Value::Null))
            }
            None => form(&body),
        };
        locked(&self.calls).push((operation.clone(), said.clone()));
        let wrong = self.goes_wrong(&operation);
        if let Some(Wrong::Refused(status, code)) = wrong {
            return Ok(error(status, code, "Rate exceeded or not, it was scripted"));
        }
        let answer = if signed || operation == "AssumeRoleWithWebIdentity" {
            validated(&operation, &said).and_then(|()| self.done(&operation, &said))
        } else {
            Err((403, "MissingAuthenticationTokenException", "it is not signed".to_owned()))
        };
        match (wrong, answer) {
            (Some(Wrong::Reset), _) => Err(Hangup),
            (Some(Wrong::Lost), _) => Ok(error(500, "ServerException", "it was scripted")),
            (_, Err((status, code, message))) => Ok(error(status, code, &message)),
            (_, Ok(answer)) if target.is_some() => Ok(reply(200, answer.to_string())),
            (_, Ok(answer)) => Ok(reply(200, xml(&operation, &answer))),
        }
    }

    fn goes_wrong(&self, operation: &str) -> Option<Wrong> {
        let mut faults = locked(&self.faults);
        let fault = faults.iter_mut().find(|it| it.operation == operation && it.times > 0)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.what)
    }

    fn done(&self, operation: &str, said: &Value) -> Result<Value, Refusal> {
        let now = self.clock.since(self.began).as_secs();
        if let Some(answer) = locked(&self.stacks).answer(operation, said, now) {
            return answer;
        }
        let text = |key: &str| said.get(key).and_then(Value::as_str);
        let mut world = self.world();
        let no_definition =
            || (400, "ClientException", "Unable to describe task definition.".to_owned());
        let no_service = || (400, "ServiceNotFoundException", "Service not found.".to_owned());
        match operation {
            "GetCallerIdentity" => Ok(json!({
                "Account": ACCOUNT, "UserId": "AIDA",
                "Arn": format!("arn:aws:iam::{ACCOUNT}:user/simulated"),
            })),
            "AssumeRoleWithWebIdentity" => Ok(json!({ "Credentials": {
                "AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t",
                "Expiration": "2100-01-01T00:00:00Z",
            }})),
            "GetAuthorizationToken" => {
                use base64::Engine as _;
                let token =
                    base64::engine::general_purpose::STANDARD.encode(format!("AWS:{PASSWORD}"));
                let endpoint = format!("http://{}", locked(&self.registry));
                Ok(json!({ "authorizationData": [{
                    "authorizationToken": token, "proxyEndpoint": endpoint, "expiresAt": 1_900_000_000.0,
                }]}))
            }
            "DescribeServices" => {
                let services: Vec<Value> = world.service().into_iter().collect();
                let missing = json!([{ "arn": "graphbook", "reason": "MISSING" }]);
                let failures = if services.is_empty() { missing } else { json!([]) };
                Ok(json!({ "services": services, "failures": failures }))
            }
            "DescribeTaskDefinition" => world
                .definition(text("taskDefinition").unwrap_or_default())
                .ok_or_else(no_definition),
            "RegisterTaskDefinition" => {
                let arn = world.register(said);
                world.definition(&arn).ok_or_else(no_definition)
            }
            "UpdateService" => {
                let force = said.get("forceNewDeployment").and_then(Value::as_bool);
                let breaker = said.pointer("/deploymentConfiguration/deploymentCircuitBreaker");
                if let Some(rollback) = breaker.and_then(|it| it.get("rollback")?.as_bool()) {
                    world.set_breaker(rollback);
                }
                world
                    .update(text("taskDefinition"), force.unwrap_or_default())
                    .ok_or_else(no_definition)?;
                Ok(json!({ "service": world.service().ok_or_else(no_service)? }))
            }
            "ListTasks" => {
                let stopped = text("desiredStatus") == Some("STOPPED");
                Ok(json!({ "taskArns": world.list(text("startedBy"), stopped) }))
            }
            "DescribeTasks" => {
                let wanted = said.get("tasks").and_then(Value::as_array).into_iter().flatten();
                let tasks = wanted.filter_map(|arn| world.described(arn.as_str()?));
                Ok(json!({ "tasks": tasks.collect::<Vec<_>>(), "failures": [] }))
            }
            "DescribeRepositories" => Ok(json!({ "repositories": [] })),
            "DescribeSecret" => Ok(json!({ "ARN": text("SecretId") })),
            // Parameters are there unless their names say otherwise.
            "DescribeParameters" if said.to_string().contains("missing") => {
                Ok(json!({ "Parameters": [] }))
            }
            "DescribeParameters" => Ok(json!({ "Parameters": [{ "Name": "there" }] })),
            "DescribeLogGroups" => Ok(json!({ "logGroups": [{ "logGroupName": "graphbook" }] })),
            "ListServiceDeployments" => Ok(json!({ "serviceDeployments": world.deployed_well() })),
            "DescribeServiceRevisions" => {
                let wanted = said.get("serviceRevisionArns").and_then(Value::as_array);
                let wanted = wanted.into_iter().flatten();
                let found = wanted.filter_map(|arn| world.service_revision(arn.as_str()?));
                Ok(json!({ "serviceRevisions": found.collect::<Vec<_>>(), "failures": [] }))
            }
            "DescribeServiceDeployments" => {
                let wanted = said.get("serviceDeploymentArns").and_then(Value::as_array);
                let wanted = wanted.into_iter().flatten();
                let found = wanted.filter_map(|arn| world.service_deployment(arn.as_str()?));
                Ok(json!({ "serviceDeployments": found.collect::<Vec<_>>(), "failures": [] }))
            }
            "DescribeTargetGroups" => Ok(json!({ "TargetGroups": [{ "TargetType": "ip" }] })),
            "DescribeTargetHealth" => {
                Ok(json!({ "TargetHealthDescriptions": world.target_health() }))
            }
            "RunTask" => {
                let name = text("taskDefinition").unwrap_or_default();
                let task = world.run_task(name).ok_or_else(no_definition)?;
                Ok(json!({ "tasks": [task], "failures": [] }))
            }
            "StopTask" => {
                world.stop(text("task").unwrap_or_default());
                Ok(json!({}))
            }
            "FilterLogEvents" => Ok(filtered(said)),
            "GetLogEvents" => Ok(json!({ "events": [
                { "timestamp": 1, "message": "error: DATABASE_URL is not set" },
            ], "nextForwardToken": "f/1" })),
            _ => Err((400, "InvalidAction", format!("{operation} is not simulated"))),
        }
    }
}

/// Two pages of a log.
fn filtered(said: &Value) -> Value {
    let event = |number: u64| json!({ "timestamp": u64::MAX / 2, "eventId": number.to_string(), "message": format!("line {number}\n") });
    match said.get("nextToken").and_then(Value::as_str) {
        None => json!({ "events": [event(1), event(2)], "nextToken": "2" }),
        Some(_) => json!({ "events": [event(2), event(3)] }),
    }
}

/// The members that an operation can't do without (the service models of botocore).
const REQUIRED: [(&str, &[&str]); 20] = [
    ("CreateChangeSet", &["StackName", "ChangeSetName"]),
    ("ExecuteChangeSet", &["ChangeSetName"]),
    ("DeleteStack", &["StackName"]),
    ("DescribeServiceDeployments", &["serviceDeploymentArns"]),
    ("DescribeTargetHealth", &["TargetGroupArn"]),
    ("DescribeSecret", &["SecretId"]),
    ("DescribeRepositories", &["repositoryNames"]),
    ("DescribeLogGroups", &["logGroupNamePrefix"]),
    ("FilterLogEvents", &["logGroupName"]),
    ("ListServiceDeployments", &["service"]),
    ("DescribeServiceRevisions", &["serviceRevisionArns"]),
    ("DescribeServices", &["services"]),
    ("DescribeTaskDefinition", &["taskDefinition"]),
    ("RegisterTaskDefinition", &["family", "containerDefinitions"]),
    ("UpdateService", &["service"]),
    ("DescribeTasks", &["tasks"]),
    ("RunTask", &["taskDefinition"]),
    ("GetLogEvents", &["logStreamName"]),
    ("StopTask", &["task"]),
    ("AssumeRoleWithWebIdentity", &["RoleArn", "RoleSessionName", "WebIdentityToken"]),
];

fn validated(operation: &str, said: &Value) -> Result<(), Refusal> {
    let required = REQUIRED.iter().find(|(it, _)| *it == operation).map(|(_, members)| *members);
    let missing = required.into_iter().flatten().find(|member| said.get(member).is_none());
    match missing {
        Some(member) => Err((400, "InvalidParameterException", format!("{member} is required"))),
        None => Ok(()),
    }
}

/// Operation and parameters of AWS Query: `A.member.2.B` is the second item's `B` of a list `A`.
fn form(body: &[u8]) -> (String, Value) {
    let mut said = Value::Null;
    for (name, value) in url::form_urlencoded::parse(body) {
        let mut at = &mut said;
        for part in name.split('.').filter(|part| *part != "member") {
            if let Ok(number) = part.parse::<usize>() {
                if !at.is_array() {
                    *at = json!([]);
                }
                let Value::Array(items) = at else { return Default::default() };
                items.resize(number.max(items.len()), Value::Null);
                let Some(item) = items.get_mut(number.wrapping_sub(1)) else {
                    return Default::default();
                };
                at = item;
            } else {
                if !at.is_object() {
                    *at = json!({});
                }
                let Value::Object(members) = at else { return Default::default() };
                at = members.entry(part).or_insert(Value::Null);
            }
        }
        *at = value.into_owned().into();
    }
    let action = said.as_object_mut().and_then(|said| said.remove("Action"));
    let action = action.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    (action, said)
}

fn xml(operation: &str, answer: &Value) -> String {
    fn element(name: &str, value: &Value, out: &mut String) {
        let content = match value {
            Value::Object(members) => {
                members.iter().fold(String::new(), |mut text, (name, value)| {
                    element(name, value, &mut text);
                    text
                })
            }
            Value::Array(items) => items.iter().fold(String::new(), |mut text, item| {
                element("member", item, &mut text);
                text
            }),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // Writing to a String cannot fail.
        let _ = write!(out, "<{name}>{content}</{name}>");
    }
    let mut text = String::new();
    element(&format!("{operation}Result"), answer, &mut text);
    format!("<{operation}Response>{text}</{operation}Response>")
}

fn error(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    reply(status, json!({ "__type": code, "message": message }).to_string())
}

fn reply(status: u16, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
