//! The client of AWS, on the wire: every answer is written down before, and no time passes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, NaiveDateTime, Utc};
use deploy::aws::credentials::{Credentials, OpenId, Source};
use deploy::aws::error::AwsError;
use deploy::aws::{Client, Patience, Service, Settings};
use deploy::clock::Clock;
use imagebuild::digest::Digest;
use reqwest::Url;
use serde_json::{Value, json};

use crate::run;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// What a request is answered with.
#[derive(Clone, Debug)]
enum Answer {
    /// Status, headers, body.
    Http(u16, Vec<(&'static str, String)>, String),
    /// Nothing: the connection ends.
    Hangup,
}

impl Answer {
    fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        if let Self::Http(_, headers, _) = &mut self {
            headers.push((name, value.to_string()));
        }
        self
    }
}

fn yes(body: &(impl ToString + ?Sized)) -> Answer {
    Answer::Http(200, Vec::new(), body.to_string())
}

fn no(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "message": message });
    Answer::Http(status, Vec::new(), body.to_string())
}

/// A role's credentials for so many minutes.
fn role(key: &str, from: SystemTime, minutes: u64) -> Answer {
    let end = DateTime::<Utc>::from(from + Duration::from_mins(minutes)).to_rfc3339();
    yes(&format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>of {key}</SessionToken>\
         <Expiration>{end}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>"
    ))
}

/// A request as it came.
#[derive(Clone, Debug)]
struct Seen {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Seen {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut headers = BTreeMap::new();
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|it| it.parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        reader.read_exact(&mut body).ok()?;
        Some(Self { headers, body: String::from_utf8(body).unwrap() })
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// Of its `Authorization`, what follows a name.
    fn part(&self, name: &str) -> &str {
        let (_, rest) = self.header("authorization").split_once(&format!("{name}=")).unwrap();
        rest.split(',').next().unwrap()
    }

    fn key(&self) -> &str {
        self.part("Credential").split('/').next().unwrap()
    }

    fn time(&self) -> SystemTime {
        let time = NaiveDateTime::parse_from_str(self.header("x-amz-date"), "%Y%m%dT%H%M%SZ");
        time.unwrap().and_utc().into()
    }

    /// What its signature must be, from what came (AWS, "Create a signed AWS API request").
    fn signed_again(&self) -> String {
        let hash = |text: &str| Digest::of(text.as_bytes()).to_string().replace("sha256:", "");
        let (_, scope) = self.part("Credential").split_once('/').unwrap();
        let mut place = scope.split('/').skip(1);
        let (region, service) = (place.next().unwrap(), place.next().unwrap());
        let names = self.part("SignedHeaders");
        let headers = names.split(';').map(|name| format!("{name}:{}\n", self.header(name)));
        let request =
            format!("POST\n/\n\n{}\n{names}\n{}", headers.collect::<String>(), hash(&self.body));
        let date = self.header("x-amz-date");
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(&request));
        let key = generate_signing_key(SECRET, self.time(), region, service);
        calculate_signature(key, text.as_bytes())
    }
}

/// Gives the answers one after the other, each on a connection of its own; then nobody is there.
struct Served {
    url: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Served {
    fn new(script: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let keeps = Arc::clone(&seen);
        thread::spawn(move || {
            let mut script = script.into_iter().peekable();
            while script.peek().is_some() {
                let (mut stream, _) = listener.accept().unwrap();
                let Some(request) = Seen::read(&stream) else { continue };
                keeps.lock().unwrap().push(request);
                let Some(Answer::Http(status, headers, body)) = script.next() else { continue };
                let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\n{}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    headers.collect::<String>(),
                    body.len(),
                )
                .unwrap();
            }
        });
        Self { url, seen }
    }

