//! The infrastructure of a service, made or changed through `CloudFormation`: a change set is proposed,
//! shown, then withdrawn or carried out, and followed to its end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws, token};
use crate::ecs::{self, Place};
use crate::release::{ReleaseError, Say, guard};
use crate::stack::{
    Declared, Event, IMAGE, ParameterError, ResourceChange, Stack, Standing, parameters,
};

/// Between the first looks.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Between later ones.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long AWS may compare a template with a stack.
const COMPARING: Duration = Duration::from_mins(10);
/// The longest template that can be sent as it is, in bytes (`CloudFormation`, quotas).
const LONGEST_TEMPLATE: usize = 51_200;

/// The template that this program brings along.
pub const TEMPLATE: &str = include_str!("../templates/service.yml");

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The stack's name.
    pub stack: String,
    /// What it is to be like: a template, or the address of one in S3.
    pub template: String,
    /// The template's parameters, as far as they are said.
    pub parameters: BTreeMap<String, String>,
    /// The service whose image the stack must keep, if it is known.
    pub place: Option<Place>,
    /// The container that has it, if there are several.
    pub container: Option<String>,
    /// The account that it must be in.
    pub account: Option<String>,
}

/// A change that AWS has worked out and not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The stack's name.
    pub stack: String,
    /// Whether it does not exist yet.
    pub is_new: bool,
    /// The image that runs and is kept.
    pub image: Option<String>,
    /// What would be done.
    pub changes: Vec<ResourceChange>,
    #[serde(skip)]
    change_set: String,
    #[serde(skip)]
    token: String,
}

/// What became of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provisioned {
    /// The stack, as it is left.
    pub stack: Stack,
    /// What failed, and why.
    pub failures: Vec<Event>,
    /// In what state it is left: a sentence.
    pub left: String,
    /// Whether who made it was asked to stop.
    pub interrupted: bool,
    /// How long it took, in seconds.
    pub seconds: u64,
}

impl Provisioned {
    /// By which the program ends.
    pub fn exit_code(&self) -> u8 {
        match (self.interrupted, self.stack.is_done()) {
            (true, _) => 23,
            (false, true) => 0,
            (false, false) => 26,
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// See there.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// See there.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// See there.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// It is too long.
    #[error(
        "the template has {0} bytes, and AWS takes {LONGEST_TEMPLATE} at most: put it into a bucket of S3, and name it by its address"
    )]
    TooLong(usize),
    /// Somebody else is at it.
    #[error("the stack {stack} is {status}: wait until that has come to its end, then try again")]
    Busy {
        /// Which.
        stack: String,
        /// Such as `UPDATE_IN_PROGRESS`.
        status: String,
    },
    /// It can't be changed.
    #[error(
        "the stack {stack} is {status}, and AWS changes it no more: see its events, then {advice}"
    )]
    Broken {
        /// Which.
        stack: String,
        /// Such as `ROLLBACK_COMPLETE`.
        status: String,
        /// What to do.
        advice: String,
    },
    /// AWS would not do it.
    #[error("AWS refuses the change of {stack}: {reason}")]
    Refused {
        /// Which.
        stack: String,
        /// In AWS's words.
        reason: String,
    },
    /// It takes too long.
    #[error("AWS still compares the template with {0} after ten minutes; nothing was changed")]
    Comparing(String),
}

impl ProvisionError {
    /// By which the program ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Aws(_) => 11,
            Self::Release(error) => error.exit_code(),
            _ => 10,
        }
    }
}

async fn call(client: &Client, operation: &str, body: &Value) -> Result<Value, AwsError> {
    client.call(Aws::CloudFormation, operation, body).await
}

