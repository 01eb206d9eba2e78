//! The calls of ECS and Logs that a release makes, each with what it asks for.

use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws};
use crate::observed::{Service, Task};
use crate::task_definition::Registration;

/// `DescribeTasks` takes so many at a time.
const TASKS: usize = 100;

/// A service of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its cluster, by name or ARN.
    pub cluster: String,
    /// Its name or ARN.
    pub service: String,
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|it| it.as_str().map(ToOwned::to_owned)).collect()
}

fn unreadable(operation: &str, reason: &str) -> AwsError {
    AwsError::Answer { operation: operation.to_owned(), reason: reason.to_owned() }
}

/// The service, if there is one.
pub async fn service(client: &Client, at: &Place) -> Result<Option<Service>, AwsError> {
    let body = json!({ "cluster": at.cluster, "services": [at.service] });
    let answer = client.call(Aws::Ecs, "DescribeServices", &body).await?;
    Ok(answer.pointer("/services/0").map(Service::read))
}

/// A task definition with its tags, by ARN, `family:revision` or family, as it can be registered.
pub async fn definition(client: &Client, name: &str) -> Result<(String, Registration), AwsError> {
    let (arn, read, _) = definition_and_status(client, name).await?;
    Ok((arn, read))
}

/// The same of one that a service can be given: one that was deregistered, as `CloudFormation` does with
/// its own when they are replaced, is registered again.
pub async fn usable(client: &Client, name: &str) -> Result<(String, Registration), AwsError> {
    let (arn, read, is_active) = definition_and_status(client, name).await?;
    let arn = if is_active { arn } else { register(client, &read).await? };
    Ok((arn, read))
}

async fn definition_and_status(
    client: &Client,
    name: &str,
) -> Result<(String, Registration, bool), AwsError> {
    let body = json!({ "taskDefinition": name, "include": ["TAGS"] });
    let answer = client.call(Aws::Ecs, "DescribeTaskDefinition", &body).await?;
    let arn = answer.pointer("/taskDefinition/taskDefinitionArn").and_then(Value::as_str);
    let read = Registration::of_described(&answer);
    let read =
        read.map_err(|error| unreadable("ecs:DescribeTaskDefinition", &error.to_string()))?;
    let status = answer.pointer("/taskDefinition/status").and_then(Value::as_str);
    Ok((arn.unwrap_or_default().to_owned(), read, status != Some("INACTIVE")))
}

/// Registers it, and gives the ARN of the revision. If nobody knows whether that was done, the last
/// revision is looked at first.
pub async fn register(client: &Client, wanted: &Registration) -> Result<String, AwsError> {
    let register = || client.call(Aws::Ecs, "RegisterTaskDefinition", wanted.json());
    let answer = match register().await {
        Err(AwsError::Ambiguous { .. }) => {
            let (arn, last) = definition(client, wanted.family()).await?;
            if last == *wanted {
                return Ok(arn);
            }
            register().await?
        }
        answer => answer?,
    };
    let arn = answer.pointer("/taskDefinition/taskDefinitionArn").and_then(Value::as_str);
    let arn =
        arn.ok_or_else(|| unreadable("ecs:RegisterTaskDefinition", "it names no revision"))?;
    Ok(arn.to_owned())
}

/// How a service is updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// A deployment begins even if nothing changes.
    pub force: bool,
    /// It gets a circuit breaker, if it has none.
    pub breaker: bool,
}

/// Lets a service run a revision, and gives the service as it is then. If nobody knows whether that
/// was done, the service is looked at first: two updates are two deployments (kayac/ecspresso#929).
pub async fn update(
    client: &Client,
    at: &Place,
    before: &Service,
    revision: &str,
    how: Update,
) -> Result<Service, AwsError> {
    let mut body =
        json!({ "cluster": at.cluster, "service": at.service, "taskDefinition": revision });
    if let Some(body) = body.as_object_mut() {
        if how.force {
            body.insert("forceNewDeployment".to_owned(), true.into());
        }
        if how.breaker && !before.circuit_breaker.enabled {
            // The others of it stay as they are (the orb's script forgets them).
            let mut configuration = before.configuration.clone();
            let breaker = json!({ "enable": true, "rollback": true });
            configuration.insert("deploymentCircuitBreaker".to_owned(), breaker);
            body.insert("deploymentConfiguration".to_owned(), configuration.into());
        }
    }
    let update = || client.call(Aws::Ecs, "UpdateService", &body);
    let answer = match update().await {
        Err(AwsError::Ambiguous { .. }) => {
            let now = service(client, at).await?;
            let old = before.primary().map(|it| it.id.as_str());
            let is_done = |it: &Service| {
                it.primary().is_some_and(|primary| {
                    primary.task_definition == revision && Some(primary.id.as_str()) != old
                })
            };
            if let Some(now) = now.filter(is_done) {
                return Ok(now);
            }
            update().await?
        }
        answer => answer?,
    };
    let service = answer.get("service").map(Service::read);
    service.ok_or_else(|| unreadable("ecs:UpdateService", "it describes no service"))
}