    fn client(&self, source: Source, clock: &Clock) -> Client {
        let endpoints = Service::ALL.map(|service| (service, self.url.clone()));
        Client::new(Settings {
            region: "eu-west-1".to_owned(),
            endpoints: endpoints.into(),
            source,
            patience: Patience::default(),
            clock: clock.clone(),
        })
        .unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn keys() -> Source {
    Source::Fixed(Credentials::new("AKIDEXAMPLE", SECRET, Some("a session".to_owned()), None))
}

fn identity() -> Source {
    Source::OpenId(OpenId {
        role: "arn:aws:iam::1:role/release".to_owned(),
        token: "an identity".to_owned(),
        session: "deploy-1".to_owned(),
    })
}

/// Answers, one call, and what became of it.
fn called(script: Vec<Answer>, operation: &str) -> (Result<Value, AwsError>, Vec<Seen>, Duration) {
    let (served, clock) = (Served::new(script), Clock::simulated());
    let began = clock.now();
    let client = served.client(keys(), &clock);
    let result = run(client.call(Service::Ecs, operation, &json!({})));
    (result, served.seen(), clock.since(began))
}

#[test]
fn a_request_says_what_is_wanted_and_is_signed_as_it_is_sent() {
    let clock = Clock::simulated();
    let served = Served::new(vec![yes(&json!({ "new": [1] })), yes(""), yes("<R><RResult/></R>")]);
    let client = served.client(keys(), &clock);
    run(async {
        let body = json!({ "services": ["ä"] });
        let answer = client.call(Service::Ecs, "DescribeServices", &body).await.unwrap();
        assert_eq!(answer, json!({ "new": [1] }));
        let answer = client.call(Service::Ecr, "GetAuthorizationToken", &json!({})).await.unwrap();
        assert_eq!(answer, Value::Null);
        let body = json!({ "TargetGroupArn": "a b" });
        client.call(Service::Elb, "DescribeTargetHealth", &body).await.unwrap();
    });
    let seen = served.seen();
    let json = "application/x-amz-json-1.1";
    for (seen, target, kind, scope) in [
        (&seen[0], "AmazonEC2ContainerServiceV20141113.DescribeServices", json, "ecs"),
        (&seen[1], "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken", json, "ecr"),
        (&seen[2], "", "application/x-www-form-urlencoded", "elasticloadbalancing"),
    ] {
        assert_eq!((seen.header("x-amz-target"), seen.header("content-type")), (target, kind));
        assert_eq!(
            seen.part("Credential"),
            format!("AKIDEXAMPLE/20270115/eu-west-1/{scope}/aws4_request")
        );
        let signed = seen.part("SignedHeaders");
        for name in ["content-type", "host", "x-amz-date", "x-amz-security-token"] {
            assert!(signed.split(';').any(|it| it == name), "{name}: {signed}");
        }
        assert!(target.is_empty() || signed.contains("x-amz-target"), "{signed}");
        assert_eq!(seen.part("Signature"), seen.signed_again());
    }
    assert_eq!(seen[0].body, r#"{"services":["ä"]}"#);
    assert_eq!(seen[2].body, "Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn=a+b");
    assert_eq!(client.calls().len(), 3);
}

#[test]
fn who_asked_too_often_waits_and_asks_again_also_for_what_changes_something() {
    let throttled = no(400, "ThrottlingException", "Rate exceeded");
    let unmodelled = no(400, "ClientException", "Rate exceeded");
    let script = vec![throttled.clone(), unmodelled, yes("{}")];
    let (result, seen, passed) = called(script, "UpdateService");
    assert_eq!((result.unwrap(), seen.len()), (json!({}), 3));
    assert!(passed > Duration::ZERO && passed <= Duration::from_millis(1500), "{passed:?}");

    let script = vec![throttled.clone().with("retry-after", &7), yes("{}")];
    assert_eq!(called(script, "DescribeServices").2, Duration::from_secs(7), "as it was told");
    let script = vec![throttled.clone().with("retry-after", &7000), yes("{}")];
    assert_eq!(called(script, "DescribeServices").2, Duration::from_secs(20), "but not for ever");

    let (result, seen, _) = called(vec![throttled; 8], "DescribeServices");
    assert_eq!(seen.len(), 8);
    let said = result.unwrap_err().to_string();
    assert!(said.starts_with("ecs:DescribeServices: ThrottlingException: Rate exceeded"), "{said}");
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    let lost = no(500, "ServerException", "Service Unavailable");
    for operation in ["UpdateService", "RegisterTaskDefinition", "RunTask", "CreateService"] {
        for answer in [Answer::Hangup, lost.clone()] {
            let (result, seen, _) = called(vec![answer, yes("{}")], operation);
            let error = result.unwrap_err();
            assert!(matches!(error, AwsError::Ambiguous { .. }), "{operation}: {error}");
            assert_eq!(seen.len(), 1, "{operation}");
        }
    }
    let (result, seen, _) = called(vec![Answer::Hangup, lost, yes("{}")], "DescribeServices");
    assert_eq!((result.unwrap(), seen.len()), (json!({}), 3));
}

#[test]
fn an_answer_without_end_is_given_up() {
    let (result, ..) = called(vec![yes(&" ".repeat(33 << 20))], "DescribeServices");
    let said = result.unwrap_err().to_string();
    assert!(said.contains("more than 33554432 bytes"), "{said}");
}

#[test]
fn a_task_with_a_token_of_its_own_is_started_once_however_often_it_is_asked_for() {
    let served = Served::new(vec![Answer::Hangup, yes("{}")]);
    let client = served.client(keys(), &Clock::simulated());
    let body = json!({ "clientToken": "1" });
    assert_eq!(run(client.call(Service::Ecs, "RunTask", &body)).unwrap(), json!({}));
    assert_eq!(client.calls(), ["ecs:RunTask", "ecs:RunTask"]);
}

#[test]
fn where_nobody_is_there_the_address_is_told_and_what_to_do() {
    let (result, ..) = called(Vec::new(), "UpdateService");
    let error = result.unwrap_err();
    assert!(matches!(error, AwsError::Unreachable { .. }), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("ecs:UpdateService: 127.0.0.1: Connection refused"), "{said}");
    assert!(said.contains("--endpoint-url"), "{said}");

    let mut served = Served::new(Vec::new());
    // No name has a part of more than 63 letters, so that nobody is asked for it.
    let host = "x".repeat(64);
    served.url = format!("http://{host}/").parse().unwrap();
    let client = served.client(keys(), &Clock::simulated());
    let error = run(client.call(Service::Ecs, "UpdateService", &json!({}))).unwrap_err();
    let said = error.to_string();
    assert!(said.starts_with(&format!("ecs:UpdateService: {host}: ")), "{said}");
    assert!(said.contains("region"), "{said}");
}

#[test]
fn a_no_in_xml_has_its_code_and_its_request() {
    let xml = "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error>\
               <Type>Sender</Type><Code>ValidationError</Code><Message>Stack x does not exist\
               </Message></Error><RequestId>7</RequestId></ErrorResponse>";
    let answer = Answer::Http(400, Vec::new(), xml.to_owned()).with("x-amzn-RequestId", &7);
    let served = Served::new(vec![answer]);
    let client = served.client(keys(), &Clock::simulated());
    let body = json!({ "StackName": "x" });
    let error = run(client.call(Service::CloudFormation, "DescribeStacks", &body)).unwrap_err();
    assert_eq!(error.code(), Some("ValidationError"));
    assert_eq!(
        error.to_string(),
        "cloudformation:DescribeStacks: ValidationError: Stack x does not exist (request 7)"
    );
}

#[test]
fn an_identity_is_exchanged_for_a_role_and_again_before_that_ends() {
    let clock = Clock::simulated();
    let served = Served::new(vec![
        no(400, "IDPCommunicationError", "CircleCI's keys can't be got"),
        role("ONE", clock.now(), 60),
        yes("{}"),
        yes("{}"),
        role("TWO", clock.now(), 120),
        yes("{}"),
    ]);
    let client = served.client(identity(), &clock);
    run(async {
        for minutes in [0, 50, 6] {
            clock.sleep(Duration::from_mins(minutes)).await;
            client.call(Service::Ecs, "DescribeServices", &json!({})).await.unwrap();
        }
    });
    let seen = served.seen();
    assert_eq!(seen[1].header("authorization"), "", "the identity is the signature");
    assert_eq!(
        seen[1].body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Frelease&RoleSessionName=deploy-1\
         &WebIdentityToken=an+identity"
    );
    let keys = [2, 3, 5].map(|at: usize| seen[at].key());
    assert_eq!(keys, ["ONE", "ONE", "TWO"]);
    assert_eq!(seen[5].header("x-amz-security-token"), "of TWO");
    assert_eq!(seen[5].part("Signature"), seen[5].signed_again());
}

#[test]
fn credentials_that_expired_early_are_got_anew_once() {
    let clock = Clock::simulated();
    let expired = no(400, "ExpiredTokenException", "The security token is expired");
    let (one, two) = (role("ONE", clock.now(), 600), role("TWO", clock.now(), 600));
    let script = vec![one, expired.clone(), two, yes("{}"), expired.clone()];
    let mut script = [script, vec![role("THREE", clock.now(), 600), expired.clone()]].concat();
    script.push(yes("{}"));
    let served = Served::new(script);
    let client = served.client(identity(), &clock);
    run(async {
        client.call(Service::Ecs, "UpdateService", &json!({})).await.unwrap();
        let error = client.call(Service::Ecs, "UpdateService", &json!({})).await.unwrap_err();
        assert_eq!(error.code(), Some("ExpiredTokenException"));
    });
    assert_eq!(served.seen().len(), 7);

    let (result, seen, _) = called(vec![expired, yes("{}")], "DescribeServices");
    assert!(result.unwrap_err().to_string().contains("sign in again"));
    assert_eq!(seen.len(), 1, "there are no others");
}

#[test]
fn calls_at_the_same_time_get_credentials_once() {
    let clock = Clock::simulated();
    let expired = no(400, "ExpiredTokenException", "The security token is expired");
    let served = Served::new(vec![
        role("ONE", clock.now(), 600),
        expired.clone(),
        expired,
        role("TWO", clock.now(), 600),
        yes("{}"),
        yes("{}"),
    ]);
    let client = served.client(identity(), &clock);
    let call = || client.call(Service::Ecs, "DescribeServices", &Value::Null);
    let (a, b) = run(async { tokio::join!(call(), call()) });
    assert_eq!((a.unwrap(), b.unwrap()), (json!({}), json!({})));
    let renewals = client.calls().iter().filter(|it| it.starts_with("sts:")).count();
    assert_eq!(renewals, 2, "{:?}", client.calls());
}

#[test]
fn credentials_are_used_to_their_end_if_there_are_no_others() {
    let clock = Clock::simulated();
    let late = "Token expired: current date/time 2 must be before the expiration date/time 1";
    let late = no(400, "ExpiredTokenException", late);
    let served =
        Served::new(vec![role("ONE", clock.now(), 60), yes("{}"), late.clone(), yes("{}"), late]);
    let client = served.client(identity(), &clock);
    run(async {
        for minutes in [0, 57] {
            clock.sleep(Duration::from_mins(minutes)).await;
            client.call(Service::Ecs, "DescribeServices", &json!({})).await.unwrap();
        }
        clock.sleep(Duration::from_mins(5)).await;
        let error = client.call(Service::Ecs, "DescribeServices", &json!({})).await.unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("sts:AssumeRoleWithWebIdentity: ExpiredToken"), "{said}");
        assert!(said.contains("oidc-custom-claims"), "{said}");
        assert!(!said.contains("an identity"), "{said}");
    });
    assert_eq!(served.seen().len(), 5);
}

#[test]
fn a_clock_that_is_wrong_is_corrected_by_that_of_aws() {
    for ahead in [true, false] {
        let clock = Clock::simulated();
        let hours = Duration::from_hours(2);
        let theirs = if ahead { clock.now() - hours } else { clock.now() + hours };
        let date = DateTime::<Utc>::from(theirs).to_rfc2822().replace("+0000", "GMT");
        let skewed = no(403, "InvalidSignatureException", "Signature expired").with("date", &date);
        let role = role("ONE", theirs, 60);
        let served = Served::new(vec![role, skewed, yes("{}"), yes("{}")]);
        let client = served.client(identity(), &clock);
        run(async {
            for _ in 0..2 {
                client.call(Service::Ecs, "UpdateService", &json!({})).await.unwrap();
            }
        });
        let seen = served.seen();
        assert_eq!(seen.iter().skip(2).map(Seen::time).collect::<Vec<_>>(), [theirs, theirs]);
        assert_eq!(seen[3].part("Signature"), seen[3].signed_again());
    }
}

#[test]
fn a_key_that_is_wrong_is_not_taken_for_the_clock() {
    let clock = Clock::simulated();
    let theirs = clock.now() + Duration::from_secs(90);
    let date = DateTime::<Utc>::from(theirs).to_rfc2822().replace("+0000", "GMT");
    let wrong = no(403, "SignatureDoesNotMatch", "It does not match").with("date", &date);
    let (result, seen, _) = called(vec![wrong, yes("{}")], "DescribeServices");
    let said = result.unwrap_err().to_string();
    assert!(said.contains("secret key does not belong") && !said.contains("clock"), "{said}");
    assert_eq!(seen.len(), 1);
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn a_denial_names_the_right_that_is_missing_and_where() {
    let user = "User: arn:aws:sts::1:assumed-role/release/x is not authorized to perform:";
    for (message, advice) in [
        (
            format!("{user} iam:PassRole on resource: arn:aws:iam::1:role/x"),
            "Allow iam:PassRole in the policy",
        ),
        (
            format!("{user} ecs:UpdateService with an explicit deny in a service control policy"),
            "A policy denies ecs:UpdateService",
        ),
        ("Not authorized to perform sts:AssumeRoleWithWebIdentity".to_owned(), "trust policy"),
        ("No.".to_owned(), "Allow it in the policy"),
    ] {
        let answer = no(400, "AccessDeniedException", &message);
        let error = called(vec![answer], "UpdateService").0.unwrap_err();
        assert!(error.is_denied() && error.to_string().contains(advice), "{error}");
    }
}

#[test]
fn aws_config_asks_for_credentials_with_the_same_http_client() {
    let container = json!({
        "AccessKeyId": "CONTAINER", "SecretAccessKey": SECRET, "Token": "t",
        "Expiration": "2100-01-01T00:00:00Z",
    });
    let denied = no(400, "AccessDeniedException", "No.");
    let served = Served::new(vec![yes(&container), denied]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
    command.current_dir(folder.path()).env_clear().env("HOME", folder.path());
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", served.url.join("/who").unwrap().as_str());
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic a");
    command.args(["status", "--cluster", "main", "--service", "a", "--region", "eu-west-1"]);
    command.args(["--endpoint-url", served.url.as_str()]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(11), "{said}");
    let seen = served.seen();
    assert_eq!(seen[0].header("authorization"), "Basic a");
    assert_eq!((seen[1].key(), seen[1].header("x-amz-security-token")), ("CONTAINER", "t"));
    assert_eq!(seen[1].part("Signature"), seen[1].signed_again());
}
