//! Every scenario of the simulator ends as it should, in words and calls.

use std::future::{pending, poll_fn};
use std::task::Poll;

use deploy::aws::Client;
use deploy::clock::Clock;
use deploy::diagnose::Class;
use deploy::ecs::Place;
use deploy::observed::Service;
use deploy::release::{Outcome, ReleaseError, Say, Target, Verdict, release, rollback};
use deploy::rollout::Limits;
use deploy::simulator::scenarios::{EXITED, Scenario, all};
use deploy::simulator::world::{Fate, Start};
use deploy::simulator::{Fault, Played, Simulator, Wrong, play};
use deploy::task::{self, Ended};
use deploy::task_definition::Registration;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::Value;

use crate::{image, run};

/// Keeps what is said.
#[derive(Default)]
pub(crate) struct Said(pub(crate) Vec<String>);

impl Say for Said {
    fn line(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }

    fn waiting(&mut self, what: &str, _: Option<&Service>) {
        self.0.push(what.to_owned());
    }
}

pub(crate) fn target(image: &str) -> Target {
    Target {
        place: Place { cluster: "main".to_owned(), service: "graphbook".to_owned() },
        account: Some("123456789012".to_owned()),
        container: Some("app".to_owned()),
        image: image.to_owned(),
        repository: Some("graphbook".to_owned()),
        tags: Vec::new(),
        edits: Vec::new(),
        migrate: Vec::new(),
        schema: Vec::new(),
        limits: Limits::default(),
        rollback: true,
        force: false,
        breaker: false,
    }
}