/// A revision that was deployed well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The ARN of the task definition.
    pub revision: String,
    /// The digest that a container had.
    pub digest: String,
}

/// What was deployed well, the last first. ECS remembers three months, and of what never had a task
/// no digest.
pub async fn deployed_well(
    client: &Client,
    at: &Place,
    container: &str,
) -> Result<Vec<Deployed>, AwsError> {
    let body = json!({ "cluster": at.cluster, "service": at.service, "status": ["SUCCESSFUL"] });
    let answer = client.call(Aws::Ecs, "ListServiceDeployments", &body).await?;
    let deployments = answer.get("serviceDeployments").and_then(Value::as_array);
    let mut deployments: Vec<&Value> = deployments.into_iter().flatten().collect();
    let at = |it: &Value| it.get("createdAt").and_then(Value::as_f64).unwrap_or_default();
    deployments.sort_by(|a, b| at(b).total_cmp(&at(a)));
    let text =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let targets = deployments.iter().filter_map(|it| text(it, "targetServiceRevisionArn"));
    // More are not described at a time.
    let targets: Vec<String> = targets.take(20).collect();
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({ "serviceRevisionArns": targets });
    let answer = client.call(Aws::Ecs, "DescribeServiceRevisions", &body).await?;
    let revisions = answer.get("serviceRevisions").and_then(Value::as_array);
    let revisions: Vec<&Value> = revisions.into_iter().flatten().collect();
    let of = |arn: &String| {
        let mut revisions = revisions.iter();
        let found = revisions.find(|it| text(it, "serviceRevisionArn").as_ref() == Some(arn))?;
        let (revision, digest) = (text(found, "taskDefinition")?, digest_of(found, container)?);
        Some(Deployed { revision, digest })
    };
    Ok(targets.iter().filter_map(of).collect())
}

/// What a service is brought back to: what was there before its image came first, since that it was
/// brought back to is no step forward. An image that was never deployed well has come just now.
pub fn before<'a>(history: &'a [Deployed], digest: &str) -> Option<&'a Deployed> {
    let first = history.iter().rposition(|it| it.digest == digest);
    history.get(first.map_or(0, |at| at + 1)..)?.first()
}

/// The ARNs of a service's tasks that run, or that stopped within the last hour.
pub async fn tasks(client: &Client, at: &Place, stopped: bool) -> Result<Vec<String>, AwsError> {
    let mut body = json!({
        "cluster": at.cluster, "serviceName": at.service,
        "desiredStatus": if stopped { "STOPPED" } else { "RUNNING" },
    });
    let mut all = Vec::new();
    loop {
        let answer = client.call(Aws::Ecs, "ListTasks", &body).await?;
        all.extend(strings(&answer, "taskArns"));
        match (answer.get("nextToken").filter(|it| !it.is_null()), body.as_object_mut()) {
            (Some(next), Some(body)) => body.insert("nextToken".to_owned(), next.clone()),
            _ => return Ok(all),
        };
    }
}

/// Tasks by their ARNs.
pub async fn described(
    client: &Client,
    at: &Place,
    arns: &[String],
) -> Result<Vec<Task>, AwsError> {
    let mut all = Vec::new();
    for arns in arns.chunks(TASKS) {
        let body = json!({ "cluster": at.cluster, "tasks": arns });
        let answer = client.call(Aws::Ecs, "DescribeTasks", &body).await?;
        let tasks = answer.get("tasks").and_then(Value::as_array);
        all.extend(tasks.into_iter().flatten().map(Task::read));
    }
    Ok(all)
}

/// The last lines that a container of a task wrote, if its definition sends them to `CloudWatch` and
/// they can be read.
pub async fn last_lines(
    client: &Client,
    definition: &Registration,
    task: &Task,
    most: u32,
) -> Vec<String> {
    let Some((group, stream)) = log_of(definition, None, &task.arn) else { return Vec::new() };
    let body = json!({
        "logGroupName": group, "logStreamName": stream, "limit": most, "startFromHead": false,
    });
    // Without them the rest of the story is told as well.
    let answer = client.call(Aws::Logs, "GetLogEvents", &body).await.unwrap_or_default();
    let events = answer.get("events").and_then(Value::as_array).into_iter().flatten();
    events.filter_map(|it| Some(it.get("message")?.as_str()?.trim_end().to_owned())).collect()
}

