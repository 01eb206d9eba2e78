//! Against parts that nobody of this project wrote: moto, which plays AWS, AWS's own command line, and
//! Debian's registry.

use std::env;
use std::future::pending;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use deploy::aws::credentials::{OpenId, Source};
use deploy::aws::{Client, Patience, Service, Settings};
use deploy::clock::Clock;
use deploy::ecs;
use deploy::provision::TEMPLATE;
use deploy::release::{Target, Verdict, release};
use deploy::simulator::world::Start;
use deploy::simulator::{PASSWORD, Simulator};
use deploy::task_definition::{Edit, Set};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};

use crate::docker_registry::DockerRegistry;
use crate::release::{Said, target};
use crate::{image, is_installed, python, run};

const REGION: &str = "eu-central-1";

/// moto on a port of its own, until this is dropped.
struct Moto {
    child: Child,
    endpoint: String,
    python: String,
}

impl Moto {
    fn new(python: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
        // It asks nobody outside.
        for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
            command.env(name, "http://127.0.0.1:9");
        }
        let child = credentials(&mut command).spawn().unwrap();
        let endpoint = format!("http://127.0.0.1:{port}");
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_mins(1), "moto does not start");
            thread::sleep(Duration::from_millis(100));
        }
        Self { child, endpoint, python: python.to_owned() }
    }

    /// What the command line of AWS reads there.
    fn aws(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(&self.python);
        command.args(["-m", "awscli", "--region", REGION, "--endpoint-url", &self.endpoint]);
        command.args(["--output", "json"]).args(arguments);
        let output = credentials(&mut command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn deploy(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        command.current_dir(folder).args(arguments).args(["--endpoint-url", &self.endpoint]);
        credentials(&mut command).output().unwrap()
    }

    fn client(&self) -> Client {
        let endpoints = Service::ALL.map(|it| (it, self.endpoint.parse().unwrap()));
        Client::new(Settings {
            region: REGION.to_owned(),
            endpoints: endpoints.into(),
            source: Source::OpenId(OpenId {
                role: "arn:aws:iam::123456789012:role/release".to_owned(),
                token: "an identity of a job".to_owned(),
                session: "circleci-1".to_owned(),
            }),
            patience: Patience::default(),
            clock: Clock::Real,
        })
        .unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nobody's, and nothing of this machine.
fn credentials(command: &mut Command) -> &mut Command {
    let path = env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The template without what moto does not know: a spelling, a group of parameters by its name, and what
/// a route says of itself.
fn for_moto() -> String {
    let mut template = TEMPLATE.to_owned();
    for (right, known) in [
        ("!GetAtt Database.Endpoint.Address", "{ \"Fn::GetAtt\": [Database, Endpoint.Address] }"),
        ("!GetAtt PublicRoute.CidrBlock", "given"),
        ("      DBParameterGroupName: !Ref DatabaseParameters\n", ""),
    ] {
        assert!(template.contains(right), "{right}");
        template = template.replace(right, known);
    }
    template
}

#[test]
fn the_template_is_made_and_the_command_line_of_aws_finds_it_so() {
    let Some(python) = python() else { return };
    let moto = Moto::new(&python);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("service.yml"), for_moto()).unwrap();
    let toml = format!(
        "region = \"{REGION}\"\ncluster = \"shop\"\nservice = \"shop\"\ntemplate = \"service.yml\"\n\
         repository = \"shop\"\nparameters = {{ Name = \"shop\", CircleCiOrganization = \"o\", \
         CircleCiProject = \"p\", Valkey = \"false\", DesiredCount = \"1\" }}\n"
    );
    std::fs::write(folder.path().join("deploy.toml"), toml).unwrap();
    let made = moto.deploy(folder.path(), &["provision"]);
    let said = text(&made);
    assert!(made.status.success(), "{said}");
    assert!(said.contains("the stack shop is CREATE_COMPLETE"), "{said}");
    assert!(said.contains("  add               Database "), "{said}");

    let stack = moto.aws(&["cloudformation", "describe-stacks", "--stack-name", "shop"]);
    assert_eq!(stack["Stacks"][0]["StackStatus"], "CREATE_COMPLETE");
    let list = ["cloudformation", "list-stack-resources", "--stack-name", "shop"];
    let resources = moto.aws(&list)["StackResourceSummaries"].as_array().unwrap().clone();
    assert!(resources.len() > 35, "{}", resources.len());
    let service =
        moto.aws(&["ecs", "describe-services", "--cluster", "shop", "--services", "shop"]);
    assert_eq!(service["services"][0]["status"], "ACTIVE");
    let definition = moto.aws(&["ecs", "describe-task-definition", "--task-definition", "shop"]);
    let container = &definition["taskDefinition"]["containerDefinitions"][0];
    assert_eq!(container["readonlyRootFilesystem"], true);
    let secrets = container["secrets"].as_array().unwrap();
    assert!(secrets.iter().any(|it| it["name"] == "JWT_SECRET"), "{secrets:?}");

    let status = moto.deploy(folder.path(), &["status"]);
    assert!(text(&status).starts_with("shop ACTIVE: 0 of 0 tasks run"), "{}", text(&status));

    // What a release would say beforehand, of what the template made.
    let (image, digest) = image(folder.path());
    let plan = moto.deploy(folder.path(), &["plan", "--image", &image]);
    assert!(text(&plan).contains(&format!("/shop@{digest}")), "{}", text(&plan));
    let checks = moto.deploy(folder.path(), &["verify", "--image", &image]);
    let said = text(&checks);
    assert!(checks.status.success(), "{said}");
    for fine in ["repository shop", "log group /ecs/shop"] {
        assert!(said.contains(&format!("ok         {fine}")), "{said}");
    }
}

#[test]
fn what_an_exchanged_identity_registers_is_read_by_the_command_line_of_aws() {
    let Some(python) = python() else { return };
    let moto = Moto::new(&python);
    let client = moto.client();
    run(async {
        let who = client.call(Service::Sts, "GetCallerIdentity", &json!({})).await.unwrap();
        assert_eq!(who["Account"], "123456789012");
        assert_eq!(client.calls()[0], "sts:AssumeRoleWithWebIdentity");
        let first = json!({
            "family": "shop", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "containerDefinitions": [{
                "name": "app", "image": "shop:1", "essential": true,
                "restartPolicy": { "enabled": true, "ignoredExitCodes": [0] },
                "versionConsistency": "enabled",
                "environment": [{ "name": "A", "value": "1, \"2\" = ü" }],
                "secrets": [{ "name": "S", "valueFrom": "/s" }],
            }],
            "tags": [{ "key": "team", "value": "web" }],
        });
        client.call(Service::Ecs, "RegisterTaskDefinition", &first).await.unwrap();
        let (_, current) = ecs::definition(&client, "shop").await.unwrap();
        let image = format!("shop@sha256:{}", "1".repeat(64));
        let edit = Edit { container: "app".to_owned(), change: Set::Image(image.clone()) };
        let arn = ecs::register(&client, &current.edited(&[edit]).unwrap()).await.unwrap();
        assert!(arn.ends_with("/shop:2"), "{arn}");
        let read = |name: &str| {
            let mut read = moto.aws(&[
                "ecs",
                "describe-task-definition",
                "--task-definition",
                name,
                "--include",
                "TAGS",
            ]);
            let definition = read["taskDefinition"].as_object_mut().unwrap();
            for key in ["taskDefinitionArn", "revision"] {
                definition.remove(key);
            }
            read
        };
        let (mut before, after) = (read("shop:1"), read("shop:2"));
        let container = &mut before["taskDefinition"]["containerDefinitions"][0];
        assert_eq!(container["restartPolicy"], first["containerDefinitions"][0]["restartPolicy"]);
        container["image"] = image.into();
        assert_eq!(before, after);
        assert_eq!(after["tags"], first["tags"]);
    });
}

/// The registry's password for the user `AWS`, as htpasswd keeps it (bcrypt).
const HTPASSWD: &str = "AWS:$2y$05$abcdefghijklmnopqrstuusMlQXna5s3DAGZoh3vy4u6epq5CKI5i\n";

#[test]
fn a_registry_of_others_takes_what_is_released() {
    if !(is_installed("docker-registry") && is_installed("skopeo")) {
        return;
    }
    let registry = DockerRegistry::new(Some(HTPASSWD));
    let folder = tempfile::tempdir().unwrap();
    let (place, digest) = image(folder.path());
    let clock = Clock::simulated();
    run(async {
        let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
        simulator.lead_to(&registry.address);
        let client = simulator.client(&clock).unwrap();
        let target = Target { tags: vec!["v1".to_owned()], ..target(&place) };
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let outcome = release(&client, &target, &bars, &mut Said::default(), &mut pending()).await;
        let outcome = outcome.unwrap();
        assert_eq!(outcome.verdict, Verdict::Deployed, "{}", outcome.left);
        assert_eq!(outcome.image, format!("{}/graphbook@{digest}", registry.address));
    });
    for (password, name, is_there) in
        [(PASSWORD, "graphbook:v1", true), ("another", "graphbook:v1", false)]
    {
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}", "--creds"]);
        skopeo.arg(format!("AWS:{password}"));
        skopeo.arg(format!("docker://{}/{name}", registry.address));
        let output = skopeo.output().unwrap();
        let found = String::from_utf8_lossy(&output.stdout).trim() == digest;
        assert_eq!(found, is_there, "{}", text(&output));
    }
}