async fn described(client: &Client, name: &str) -> Result<Option<Stack>, AwsError> {
    match call(client, "DescribeStacks", &json!({ "StackName": name })).await {
        Ok(answer) => Ok(answer.pointer("/Stacks/0").map(Stack::read)),
        // `CloudFormation` has no code of its own for it.
        Err(AwsError::Refused { refusal, .. }) if refusal.message.contains("does not exist") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The image that the service runs well, which a change of the stack must not take away.
async fn running(client: &Client, wanted: &Wanted) -> Result<Option<String>, AwsError> {
    let Some(place) = &wanted.place else { return Ok(None) };
    let service = match ecs::service(client, place).await {
        Ok(service) => service.filter(|service| service.status == "ACTIVE"),
        Err(error) if error.code() == Some("ClusterNotFoundException") => None,
        Err(error) => return Err(error),
    };
    let Some(service) = service else { return Ok(None) };
    let revision = service.ran_well().unwrap_or(&service.task_definition);
    let (_, definition) = ecs::definition(client, revision).await?;
    let containers = definition.containers();
    let container = wanted.container.as_ref().or(containers.first());
    let image = container.and_then(|container| definition.image(container));
    // The template's own word for that there is none yet.
    Ok(image.filter(|image| !image.ends_with(":none")).map(ToOwned::to_owned))
}

/// Lets AWS work out what would be done; nothing, if the stack is as it should be.
pub async fn propose(
    client: &Client,
    wanted: &Wanted,
    say: &mut dyn Say,
) -> Result<Option<Proposal>, ProvisionError> {
    guard(client, wanted.account.as_deref()).await?;
    let name = &wanted.stack;
    let stack = described(client, name).await?;
    let status = stack.as_ref().map(|stack| stack.status.clone()).unwrap_or_default();
    let broken = |advice: &str| {
        let (stack, status) = (name.clone(), status.clone());
        ProvisionError::Broken {
            stack,
            status,
            advice: format!(
                "`aws cloudformation {advice} --stack-name {name}` (what is protected against deletion \
                 has to be released by hand first)"
            ),
        }
    };
    let stack = match stack.as_ref().map(Stack::standing) {
        None | Some(Standing::Empty) => None,
        Some(Standing::Fine) => stack,
        Some(Standing::Busy) => {
            return Err(ProvisionError::Busy { stack: name.clone(), status });
        }
        Some(Standing::Dead) => return Err(broken("delete-stack")),
        Some(Standing::Stuck) => return Err(broken("continue-update-rollback")),
    };
    let mut body = Map::new();
    if wanted.template.starts_with("https://") {
        body.insert("TemplateURL".to_owned(), wanted.template.as_str().into());
    } else if wanted.template.len() > LONGEST_TEMPLATE {
        return Err(ProvisionError::TooLong(wanted.template.len()));
    } else {
        body.insert("TemplateBody".to_owned(), wanted.template.as_str().into());
    }
    let summary = call(client, "GetTemplateSummary", &body.clone().into()).await?;
    let declared = Declared::all(&summary);
    let has_image = declared.iter().any(|it| it.name == IMAGE);
    let image = if has_image { running(client, wanted).await? } else { None };
    let parameters = parameters(&declared, stack.as_ref(), &wanted.parameters, image.as_deref())?;
    let image = image.filter(|_| !wanted.parameters.contains_key(IMAGE));
    let token = token();
    let is_new = stack.is_none();
    for (key, value) in [
        ("StackName", json!(name)),
        ("ChangeSetName", json!(format!("deploy-{token}"))),
        ("ChangeSetType", json!(if is_new { "CREATE" } else { "UPDATE" })),
        ("Parameters", parameters.into()),
        // What it is about to do is shown before it is done.
        ("Capabilities", summary.get("Capabilities").cloned().unwrap_or_else(|| json!([]))),
        ("ClientToken", json!(token)),
    ] {
        body.insert(key.to_owned(), value);
    }
    say.line(&format!("AWS compares the template with the stack {name}"));
    let answer = match call(client, "CreateChangeSet", &body.into()).await {
        Err(AwsError::Refused { refusal, .. }) if is_nothing(&refusal.message) => return Ok(None),
        answer => answer?,
    };
    let change_set = answer.get("Id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let stack = name.clone();
    let mut proposal = Proposal { stack, is_new, image, changes: Vec::new(), change_set, token };
    match worked_out(client, &proposal, say).await {
        Ok(Some(changes)) => {
            proposal.changes = changes;
            Ok(Some(proposal))
        }
        Ok(None) => {
            withdraw(client, &proposal).await?;
            Ok(None)
        }
        Err(error) => {
            // Why there is none matters more than that it can't be cleared away.
            let _ = withdraw(client, &proposal).await;
            Err(error)
        }
    }
}

/// Waits until a change set is worked out; there is nothing if it would change nothing.
async fn worked_out(
    client: &Client,
    proposal: &Proposal,
    say: &mut dyn Say,
) -> Result<Option<Vec<ResourceChange>>, ProvisionError> {
    let began = client.clock().now();
    let mut pause = FIRST_PAUSE;
    let mut body = json!({ "ChangeSetName": proposal.change_set, "StackName": proposal.stack });
    let mut changes = Vec::new();
    loop {
        let answer = call(client, "DescribeChangeSet", &body).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        let reason = text("StatusReason");
        match text("Status") {
            "CREATE_COMPLETE" => {
                let found = answer.get("Changes").and_then(Value::as_array).into_iter().flatten();
                changes.extend(found.filter_map(ResourceChange::read));
                match (text("NextToken"), body.as_object_mut()) {
                    (next, Some(body)) if !next.is_empty() => {
                        body.insert("NextToken".to_owned(), next.into())
                    }
                    _ => return Ok(Some(changes)),
                };
                continue;
            }
            "FAILED" if is_nothing(reason) => return Ok(None),
            "FAILED" => {
                let (stack, reason) = (proposal.stack.clone(), reason.to_owned());
                return Err(ProvisionError::Refused { stack, reason });
            }
            _ => {}
        }
        if client.clock().since(began) > COMPARING {
            return Err(ProvisionError::Comparing(proposal.stack.clone()));
        }
        say.waiting("AWS compares", None);
        client.clock().sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Whether AWS says that a change would change nothing. It has no code for that.
fn is_nothing(reason: &str) -> bool {
    reason.contains("didn't contain changes") || reason.contains("No updates are to be performed")
}

/// Clears away what was proposed, and the stack that there is in name only for it.
pub async fn withdraw(client: &Client, proposal: &Proposal) -> Result<(), AwsError> {
    let Proposal { stack, change_set, is_new, token, .. } = proposal;
    let body = json!({ "ChangeSetName": change_set, "StackName": stack });
    call(client, "DeleteChangeSet", &body).await?;
    if *is_new {
        let body = json!({ "StackName": stack, "ClientRequestToken": format!("{token}-w") });
        call(client, "DeleteStack", &body).await?;
    }
    Ok(())
}

/// Carries it out, and tells each event, until AWS has come to an end with it. When `stop` comes to an
/// end, it says what goes on and ends as well.
pub async fn carry_out(
    client: &Client,
    proposal: &Proposal,
    say: &mut dyn Say,
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Result<Provisioned, ProvisionError> {
    let Proposal { stack: name, change_set, token, .. } = proposal;
    let began = client.clock().now();
    let known = events(client, name, None).await?.first().map(|event| event.id.clone());
    let body =
        json!({ "ChangeSetName": change_set, "StackName": name, "ClientRequestToken": token });
    call(client, "ExecuteChangeSet", &body).await?;
    let mut told = Told { known, failures: Vec::new() };
    let mut pause = FIRST_PAUSE;
    let mut has_begun = false;
    loop {
        // In this order: between the call and its first event, the stack is as it was.
        has_begun |= told.tell(client, name, say).await?;
        let stack = described(client, name).await?.unwrap_or_default();
        let seconds = client.clock().since(began).as_secs();
        if has_begun && !matches!(stack.standing(), Standing::Busy | Standing::Empty) {
            told.tell(client, name, say).await?;
            let left = format!("the stack {name} is {}", stack.status);
            let failures = told.failures;
            return Ok(Provisioned { stack, failures, left, interrupted: false, seconds });
        }
        say.waiting(&format!("the stack {name} is {}", stack.status), None);
        tokio::select! {
            biased;
            () = &mut *stop => {
                let left = format!(
                    "AWS goes on with the stack {name}; `aws cloudformation describe-stack-events \
                     --stack-name {name}` shows how it ends"
                );
                let failures = told.failures;
                return Ok(Provisioned { stack, failures, left, interrupted: true, seconds });
            }
            () = client.clock().sleep(pause) => {}
        }
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// What was told of a stack.
struct Told {
    /// The last event.
    known: Option<String>,
    failures: Vec<Event>,
}

impl Told {
    /// Tells what is new; says whether something is.
    async fn tell(
        &mut self,
        client: &Client,
        stack: &str,
        say: &mut dyn Say,
    ) -> Result<bool, AwsError> {
        let new = events(client, stack, self.known.as_deref()).await?;
        let Some(last) = new.first() else { return Ok(false) };
        self.known = Some(last.id.clone());
        for event in new.into_iter().rev() {
            say.line(&format!("  {event}"));
            if event.is_cause() {
                self.failures.push(event);
            }
        }
        Ok(true)
    }
}

/// What happened to a stack since an event, the newest first.
async fn events(client: &Client, stack: &str, since: Option<&str>) -> Result<Vec<Event>, AwsError> {
    let mut body = json!({ "StackName": stack });
    let mut all = Vec::new();
    loop {
        let answer = call(client, "DescribeStackEvents", &body).await?;
        let found = answer.get("StackEvents").and_then(Value::as_array).into_iter().flatten();
        for event in found.map(Event::read) {
            if Some(event.id.as_str()) == since {
                return Ok(all);
            }
            all.push(event);
        }
        let next = answer.get("NextToken").and_then(Value::as_str).filter(|it| !it.is_empty());
        match (next, body.as_object_mut()) {
            (Some(next), Some(body)) => body.insert("NextToken".to_owned(), next.into()),
            _ => return Ok(all),
        };
    }
}
