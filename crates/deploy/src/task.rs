//! A task of a service's image with another command, such as for migrations: started, its log followed,
//! its exit code told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws, token};
use crate::diagnose::{Finding, diagnose};
use crate::ecs::{self, Place};
use crate::observed::{Service, Task};
use crate::release::{ReleaseError, Target, look, short};
use crate::task_definition::Registration;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its container ended with this code.
    With(i64),
    /// It never ran.
    Never(Vec<Finding>),
    /// It did not start in time, and was stopped so that it does not start later.
    Late,
    /// Who started it was asked to stop, and the task, by its ARN, goes on.
    Left(String),
}

/// A command, and where it is run: as the service's tasks are.
pub struct Job<'a> {
    /// Its cluster.
    pub place: &'a Place,
    /// Whose network and capacity it uses.
    pub service: &'a Service,
    /// The ARN of the revision.
    pub revision: &'a str,
    /// What that says.
    pub definition: &'a Registration,
    /// The container that runs it.
    pub container: &'a str,
    /// Its arguments.
    pub command: &'a [String],
    /// How long it may take to start; it may run as long as it likes.
    pub patience: Duration,
}

/// Where a task's log is.
struct Log {
    group: String,
    stream: String,
    next: Option<String>,
}

/// Runs a command with the image that the service has, and gives each line of its log.
pub async fn run(
    client: &Client,
    target: &Target,
    command: &[String],
    line: &mut dyn FnMut(&str),
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Result<Ended, ReleaseError> {
    let service = look(client, target).await?;
    let (revision, definition) = ecs::definition(client, &service.task_definition).await?;
    let container = target.container(&definition)?;
    let job = Job {
        place: &target.place,
        service: &service,
        revision: &revision,
        definition: &definition,
        container: &container,
        command,
        patience: target.limits.time,
    };
    Ok(job.run(client, line, stop).await?)
}

impl Job<'_> {
    /// Runs it to its end, and gives each line of its log.
    pub async fn run(
        &self,
        client: &Client,
        line: &mut dyn FnMut(&str),
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<Ended, AwsError> {
        let arn = self.start(client).await?;
        let log = ecs::log_of(self.definition, Some(self.container), &arn);
        let mut log = log.map(|(group, stream)| Log { group, stream, next: None });
        let began = client.clock().now();
        let mut has_run = false;
        loop {
            let tasks = ecs::described(client, self.place, std::slice::from_ref(&arn)).await?;
            if let Some(log) = &mut log {
                follow(client, log, line).await;
            }
            match tasks.first() {
                Some(task) if task.status == "STOPPED" => return Ok(ended(task, self.container)),
                Some(task) => has_run |= ["RUNNING", "STOPPING"].contains(&task.status.as_str()),
                // At first ECS may not find it yet; later it has forgotten it.
                None if has_run => return Ok(Ended::Never(Vec::new())),
                None => {}
            }
            if !has_run && client.clock().since(began) > self.patience {
                ecs::stop(client, self.place, &arn, "it did not start in time").await?;
                return Ok(Ended::Late);
            }
            tokio::select! {
                biased;
                () = &mut *stop => return Ok(Ended::Left(arn)),
                () = client.clock().sleep(PAUSE) => {}
            }
        }
    }

    async fn start(&self, client: &Client) -> Result<String, AwsError> {
        let Self { place, container, command, .. } = self;
        let mut body = self.service.runs_by.clone();
        let overrides = json!([{ "name": container, "command": command }]);
        for (key, value) in [
            ("cluster", json!(place.cluster)),
            ("taskDefinition", json!(self.revision)),
            ("startedBy", json!("deploy")),
            // So that a request whose answer was lost does not run it twice.
            ("clientToken", json!(token())),
            ("overrides", json!({ "containerOverrides": overrides })),
        ] {
            body.insert(key.to_owned(), value);
        }
        let answer = client.call(Aws::Ecs, "RunTask", &body.into()).await?;
        let arn = answer.pointer("/tasks/0/taskArn").and_then(Value::as_str);
        let reason = answer.pointer("/failures/0/reason").and_then(Value::as_str);
        arn.map(ToOwned::to_owned).ok_or_else(|| AwsError::Answer {
            operation: "ecs:RunTask".to_owned(),
            reason: format!("no task was started: {}", reason.unwrap_or("no reason is given")),
        })
    }
}

/// What is left behind when nobody waits for a task any more.
pub(crate) fn goes_on(arn: &str) -> String {
    let id = short(arn);
    format!("The task {id} goes on in ECS; `deploy logs --task {id} --follow` shows what it writes")
}

/// Gives the lines that are new. A log that is not there yet has none.
async fn follow(client: &Client, log: &mut Log, line: &mut dyn FnMut(&str)) {
    loop {
        let mut body = json!({
            "logGroupName": log.group, "logStreamName": log.stream, "startFromHead": true,
        });
        if let (Some(next), Some(body)) = (&log.next, body.as_object_mut()) {
            body.insert("nextToken".to_owned(), next.as_str().into());
        }
        let Ok(answer) = client.call(Aws::Logs, "GetLogEvents", &body).await else { return };
        let next = answer.get("nextForwardToken").and_then(Value::as_str).map(ToOwned::to_owned);
        // The same token again means that there is no more (CloudWatch Logs, `GetLogEvents`).
        if next == log.next {
            return;
        }
        let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
        for text in events.filter_map(|it| it.get("message")?.as_str()) {
            line(text.trim_end());
        }
        log.next = next;
    }
}

fn ended(task: &Task, container: &str) -> Ended {
    let found = task.containers.iter().find(|it| it.name == container);
    match found.and_then(|it| it.exit_code) {
        Some(code) => Ended::With(code),
        None => Ended::Never(diagnose(std::slice::from_ref(task), &Service::default(), None, &[])),
    }
}
