//! The program itself, against services that are simulated.

use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::thread;

use deploy::clock::Clock;
use deploy::simulator::Simulator;
use deploy::simulator::world::Start;
use serde_json::Value;
use tempfile::TempDir;

/// Services on a thread of their own, and a folder with a deploy.toml.
struct Served {
    endpoint: String,
    folder: TempDir,
    simulator: Option<std::sync::mpsc::Receiver<Vec<(String, Value)>>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Served {
    fn new() -> Self {
        let (told, tells) = channel();
        let (calls, called) = channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let clock = Clock::simulated();
                let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
                let image = simulator.image().await.unwrap();
                told.send((simulator.endpoint(), image)).unwrap();
                let _ = ended.await;
                calls.send(simulator.calls()).unwrap();
            });
        });
        let (endpoint, image) = tells.recv().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "region = \"eu-central-1\"\ncluster = \"main\"\n[production]\nservice = \"graphbook\"\n\
             image = \"{image}\"\ntags = [\"$NOT_SET\"]\ncontainer = \"app\"\nvariables = {{ NEW = \"a secret value\" }}\n"
        );
        std::fs::write(folder.path().join("deploy.toml"), text).unwrap();
        Self { endpoint, folder, simulator: Some(called), end: Some(end) }
    }

    fn deploy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deploy"));
        command.current_dir(self.folder.path()).args(arguments);
        command.args(["--endpoint-url", &self.endpoint]);
        command.env_clear().env("HOME", self.folder.path());
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
        command.output().unwrap()
    }

    /// The operations that were called, when all is done.
    fn calls(mut self) -> Vec<String> {
        drop(self.end.take());
        let calls = self.simulator.take().unwrap().recv().unwrap();
        calls.into_iter().map(|(operation, _)| operation).collect()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_plan_shows_what_would_change_and_no_value_and_changes_nothing() {
    let served = Served::new();
    let plan = served.deploy(&["plan"]);
    let said = text(&plan);
    assert!(plan.status.success(), "{said}");
    assert!(said.contains("  containers.app.environment.NEW.value: *** (new)"), "{said}");
    assert!(said.contains("→ 127.0.0.1:") && said.contains("/graphbook@sha256:"), "{said}");
    assert!(!said.contains("a secret value") && !said.contains("s3cr3t"), "{said}");
    let json: Value =
        serde_json::from_slice(&served.deploy(&["plan", "--output", "json"]).stdout).unwrap();
    assert_eq!(json["calls"][1]["call"], "ecs:UpdateService");
    assert_eq!(json["calls"][1]["body"]["taskDefinition"], "graphbook:NEW");
    let registered = &json["calls"][0]["body"];
    assert_eq!(registered["inventedMember"]["kept"], true);
    assert!(!json.to_string().contains("a secret value"), "{json}");
    let status = served.deploy(&["status"]);
    assert!(text(&status).starts_with("graphbook ACTIVE: 2 of 2 tasks run"), "{}", text(&status));
    let calls = served.calls();
    let writes =
        |name: &&String| !["Describe", "List", "Get"].iter().any(|it| name.starts_with(it));
    assert_eq!(calls.iter().find(writes), None, "{calls:?}");
}

#[test]
fn a_log_is_shown_line_by_line() {
    let served = Served::new();
    let lines = served.deploy(&["logs", "--since", "5"]);
    assert_eq!(
        String::from_utf8_lossy(&lines.stdout),
        "line 1\nline 2\nline 3\n",
        "{}",
        text(&lines)
    );
}

#[test]
fn what_is_wrong_ends_with_its_code() {
    let served = Served::new();
    for (arguments, code, words) in [
        (vec!["release"], 2, "the variable NOT_SET is named in deploy.toml or a flag, and not set"),
        (
            vec!["release", "--account", "1", "--tag", "1"],
            10,
            "of account 123456789012, and this is for account 1",
        ),
        (
            vec!["release", "--service", "graphbook", "--image", "oci:nowhere", "--tag", "1"],
            10,
            "no image layout",
        ),
        (vec!["plan", "--env", "staging"], 2, "there is no environment \"staging\""),
        (vec!["plan", "--config", "other.toml"], 2, "other.toml can't be read"),
        (
            vec!["rollback", "--to", "graphbook:9"],
            11,
            "ecs:DescribeTaskDefinition: ClientException",
        ),
    ] {
        let output = served.deploy(&arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let mut nobody = Command::new(env!("CARGO_BIN_EXE_deploy"));
    nobody.current_dir(served.folder.path()).args(["status", "--endpoint-url", &served.endpoint]);
    nobody.env_clear().env("AWS_EC2_METADATA_DISABLED", "true");
    let said = text(&nobody.output().unwrap());
    assert!(said.contains("there are no credentials for AWS"), "{said}");
}

#[test]
fn all_that_would_fail_is_told_at_once() {
    let served = Served::new();
    let fine = served.deploy(&["verify"]);
    let said = text(&fine);
    assert!(fine.status.success(), "{said}");
    assert!(
        said.contains("log group graphbook") && said.contains("tasks can be exchanged"),
        "{said}"
    );
    let path = served.folder.path().join("deploy.toml");
    let toml = std::fs::read_to_string(&path).unwrap();
    let secret = "arn:aws:secretsmanager:eu-central-1:1:secret:db-AbCdEf";
    let secrets =
        format!("secrets = {{ A = \"{secret}:key::\", B = \"/missing/b\", C = \"/missing/c\" }}\n");
    std::fs::write(&path, toml + &secrets).unwrap();
    let wrong = served.deploy(&["verify"]);
    let said = text(&wrong);
    assert_eq!(wrong.status.code(), Some(10), "{said}");
    for words in
        ["secret B: there is no parameter /missing/b", "secret C: there is no parameter /missing/c"]
    {
        assert!(said.contains(words), "{said}");
    }
    // A release says the same, and does not begin.
    let released = served.deploy(&["release", "--tag", "1"]);
    let said = text(&released);
    assert_eq!(released.status.code(), Some(10), "{said}");
    assert!(said.contains("nothing was changed:\n  - secret B: there is no parameter"), "{said}");
    let json = served.deploy(&["verify", "--output", "json"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    let of = |what: &str| json.as_array().unwrap().iter().find(|it| it["what"] == what).unwrap();
    assert_eq!(
        (&of("secret A")["found"], &of("secret B")["found"]),
        (&"fine".into(), &"wrong".into())
    );
    let calls = served.calls();
    let never = ["GetSecretValue", "GetParameters", "RegisterTaskDefinition"];
    assert!(!calls.iter().any(|name| never.contains(&name.as_str())));
}
