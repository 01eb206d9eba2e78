//! A service's infrastructure: proposed, shown, made, changed, and what becomes of it when it fails.

use std::collections::BTreeMap;
use std::future::{pending, ready};

use deploy::aws::Client;
use deploy::clock::Clock;
use deploy::ecs::Place;
use deploy::provision::{
    Proposal, ProvisionError, Provisioned, TEMPLATE, Wanted, carry_out, propose, withdraw,
};
use deploy::simulator::Simulator;
use deploy::simulator::stacks::Fails;
use deploy::simulator::world::Start;
use deploy::stack::Action;
use serde_json::Value;

use crate::release::Said;
use crate::run;

struct Stage {
    clock: Clock,
    simulator: Simulator,
    client: Client,
    said: Said,
}

impl Stage {
    async fn new() -> Self {
        let clock = Clock::simulated();
        let simulator = Simulator::serve(Start::default(), &[], &clock).await.unwrap();
        let client = simulator.client(&clock).unwrap();
        Self { clock, simulator, client, said: Said::default() }
    }

    async fn propose(&mut self, wanted: &Wanted) -> Result<Option<Proposal>, ProvisionError> {
        propose(&self.client, wanted, &mut self.said).await
    }

    async fn make(&mut self, wanted: &Wanted) -> Provisioned {
        let proposal = self.propose(wanted).await.unwrap().unwrap();
        carry_out(&self.client, &proposal, &mut self.said, &mut pending()).await.unwrap()
    }

    /// What was said to an operation, the last time.
    fn last(&self, operation: &str) -> Value {
        let calls = self.simulator.calls().into_iter().rev();
        calls.into_iter().find(|(name, _)| name == operation).unwrap().1
    }
}

fn wanted(parameters: &[(&str, &str)]) -> Wanted {
    let place = Place { cluster: "main".to_owned(), service: "graphbook".to_owned() };
    let pairs = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Wanted {
        stack: "shop".to_owned(),
        template: TEMPLATE.to_owned(),
        parameters: pairs.collect::<BTreeMap<_, _>>(),
        place: Some(place),
        container: Some("app".to_owned()),
        account: Some("123456789012".to_owned()),
    }
}

#[test]
fn a_stack_is_made_and_then_it_is_as_it_should_be() {
    run(async {
        let mut stage = Stage::new().await;
        let proposal = stage.propose(&wanted(&[("Cpu", "512")])).await.unwrap().unwrap();
        // More than one page.
        assert!(proposal.is_new && proposal.changes.len() > 30, "{}", proposal.changes.len());
        assert!(proposal.changes.iter().all(|it| it.action == Action::Add));
        assert!(proposal.changes.iter().any(|it| it.kind == "AWS::RDS::DBInstance"));
        let done = carry_out(&stage.client, &proposal, &mut stage.said, &mut pending()).await;
        let done = done.unwrap();
        assert_eq!((done.exit_code(), done.stack.status.as_str()), (0, "CREATE_COMPLETE"));
        assert_eq!(done.stack.outputs["Address"], "http://graphbook.example");
        let said = stage.said.0.join("\n");
        let told = |text: &str| said.matches(text).count();
        assert_eq!(
            told("CREATE_COMPLETE              Database (AWS::RDS::DBInstance)"),
            1,
            "{said}"
        );
        assert_eq!(told("CREATE_COMPLETE              shop"), 1, "{said}");
        assert_eq!(told("  REVIEW_IN_PROGRESS"), 0, "it was before: {said}");

        assert_eq!(stage.propose(&wanted(&[])).await.unwrap(), None);
        assert_eq!(stage.simulator.stacks().parameter("Cpu"), Some("512"), "it stays");
    });
}