async fn released(
    client: &Client,
    target: &Target,
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Outcome {
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
    release(client, target, &bars, &mut Said::default(), stop).await.unwrap()
}

async fn rolled_back(client: &Client, to: Option<&str>) -> Outcome {
    let mut said = Said::default();
    rollback(client, &target(""), to, false, &mut said, &mut pending()).await.unwrap()
}

fn scenario(name: &str) -> Scenario {
    all().into_iter().find(|it| it.name == name).unwrap()
}

pub(crate) fn played(scenario: &Scenario) -> (Played, String) {
    let mut said = Said::default();
    let played = run(play(scenario, &mut said)).unwrap();
    (played, said.0.join("\n"))
}

fn calls(played: &Played, operation: &str) -> Vec<Value> {
    let calls = played.simulator.calls();
    calls.into_iter().filter(|(name, _)| name == operation).map(|(_, said)| said).collect()
}

fn outcome(played: &Played) -> &Outcome {
    played.result.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_scenario_ends_with_its_code_and_its_words() {
    for scenario in all() {
        let name = scenario.name;
        let (played, said) = played(&scenario);
        let (code, text) = match &played.result {
            Ok(outcome) => {
                let findings = outcome.findings.iter();
                let findings =
                    findings.map(|it| format!("{}\n{}", it.class, it.evidence.join("\n")));
                let findings: Vec<String> = findings.collect();
                let (left, log) = (&outcome.left, outcome.log.join("\n"));
                (outcome.exit_code(), format!("{left}\n{}\n{log}", findings.join("\n")))
            }
            Err(error) => (error.exit_code(), error.to_string()),
        };
        assert_eq!(code, scenario.exit_code, "{name}: {text}\n{said}");
        assert!(text.contains(scenario.says), "{name}: {text}\n{said}");
        let tries = if name.starts_with("update-") { 1..=1 } else { 0..=2 };
        assert!(tries.contains(&calls(&played, "UpdateService").len()), "{name}");
        assert!(calls(&played, "RegisterTaskDefinition").len() <= 1, "{name}");
    }
}

#[test]
fn what_serves_already_is_neither_registered_nor_deployed() {
    let clock = Clock::simulated();
    run(async {
        let success = scenario("success");
        let simulator = Simulator::serve(success.start, &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let mut both = Vec::new();
        for _ in 0..2 {
            let client = simulator.client(&clock).unwrap();
            let outcome = released(&client, &target(&image), &mut pending()).await;
            both.push((outcome.verdict, outcome.calls, simulator.calls().len()));
        }
        assert_eq!(both[0].0, Verdict::Deployed);
        let (verdict, calls, all) = both[1];
        assert_eq!((verdict, calls), (Verdict::Unchanged, all - both[0].2));
        assert!(calls <= 8, "{calls} calls");
        let calls = simulator.calls();
        let count = |operation: &str| calls.iter().filter(|(name, _)| name == operation).count();
        assert_eq!((count("RegisterTaskDefinition"), count("UpdateService")), (1, 1));
    });
}

#[test]
fn a_look_is_two_calls_and_a_crash_loop_is_seen_within_two_looks() {
    let (played, said) = played(&scenario("without-breaker"));
    let names: Vec<String> = played.simulator.calls().into_iter().map(|(name, _)| name).collect();
    let update = names.iter().position(|name| name == "UpdateService").unwrap();
    let back = names.iter().rposition(|name| name == "UpdateService").unwrap();
    let watching = &names[update + 1..back];
    let looks = watching.iter().filter(|name| *name == "DescribeServices").count();
    // The record of the deployment and the log are read once.
    assert!(watching.len() <= 2 * looks + 2, "{watching:?}");
    // Both tasks stop after 8 s; it is looked at 0, 3, 7.5, 14.25 and 24.4 s.
    assert!(looks <= 5, "{watching:?}\n{said}");
    let findings = &outcome(&played).findings;
    assert_eq!((findings[0].class, findings[0].count), (Class::Exit, 2));
}

#[test]
fn what_is_registered_is_what_was_described_but_for_the_image() {
    let (played, _) = played(&scenario("success"));
    let registered = calls(&played, "RegisterTaskDefinition").remove(0);
    let described = played.simulator.world().definition("graphbook:1").unwrap();
    let before = Registration::of_described(&described).unwrap();
    assert_eq!(registered["inventedMember"], before.json()["inventedMember"]);
    let mut after = registered.clone();
    after["containerDefinitions"][0]["image"] = before.image("app").unwrap().into();
    assert_eq!(&after, before.json());
    assert!(registered["containerDefinitions"][0]["image"].as_str().unwrap().contains("@sha256:"));
    assert_eq!(outcome(&played).changes.len(), 1);
}

#[test]
fn the_way_back_leads_to_what_ran_well_and_not_to_the_number_before() {
    let clock = Clock::simulated();
    let revisions = vec![Fate::Fine(5), Fate::Stop(1, EXITED), Fate::Fine(5)];
    let start = Start { revisions, ..Start::default() };
    run(async {
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let outcome = rolled_back(&client, None).await;
        assert_eq!(outcome.verdict, Verdict::Deployed);
        assert!(outcome.revision.ends_with("graphbook:1"), "{}", outcome.revision);
        assert!(outcome.before.ends_with("graphbook:3"), "{}", outcome.before);
        assert!(outcome.left.starts_with("2 tasks run"), "{}", outcome.left);
        // Not forward again to 3, which it came from.
        let mut said = Said::default();
        let again = rollback(&client, &target(""), None, false, &mut said, &mut pending()).await;
        let error = again.unwrap_err().to_string();
        assert!(error.starts_with("nothing but graphbook:1 was ever deployed well"), "{error}");
        let bad = rolled_back(&client, Some("graphbook:2")).await;
        assert_eq!(bad.exit_code(), Class::Exit.exit_code());
    });
}

#[test]
fn an_image_of_this_machine_is_pushed_and_served_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (place, digest) = image(folder.path());
    let clock = Clock::simulated();
    run(async {
        let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let target = Target { tags: vec!["abc".to_owned()], ..target(&place) };
        let outcome = released(&client, &target, &mut pending()).await;
        assert_eq!(outcome.verdict, Verdict::Deployed);
        assert!(outcome.image.ends_with(&format!("/graphbook@{digest}")), "{}", outcome.image);
        let pushed = simulator.registry().manifest("graphbook", "abc").unwrap();
        assert_eq!(imagebuild::digest::Digest::of(&pushed).to_string(), digest);
    });
}

/// Comes to an end as soon as an operation was called.
fn after(simulator: &Simulator, operation: &'static str) -> impl Future<Output = ()> + Unpin {
    poll_fn(move |_| {
        let called = simulator.calls().iter().any(|(name, _)| name == operation);
        if called { Poll::Ready(()) } else { Poll::Pending }
    })
}

#[test]
fn who_is_asked_to_stop_says_what_is_left_behind() {
    let clock = Clock::simulated();
    run(async {
        let start = scenario("slow-drain").start;
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let mut stop = after(&simulator, "UpdateService");
        let outcome = released(&client, &target(&image), &mut stop).await;
        assert_eq!((outcome.verdict, outcome.exit_code()), (Verdict::Interrupted, 23));
        assert!(outcome.left.contains("of graphbook:2 goes on in ECS"), "{}", outcome.left);
    });
}

#[test]
fn who_is_asked_to_stop_before_anything_is_changed_changes_nothing() {
    for operation in
        ["AssumeRoleWithWebIdentity", "DescribeTaskDefinition", "RegisterTaskDefinition"]
    {
        let clock = Clock::simulated();
        run(async {
            let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
            let image = simulator.image().await.unwrap();
            let client = simulator.client(&clock).unwrap();
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
            let (mut said, mut stop) = (Said::default(), after(&simulator, operation));
            let error = release(&client, &target(&image), &bars, &mut said, &mut stop).await;
            assert_eq!(error.unwrap_err().exit_code(), 23, "{operation}");
            assert!(!writes(&simulator).contains(&"UpdateService".to_owned()), "{operation}");
        });
    }
}

#[test]
fn what_failed_can_be_released_again() {
    let clock = Clock::simulated();
    run(async {
        let start = Start {
            revisions: vec![Fate::Stop(2, EXITED)],
            completed: false,
            breaker: Some(false),
            new: Fate::Stop(2, EXITED),
            ..Start::default()
        };
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        for _ in 0..2 {
            let client = simulator.client(&clock).unwrap();
            let outcome = released(&client, &target(&image), &mut pending()).await;
            assert_eq!(outcome.verdict, Verdict::Failed, "{}", outcome.left);
            assert!(outcome.left.starts_with("ECS "), "{}", outcome.left);
        }
        assert_eq!(
            writes(&simulator),
            ["RegisterTaskDefinition", "UpdateService", "UpdateService"]
        );
        let (_, said) = simulator.calls().into_iter().rfind(|it| it.0 == "UpdateService").unwrap();
        assert_eq!(said["forceNewDeployment"], true, "else ECS begins no deployment");
    });
}

#[test]
fn the_place_of_a_deployment_that_never_ends_can_be_taken() {
    let clock = Clock::simulated();
    run(async {
        let start = scenario("under-way").start;
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let target = Target { force: true, ..target(&image) };
        let outcome = released(&client, &target, &mut pending()).await;
        assert_eq!(outcome.verdict, Verdict::Deployed, "{}", outcome.left);
    });
}

#[test]
fn why_it_failed_is_told_also_if_the_way_back_can_not_be_ordered() {
    let clock = Clock::simulated();
    let denied = Wrong::Refused(403, "AccessDeniedException");
    let fault = Fault { operation: "UpdateService", after: 1, times: 9, what: denied };
    run(async {
        let start = scenario("without-breaker").start;
        let simulator = Simulator::serve(start, &[fault], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let outcome = released(&client, &target(&image), &mut pending()).await;
        assert_eq!((outcome.verdict, outcome.exit_code()), (Verdict::Failed, 35));
        assert!(outcome.left.contains("could not be followed to its end: ecs:UpdateService"));
        assert!(!outcome.log.is_empty());
    });
}

#[test]
fn a_task_that_finds_no_place_is_stopped_in_the_end() {
    let clock = Clock::simulated();
    let start = Start { task_waits: true, ..Start::default() };
    run(async {
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let target = Target { migrate: words("migrate up"), ..target(&image) };
        let outcome = released(&client, &target, &mut pending()).await;
        assert_eq!((outcome.verdict, outcome.exit_code()), (Verdict::NotMigrated, 25));
        assert!(outcome.left.contains("did not start in time"), "{}", outcome.left);
        assert!(simulator.calls().iter().any(|(name, _)| name == "StopTask"));
    });
}

#[test]
fn a_task_ends_with_the_code_of_its_container_and_its_log_is_shown() {
    let clock = Clock::simulated();
    let start = Start { task_exit_code: 20, ..Start::default() };
    run(async {
        let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let mut lines = Vec::new();
        let command = ["migrate".to_owned(), "up".to_owned()];
        let mut line = |line: &str| lines.push(line.to_owned());
        let ended = task::run(&client, &target(""), &command, &mut line, &mut pending()).await;
        let ended = ended.unwrap();
        assert_eq!(ended, Ended::With(20));
        assert_eq!(lines, ["error: DATABASE_URL is not set"], "each once");
        let calls = simulator.calls();
        let (_, said) = calls.iter().find(|(name, _)| name == "RunTask").unwrap();
        assert_eq!(said["overrides"]["containerOverrides"][0]["command"][1], "up");
    });
}

pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(ToOwned::to_owned).collect()
}

/// The names of the calls that change something.
fn writes(simulator: &Simulator) -> Vec<String> {
    let calls = simulator.calls().into_iter().map(|(name, _)| name);
    calls
        .filter(|it| ["Register", "Run", "Update"].iter().any(|verb| it.starts_with(verb)))
        .collect()
}

#[test]
fn migrations_run_with_the_new_image_before_the_service_gets_it() {
    for (task_exit_code, verdict, code) in
        [(0, Verdict::Deployed, 0), (40, Verdict::NotMigrated, 25)]
    {
        let clock = Clock::simulated();
        run(async {
            let start = Start { task_exit_code, ..Start::default() };
            let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
            let image = simulator.image().await.unwrap();
            let client = simulator.client(&clock).unwrap();
            let target = Target { migrate: words("migrate up"), ..target(&image) };
            let outcome = released(&client, &target, &mut pending()).await;
            assert_eq!((outcome.verdict, outcome.exit_code()), (verdict, code), "{}", outcome.left);
            let mut expected = vec!["RegisterTaskDefinition", "RunTask"];
            expected.extend((code == 0).then_some("UpdateService"));
            assert_eq!(writes(&simulator), expected);
            let calls = simulator.calls();
            let (_, said) = calls.iter().find(|(name, _)| name == "RunTask").unwrap();
            assert!(said["taskDefinition"].as_str().unwrap().ends_with("graphbook:2"));
            assert_eq!(said["overrides"]["containerOverrides"][0]["command"][0], "migrate");
        });
    }
}

#[test]
fn a_service_is_not_brought_back_to_an_image_that_the_schema_is_too_new_for() {
    let clock = Clock::simulated();
    let revisions = vec![Fate::Fine(5), Fate::Fine(5)];
    run(async {
        for (task_exit_code, force, code) in [
            (0, false, None),
            (3, false, None),
            (32, false, Some(10)),
            (20, false, Some(10)),
            (32, true, None),
        ] {
            let start = Start { task_exit_code, revisions: revisions.clone(), ..Start::default() };
            let simulator = Simulator::serve(start, &[], &clock).await.unwrap();
            let client = simulator.client(&clock).unwrap();
            let target = Target { schema: words("migrate status"), ..target("") };
            let mut said = Said::default();
            let back = rollback(&client, &target, None, force, &mut said, &mut pending()).await;
            assert_eq!(back.as_ref().err().map(ReleaseError::exit_code), code, "{task_exit_code}");
            let updates = writes(&simulator).iter().filter(|it| *it == "UpdateService").count();
            assert_eq!(updates, usize::from(code.is_none()), "{task_exit_code}");
            let calls = simulator.calls();
            let asked = calls.iter().find(|(name, _)| name == "RunTask");
            assert_eq!(asked.is_none(), force);
            // The image that is gone back to is asked, and not the one that runs.
            let revision = asked.map(|(_, said)| said["taskDefinition"].as_str().unwrap());
            assert!(revision.is_none_or(|it| it.ends_with("graphbook:1")), "{revision:?}");
            if let Err(error) = back {
                let words = if task_exit_code == 32 {
                    "too new for graphbook:1"
                } else {
                    "`migrate status` ended with 20"
                };
                assert!(error.to_string().contains(words), "{error}");
            }
        }
    });
}

#[test]
fn who_is_asked_to_stop_while_migrations_run_says_so_and_changes_nothing() {
    let clock = Clock::simulated();
    run(async {
        let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
        let image = simulator.image().await.unwrap();
        let client = simulator.client(&clock).unwrap();
        let target = Target { migrate: words("migrate up"), ..target(&image) };
        let mut stop = after(&simulator, "RunTask");
        let outcome = released(&client, &target, &mut stop).await;
        assert_eq!((outcome.verdict, outcome.exit_code()), (Verdict::Interrupted, 23));
        assert!(outcome.left.contains("goes on in ECS; `deploy logs --task"), "{}", outcome.left);
        assert_eq!(writes(&simulator), ["RegisterTaskDefinition", "RunTask"]);
    });
}

#[test]
fn what_serves_already_is_deployed_again_once_if_that_is_wanted() {
    let lost = Fault { operation: "UpdateService", after: 1, times: 1, what: Wrong::Lost };
    for faults in [Vec::new(), vec![lost]] {
        let clock = Clock::simulated();
        run(async {
            let start = Start { breaker: None, ..Start::default() };
            let simulator = Simulator::serve(start, &faults, &clock).await.unwrap();
            let image = simulator.image().await.unwrap();
            let client = simulator.client(&clock).unwrap();
            released(&client, &target(&image), &mut pending()).await;
            let again = Target { force: true, breaker: true, ..target(&image) };
            let outcome = released(&client, &again, &mut pending()).await;
            assert_eq!(outcome.verdict, Verdict::Deployed);
            assert!(outcome.revision.ends_with("graphbook:2"), "{}", outcome.revision);
            let updates = ["RegisterTaskDefinition", "UpdateService", "UpdateService"];
            assert_eq!(writes(&simulator), updates);
            let (_, said) =
                simulator.calls().into_iter().rfind(|it| it.0 == "UpdateService").unwrap();
            assert_eq!(said["forceNewDeployment"], true);
            let configuration = &said["deploymentConfiguration"];
            assert_eq!(configuration["deploymentCircuitBreaker"]["enable"], true);
            assert_eq!(configuration["maximumPercent"], 200, "what is there is kept");
        });
    }
}
