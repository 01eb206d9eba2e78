//! The log of a service's tasks in `CloudWatch`, followed.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::aws::{Client, Service as Aws};
use crate::ecs;
use crate::release::{ReleaseError, Target, look};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// Which lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Of one task, by its id; else of all.
    pub task: Option<String>,
    /// Those of the last so long.
    pub since: Duration,
    /// Whether new ones are waited for, for ever.
    pub follow: bool,
}

/// Gives each line, the oldest first.
pub async fn logs(
    client: &Client,
    target: &Target,
    wanted: &Wanted,
    line: &mut dyn FnMut(&str),
) -> Result<(), ReleaseError> {
    let service = look(client, target).await?;
    let (revision, definition) = ecs::definition(client, &service.task_definition).await?;
    let task = wanted.task.as_deref().unwrap_or_default();
    let log = ecs::log_of(&definition, target.container.as_deref(), task);
    let (group, stream) = log.ok_or(ReleaseError::NoLog(revision))?;
    let began = client.clock().now() - wanted.since;
    let began = began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut since = u64::try_from(began.as_millis()).unwrap_or_default();
    let mut seen = BTreeSet::new();
    loop {
        let mut body =
            json!({ "logGroupName": group, "logStreamNamePrefix": stream, "startTime": since });
        let mut last = since;
        loop {
            let answer = client.call(Aws::Logs, "FilterLogEvents", &body).await?;
            let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
            for event in events {
                let text = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
                last = last.max(event.get("timestamp").and_then(Value::as_u64).unwrap_or_default());
                // Those of the last moment are given again.
                if seen.insert(text("eventId").to_owned()) {
                    line(text("message").trim_end());
                }
            }
            match (answer.get("nextToken").filter(|it| !it.is_null()), body.as_object_mut()) {
                (Some(next), Some(body)) => body.insert("nextToken".to_owned(), next.clone()),
                _ => break,
            };
        }
        since = last;
        if !wanted.follow {
            return Ok(());
        }
        client.clock().sleep(PAUSE).await;
    }
}