/// Why a deployment fails, beyond what the service and its tasks say: ECS's record of it, alarms, and
/// what the load balancer finds. What these credentials may not ask is left out.
pub async fn reasons(client: &Client, service: &Service, record: Option<&str>) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(record) = record {
        let body = json!({ "serviceDeploymentArns": [record] });
        let answer = client.call(Aws::Ecs, "DescribeServiceDeployments", &body).await;
        let answer = answer.unwrap_or_default();
        let said = |key: &str| answer.pointer(&format!("/serviceDeployments/0/{key}"));
        let names = said("alarms").map(|it| strings(it, "triggeredAlarmNames"));
        reasons.extend(names.into_iter().flatten().map(|name| format!("alarm {name} went off")));
        reasons.extend(said("statusReason").and_then(Value::as_str).map(ToOwned::to_owned));
    }
    for group in &service.target_groups {
        let body = json!({ "TargetGroupArn": group });
        let answer = client.call(Aws::Elb, "DescribeTargetHealth", &body).await;
        let answer = answer.unwrap_or_default();
        let targets = answer.get("TargetHealthDescriptions").and_then(Value::as_array);
        for target in targets.into_iter().flatten() {
            let text = |pointer: &str| target.pointer(pointer).and_then(Value::as_str);
            let text = |pointer: &str| text(pointer).unwrap_or_default();
            if text("/TargetHealth/State") == "unhealthy" {
                let [reason, description] =
                    ["Reason", "Description"].map(|it| text(&format!("/TargetHealth/{it}")));
                let (id, port) = (text("/Target/Id"), text("/Target/Port"));
                reasons.push(format!("{reason}: {description} ({id}:{port})"));
            }
        }
    }
    reasons
}

/// The digest that ECS resolved the image of a container to when it deployed a revision, where it says.
pub async fn resolved(
    client: &Client,
    service: &Service,
    revision: &str,
    container: &str,
) -> Result<Option<String>, AwsError> {
    if service.revisions.is_empty() {
        return Ok(None);
    }
    let body = json!({ "serviceRevisionArns": service.revisions });
    let answer = client.call(Aws::Ecs, "DescribeServiceRevisions", &body).await?;
    let revisions = answer.get("serviceRevisions").and_then(Value::as_array);
    let ours = |it: &&Value| it.get("taskDefinition").and_then(Value::as_str) == Some(revision);
    let ours = revisions.into_iter().flatten().find(ours);
    Ok(ours.and_then(|revision| digest_of(revision, container)))
}

/// What a service's revision says of the image of a container.
fn digest_of(revision: &Value, container: &str) -> Option<String> {
    let images = revision.get("containerImages")?.as_array()?;
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(ToOwned::to_owned);
    let named = |it: &&Value| text(it, "containerName").as_deref() == Some(container);
    let image = images.iter().find(named)?;
    let of_name = || Some(text(image, "image")?.split_once('@')?.1.to_owned());
    text(image, "imageDigest").or_else(of_name)
}

/// Stops a task.
pub async fn stop(client: &Client, at: &Place, task: &str, reason: &str) -> Result<(), AwsError> {
    let body = json!({ "cluster": at.cluster, "task": task, "reason": reason });
    client.call(Aws::Ecs, "StopTask", &body).await.map(|_| ())
}

/// The group and stream of `CloudWatch` that a container writes its log to, the first that does if
/// none is named; for a task.
pub(crate) fn log_of(
    definition: &Registration,
    container: Option<&str>,
    task: &str,
) -> Option<(String, String)> {
    let containers = definition.json().get("containerDefinitions").and_then(Value::as_array);
    containers.into_iter().flatten().find_map(|it| {
        let options = it.pointer("/logConfiguration/options")?;
        let option = |name: &str| options.get(name)?.as_str();
        let (group, prefix) = (option("awslogs-group")?, option("awslogs-stream-prefix")?);
        let name = it.get("name")?.as_str()?;
        // Without a task, what the streams of all begin with.
        let id = task.rsplit('/').next().unwrap_or_default();
        let wanted = container.is_none_or(|wanted| wanted == name);
        wanted.then(|| (group.to_owned(), format!("{prefix}/{name}/{id}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_goes_further_back_and_never_forward() {
        let history = |digests: &str| -> Vec<Deployed> {
            let of = |digest: char| Deployed {
                revision: digest.to_string(),
                digest: digest.to_string(),
            };
            digests.chars().map(of).collect()
        };
        let back = |digests: &str, now: &str| {
            before(&history(digests), now).map(|it| it.digest.clone()).unwrap_or_default()
        };
        assert_eq!(back("321", "3"), "2");
        // From 3 back to 2: the next way back leads to 1, and not to 3.
        assert_eq!(back("2321", "2"), "1");
        assert_eq!(back("121", "1"), "");
        // The same image in two revisions.
        assert_eq!(back("221", "2"), "1");
        // One that failed is not among them.
        assert_eq!(back("21", "3"), "2");
        assert_eq!(back("", "1"), "");
    }
}