#[test]
fn a_change_keeps_the_image_that_runs() {
    run(async {
        let mut stage = Stage::new().await;
        let proposal = stage.propose(&wanted(&[("Memory", "1024")])).await.unwrap().unwrap();
        let image = proposal.image.unwrap();
        assert!(image.contains("/graphbook@sha256:"), "{image}");
        let said = stage.last("CreateChangeSet");
        let parameters = said["Parameters"].as_array().unwrap();
        let given = parameters.iter().find(|it| it["ParameterKey"] == "Image").unwrap();
        assert_eq!(given["ParameterValue"], image.as_str());
        // Somebody who names one has it.
        let proposal = stage.propose(&wanted(&[("Image", "mine")])).await.unwrap().unwrap();
        assert_eq!(proposal.image, None);
        // Without a service there is none to keep.
        let nowhere = Wanted { place: None, ..wanted(&[]) };
        assert_eq!(stage.propose(&nowhere).await.unwrap().unwrap().image, None);
    });
}

#[test]
fn what_is_only_looked_at_leaves_nothing_behind() {
    run(async {
        let mut stage = Stage::new().await;
        let proposal = stage.propose(&wanted(&[])).await.unwrap().unwrap();
        withdraw(&stage.client, &proposal).await.unwrap();
        assert!(!stage.simulator.stacks().exists());
        stage.make(&wanted(&[])).await;
        let proposal = stage.propose(&wanted(&[("Cpu", "1024")])).await.unwrap().unwrap();
        assert!(!proposal.is_new);
        let changed: Vec<&str> = proposal.changes.iter().map(|it| it.resource.as_str()).collect();
        assert_eq!(changed, ["TaskDefinition"]);
        withdraw(&stage.client, &proposal).await.unwrap();
        assert!(stage.simulator.stacks().exists());
        assert_eq!(stage.simulator.stacks().parameter("Cpu"), Some("256"));
    });
}

#[test]
fn why_a_stack_fails_is_told_and_what_can_be_done_then() {
    run(async {
        let mut stage = Stage::new().await;
        let reason = "Cannot find version 8.4.7 for mysql";
        stage.simulator.fail(Some(Fails { resource: "Database", reason }));
        let done = stage.make(&wanted(&[])).await;
        assert_eq!((done.exit_code(), done.stack.status.as_str()), (26, "ROLLBACK_COMPLETE"));
        let failures: Vec<&str> = done.failures.iter().map(|it| it.reason.as_str()).collect();
        assert_eq!(failures, [reason], "what was cancelled is no cause");
        let error = stage.propose(&wanted(&[])).await.unwrap_err();
        assert!(
            error.to_string().contains("`aws cloudformation delete-stack --stack-name shop`"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 10);
    });
}

#[test]
fn who_is_asked_to_stop_says_that_aws_goes_on_and_nobody_else_may_begin() {
    run(async {
        let mut stage = Stage::new().await;
        let proposal = stage.propose(&wanted(&[])).await.unwrap().unwrap();
        let done = carry_out(&stage.client, &proposal, &mut stage.said, &mut ready(())).await;
        let done = done.unwrap();
        assert_eq!(done.exit_code(), 23);
        assert!(done.left.contains("AWS goes on with the stack shop"), "{}", done.left);
        stage.clock.sleep(std::time::Duration::from_secs(5)).await;
        let error = stage.propose(&wanted(&[])).await.unwrap_err();
        assert!(error.to_string().contains("shop is CREATE_IN_PROGRESS: wait"), "{error}");
    });
}

#[test]
fn what_can_not_be_is_refused_before_anything_is_made() {
    run(async {
        let mut stage = Stage::new().await;
        for (wrong, words) in [
            (wanted(&[("Cpus", "1")]), "the template has no parameter \"Cpus\""),
            (Wanted { account: Some("1".to_owned()), ..wanted(&[]) }, "this is for account 1"),
            (Wanted { template: "x".repeat(60_000), ..wanted(&[]) }, "60000 bytes"),
        ] {
            let error = stage.propose(&wrong).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(error.exit_code(), 10, "{error}");
        }
        assert!(!stage.simulator.stacks().exists());
    });
}
