//! A task of a service's image with another command, such as for migrations: started, its log followed,
//! its exit code told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws};
use crate::diagnose::{Finding, diagnose};
use crate::ecs::{self, Place};
use crate::observed::{Service, Task};
use crate::release::{ReleaseError, Target, look};
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
}

/// Where a task's log is.
struct Log {
    group: String,
    stream: String,
    next: Option<String>,
}

/// Runs a command, and gives each line of its log.
pub async fn run(
    client: &Client,
    target: &Target,
    command: &[String],
    line: &mut dyn FnMut(&str),
) -> Result<Ended, ReleaseError> {
    let service = look(client, target).await?;
    let (revision, definition) = ecs::definition(client, &service.task_definition).await?;
    let containers = definition.containers();
    let container = match (&target.container, containers.as_slice()) {
        (Some(container), _) => container.clone(),
        (None, [only]) => only.clone(),
        (None, _) => return Err(ReleaseError::Container(containers)),
    };
    let arn = start(client, &target.place, &service, &revision, &container, command).await?;
    let mut log = log(&definition, &container, &arn);
    loop {
        let tasks = ecs::described(client, &target.place, std::slice::from_ref(&arn)).await?;
        if let Some(log) = &mut log {
            follow(client, log, line).await;
        }
        if let Some(task) = tasks.first().filter(|task| task.status == "STOPPED") {
            return Ok(ended(task, &container));
        }
        client.clock().sleep(PAUSE).await;
    }
}

async fn start(
    client: &Client,
    at: &Place,
    service: &Service,
    revision: &str,
    container: &str,
    command: &[String],
) -> Result<String, AwsError> {
    let mut body = service.runs_by.clone();
    for (key, value) in [
        ("cluster", json!(at.cluster)),
        ("taskDefinition", json!(revision)),
        ("startedBy", json!("deploy")),
        ("overrides", json!({ "containerOverrides": [{ "name": container, "command": command }] })),
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

fn log(definition: &Registration, container: &str, arn: &str) -> Option<Log> {
    let (group, stream) = ecs::log_of(definition, Some(container), arn)?;
    Some(Log { group, stream, next: None })
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
        None => Ended::Never(diagnose(std::slice::from_ref(task), &Service::default(), None)),
    }
}
