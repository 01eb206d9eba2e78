//! What is said to AWS is what its own models of its services allow.

use std::collections::BTreeSet;
use std::future::pending;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use deploy::clock::Clock;
use deploy::logs::{Wanted, logs};
use deploy::release::{Target, release, rollback};
use deploy::simulator::Simulator;
use deploy::simulator::scenarios::all;
use deploy::simulator::world::{Fate, Start};
use deploy::task_definition::{Edit, Set};
use deploy::verify::verify;
use deploy::{provision, task};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};

use crate::release::{Said, played, target, words};
use crate::{python, root, run};

/// Requests of all verbs, and of a release in all scenarios.
fn requests() -> Vec<(String, Value)> {
    let mut requests: Vec<(String, Value)> = Vec::new();
    for scenario in all() {
        requests.extend(played(&scenario).0.simulator.calls());
    }
    run(async {
        let clock = Clock::simulated();
        let start = Start {
            revisions: vec![Fate::Fine(5), Fate::Fine(5)],
            balanced: true,
            breaker: None,
            ..Start::default()
        };
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let image = simulator.image().await.unwrap();
        let edit = |change| Edit { container: "app".to_owned(), change };
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-AbCdEf";
        let target = Target {
            force: true,
            breaker: true,
            migrate: words("migrate up"),
            schema: words("migrate status"),
            edits: vec![
                edit(Set::Variable("A".to_owned(), "1".to_owned())),
                edit(Set::Secret("B".to_owned(), secret.to_owned())),
                edit(Set::Secret("C".to_owned(), "/c".to_owned())),
                edit(Set::Label("D".to_owned(), "d".to_owned())),
            ],
            ..target(&image)
        };
        let (mut said, mut never) = (Said::default(), pending());
        verify(&client, &target).await;
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        release(&client, &target, &bars, &mut said, &mut never).await.unwrap();
        rollback(&client, &target, None, false, &mut said, &mut never).await.unwrap();
        task::run(&client, &target, &words("a b"), &mut |_| {}, &mut never).await.unwrap();
        let wanted = Wanted { task: None, since: Duration::from_mins(1), follow: false };
        logs(&client, &target, &wanted, &mut |_| {}).await.unwrap();
        let start = Start { task_waits: true, ..Start::default() };
        let waiting = Simulator::serve(start, &[], &clock).await.unwrap();
        let at_waiting = waiting.client(&clock).unwrap();
        task::run(&at_waiting, &target, &words("a"), &mut |_| {}, &mut never).await.unwrap();
        requests.extend(waiting.calls());
        let wanted = provision::Wanted {
            stack: "shop".to_owned(),
            template: provision::TEMPLATE.to_owned(),
            parameters: [("Cpu".to_owned(), "512".to_owned())].into(),
            place: Some(target.place.clone()),
            container: None,
            account: None,
        };
        let proposal = provision::propose(&client, &wanted, &mut said).await.unwrap().unwrap();
        provision::withdraw(&client, &proposal).await.unwrap();
        let proposal = provision::propose(&client, &wanted, &mut said).await.unwrap().unwrap();
        provision::carry_out(&client, &proposal, &mut said, &mut never).await.unwrap();
        requests.extend(simulator.calls());
    });
    for (_, body) in &mut requests {
        // It is there to show that what is not known is kept.
        if let Some(body) = body.as_object_mut() {
            body.remove("inventedMember");
        }
    }
    requests
}

/// What is wrong with requests.
fn wrong(python: &str, requests: &[(String, Value)]) -> String {
    let mut command = Command::new(python);
    command.arg(root().join("dev/parts/check_requests.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: BTreeSet<String> = requests.iter().map(|it| json!(it).to_string()).collect();
    let lines: Vec<String> = lines.into_iter().collect();
    child.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

#[test]
fn every_request_is_one_that_the_models_of_aws_allow() {
    let Some(python) = python() else { return };
    let requests = requests();
    assert_eq!(wrong(&python, &requests), "");
    let names: BTreeSet<&str> = requests.iter().map(|(name, _)| name.as_str()).collect();
    // All that the client asks for anywhere: nobody forgot one here.
    let mut known = BTreeSet::new();
    for file in ["ecs", "image", "logs", "provision", "release", "task", "verify"] {
        let source = root().join(format!("crates/deploy/src/{file}.rs"));
        let source = std::fs::read_to_string(source).unwrap();
        for call in ["client.call(Aws::", "client.call(Service::"] {
            let calls = source.split(call).skip(1).filter_map(|it| it.split('"').nth(1));
            known.extend(calls.map(ToOwned::to_owned));
        }
        let calls = source.split("call(client, \"").skip(1).filter_map(|it| it.split('"').next());
        known.extend(calls.map(ToOwned::to_owned));
    }
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert!(known.len() >= 25, "{known:?}");
    let missing: Vec<&&str> = known.difference(&names).collect();
    assert!(missing.is_empty(), "{missing:?}");

    for (operation, body, words) in [
        ("UpdateService", json!({ "cluster": "a" }), "Missing required parameter"),
        ("UpdateService", json!({ "service": "a", "image": "b" }), "Unknown parameter"),
        ("ListTasks", json!({ "cluster": 1 }), "Invalid type"),
        ("UpdateServices", json!({}), "no such operation"),
        ("DescribeTargetHealth", json!({ "Version": "2015-12-01" }), "Missing required"),
    ] {
        let said = wrong(&python, &[(operation.to_owned(), body)]);
        assert!(said.contains(words), "{said}");
    }
}
