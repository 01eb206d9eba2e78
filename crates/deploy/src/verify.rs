//! Everything about a release that could be seen to fail beforehand, looked at without changing
//! anything, and told all at once.

use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws};
use crate::image::{Delivery, ImageError};
use crate::observed::Service;
use crate::release::{Planned, Target, look, planned};

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// What was found.
    #[serde(flatten)]
    pub found: Found,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "found", content = "why")]
pub enum Found {
    /// Nothing is wrong.
    Fine,
    /// A release would fail.
    Wrong(String),
    /// It can't be known: AWS does not let these credentials ask.
    Unknown(String),
}

fn check(what: impl Into<String>, found: Found) -> Check {
    Check { what: what.into(), found }
}

/// What an answer says of whether something is there.
fn there(answer: Result<Value, AwsError>, absent: impl FnOnce(&Value) -> Option<String>) -> Found {
    match answer {
        Ok(answer) => absent(&answer).map_or(Found::Fine, Found::Wrong),
        // What is not there is refused with a code of its own; all else may be so for other reasons.
        Err(error) if error.is_about_absence() => Found::Wrong(error.to_string()),
        Err(error) => Found::Unknown(error.to_string()),
    }
}

/// Looks at everything. What depends on something that is not there is left out.
pub async fn verify(client: &Client, target: &Target) -> Vec<Check> {
    let mut checks = Vec::new();
    let service = match look(client, target).await {
        Ok(service) => service,
        Err(error) => return vec![check("account and service", Found::Wrong(error.to_string()))],
    };
    checks.push(check(format!("service {}", service.name), Found::Fine));
    checks.push(check("no deployment is under way", under_way(&service)));
    let repository = target.repository.as_deref();
    let delivery = match Delivery::open(client, &target.image, repository).await {
        Ok(delivery) => delivery,
        Err(error) => {
            let denied = matches!(&error, ImageError::Aws(error) if error.is_denied());
            let found = if denied { Found::Unknown } else { Found::Wrong };
            checks.push(check("image", found(error.to_string())));
            return checks;
        }
    };
    let image = delivery.reference();
    checks.push(check(format!("image {image}"), Found::Fine));
    let planned = match planned(client, target, service, &image).await {
        Ok(planned) => planned,
        Err(error) => {
            checks.push(check("task definition", Found::Wrong(error.to_string())));
            return checks;
        }
    };
    checks.push(check("task definition can be changed so", Found::Fine));
    checks.extend(of_planned(client, target, &planned, &delivery).await);
    checks
}

/// Looks at what a planned revision needs.
pub(crate) async fn of_planned(
    client: &Client,
    target: &Target,
    planned: &Planned,
    delivery: &Delivery,
) -> Vec<Check> {
    let (service, wanted) = (&planned.service, planned.wanted.json());
    let mut checks = vec![check("tasks can be exchanged", exchange(service, wanted))];
    if let Some(repository) = &target.repository {
        let body = json!({ "repositoryNames": [repository] });
        let answer = client.call(Aws::Ecr, "DescribeRepositories", &body).await;
        checks.push(check(format!("repository {repository}"), there(answer, |_| None)));
    }
    if let Some(own) = delivery.architectures() {
        checks.push(check("the image is for its processor", processor(service, wanted, &own)));
    }
    for (name, from) in secrets(wanted) {
        checks.push(check(format!("secret {name}"), secret(client, &from).await));
    }
    for group in log_groups(wanted) {
        let body = json!({ "logGroupNamePrefix": group });
        let answer = client.call(Aws::Logs, "DescribeLogGroups", &body).await;
        let is_there = |answer: &Value| {
            let groups = answer.get("logGroups").and_then(Value::as_array).into_iter().flatten();
            let mut names = groups.filter_map(|it| it.get("logGroupName")?.as_str());
            let absent = !names.any(|name| name == group);
            absent.then(|| format!("there is no log group {group}"))
        };
        checks.push(check(format!("log group {group}"), there(answer, is_there)));
    }
    if !service.target_groups.is_empty() {
        let body = json!({ "TargetGroupArns": service.target_groups });
        let answer = client.call(Aws::Elb, "DescribeTargetGroups", &body).await;
        checks.push(check("target group", there(answer, |answer| target_type(answer, wanted))));
    }
    checks
}

fn under_way(service: &Service) -> Found {
    let primary = service.primary().map(|it| it.task_definition.as_str()).unwrap_or_default();
    if service.is_deploying() {
        Found::Wrong(format!("one of {} is", crate::release::short(primary)))
    } else {
        Found::Fine
    }
}

/// Whether the image runs where tasks do (`runtimePlatform`; without one it is `X86_64` on Fargate, and
/// what the machines are elsewhere).
fn processor(service: &Service, definition: &Value, own: &[String]) -> Found {
    let said = definition.pointer("/runtimePlatform/cpuArchitecture").and_then(Value::as_str);
    let is_fargate = service.runs_by.get("launchType").and_then(Value::as_str) == Some("FARGATE");
    let said = match said {
        None if !is_fargate => return Found::Fine,
        said => said.unwrap_or("X86_64"),
    };
    let wanted = match said {
        "ARM64" => "arm64",
        _ => "amd64",
    };
    if own.iter().any(|it| it == wanted) {
        Found::Fine
    } else {
        let own = own.join(", ");
        Found::Wrong(format!("the image is for {own}, and tasks run on {wanted}"))
    }
}

/// Whether ECS may start a new task or end an old one (ECS, "Service deployment parameters"): with as
/// many at least as at most, or with a port of the machine that only one task can have.
fn exchange(service: &Service, definition: &Value) -> Found {
    let desired = service.desired;
    let least = (desired * service.minimum_percent).div_ceil(100);
    let most = desired * service.maximum_percent / 100;
    let (minimum, maximum) = (service.minimum_percent, service.maximum_percent);
    if desired > 0 && least >= most {
        return Found::Wrong(format!(
            "of {desired} tasks, at least {least} must run and at most {most} may ({minimum}/{maximum} %)"
        ));
    }
    let on_instances = definition.get("networkMode").and_then(Value::as_str) != Some("awsvpc");
    let containers = definition.get("containerDefinitions").and_then(Value::as_array);
    let ports =
        containers.into_iter().flatten().filter_map(|it| it.get("portMappings")?.as_array());
    let mut fixed =
        ports.flatten().filter_map(|it| it.get("hostPort")?.as_u64()).filter(|it| *it > 0);
    match fixed.next().filter(|_| on_instances && least >= desired && desired > 0) {
        Some(port) => Found::Unknown(format!(
            "each task needs port {port} of its machine, and none may end before its successor runs \
             ({minimum} %): that needs a machine more than tasks, or host port 0"
        )),
        None => Found::Fine,
    }
}

/// Names and `valueFrom` of all secrets.
fn secrets(definition: &Value) -> Vec<(String, String)> {
    let containers = definition.get("containerDefinitions").and_then(Value::as_array);
    let secrets = containers.into_iter().flatten().filter_map(|it| it.get("secrets")?.as_array());
    let text = |it: &Value, key: &str| Some(it.get(key)?.as_str()?.to_owned());
    secrets.flatten().filter_map(|it| Some((text(it, "name")?, text(it, "valueFrom")?))).collect()
}

/// Whether a secret or parameter is there. Its value is not asked for.
async fn secret(client: &Client, from: &str) -> Found {
    if let Some(secret) = from.split_once(":secretsmanager:").map(|_| of_secret(from)) {
        let body = json!({ "SecretId": secret });
        return there(client.call(Aws::SecretsManager, "DescribeSecret", &body).await, |_| None);
    }
    let parts: Vec<&str> = from.splitn(6, ':').collect();
    let (region, name) = match *parts.as_slice() {
        ["arn", _, "ssm", region, _, name] => (region, name.trim_start_matches("parameter")),
        _ => (client.region(), from),
    };
    if region != client.region() {
        return Found::Unknown(format!("it is of {region}, and only {} is asked", client.region()));
    }
    // In an ARN, names with and without a slash before them look alike.
    let names: Vec<&str> = match name.strip_prefix('/') {
        Some(rest) if !rest.contains('/') && from.starts_with("arn:") => vec![name, rest],
        _ => vec![name],
    };
    let filter = json!([{ "Key": "Name", "Option": "Equals", "Values": names }]);
    let mut body = json!({ "ParameterFilters": filter });
    loop {
        let answer = client.call(Aws::Ssm, "DescribeParameters", &body).await;
        let found = answer.as_ref().ok().and_then(|it| it.get("Parameters")?.as_array());
        let is_empty = found.is_some_and(Vec::is_empty);
        // A page may be empty, and another one follow.
        let next = answer.as_ref().ok().and_then(|it| it.get("NextToken")).cloned();
        let Some(next) = next.filter(|it| is_empty && !it.is_null()) else {
            let absent = |_: &Value| is_empty.then(|| format!("there is no parameter {name}"));
            return there(answer, absent);
        };
        if let Some(body) = body.as_object_mut() {
            body.insert("NextToken".to_owned(), next);
        }
    }
}

/// The ARN without what ECS puts behind it: `…:secret:NAME:json-key:version-stage:version-id`.
fn of_secret(from: &str) -> String {
    from.split(':').take(7).collect::<Vec<_>>().join(":")
}

fn log_groups(definition: &Value) -> Vec<String> {
    let containers = definition.get("containerDefinitions").and_then(Value::as_array);
    let options =
        containers.into_iter().flatten().filter_map(|it| it.pointer("/logConfiguration/options"));
    let made = |it: &&Value| it.get("awslogs-create-group").and_then(Value::as_str) != Some("true");
    let groups = options.filter(made).filter_map(|it| it.get("awslogs-group")?.as_str());
    let mut groups: Vec<String> = groups.map(ToOwned::to_owned).collect();
    groups.sort();
    groups.dedup();
    groups
}

/// With addresses of their own, tasks are targets by address; else their machines are.
fn target_type(answer: &Value, definition: &Value) -> Option<String> {
    let own = definition.get("networkMode").and_then(Value::as_str) == Some("awsvpc");
    let wanted = if own { "ip" } else { "instance" };
    let found = answer.pointer("/TargetGroups/0/TargetType").and_then(Value::as_str)?;
    (found != wanted).then(|| {
        format!(
            "its targets are of type {found}, and the task definition's network mode needs {wanted}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(desired: u64, minimum_percent: u64, maximum_percent: u64) -> Service {
        Service { desired, minimum_percent, maximum_percent, ..Service::default() }
    }

    #[test]
    fn tasks_that_can_not_be_exchanged_are_found() {
        let fargate = json!({ "networkMode": "awsvpc" });
        let is_fine =
            |service: Service, definition: &Value| exchange(&service, definition) == Found::Fine;
        assert!(is_fine(service(1, 100, 200), &fargate));
        assert!(is_fine(service(1, 0, 100), &fargate));
        assert!(is_fine(service(0, 100, 100), &fargate));
        assert!(!is_fine(service(2, 100, 100), &fargate));
        // A half of one task is one, and one and a half are one.
        assert!(!is_fine(service(1, 50, 150), &fargate));
        let port = |port: u64| {
            json!({ "networkMode": "bridge", "containerDefinitions": [
                { "portMappings": [{ "containerPort": 8000, "hostPort": port }] },
            ]})
        };
        assert!(is_fine(service(2, 100, 200), &port(0)));
        assert!(matches!(exchange(&service(2, 100, 200), &port(8000)), Found::Unknown(_)));
        assert!(is_fine(service(2, 50, 200), &port(8000)));
    }

    #[test]
    fn the_image_is_for_the_processor_of_its_tasks() {
        let arm = json!({ "runtimePlatform": { "cpuArchitecture": "ARM64" } });
        let own = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let on_machines = Service::default();
        let mut on_fargate = Service::default();
        on_fargate.runs_by.insert("launchType".to_owned(), "FARGATE".into());
        assert_eq!(processor(&on_fargate, &arm, &own(&["amd64", "arm64"])), Found::Fine);
        assert_eq!(processor(&on_fargate, &json!({}), &own(&["amd64"])), Found::Fine);
        assert!(matches!(processor(&on_fargate, &json!({}), &own(&["arm64"])), Found::Wrong(_)));
        assert_eq!(processor(&on_machines, &json!({}), &own(&["arm64"])), Found::Fine);
        let wrong = "the image is for amd64, and tasks run on arm64".to_owned();
        assert_eq!(processor(&on_machines, &arm, &own(&["amd64"])), Found::Wrong(wrong));
    }

    #[test]
    fn a_secret_is_asked_for_without_the_key_in_it() {
        let arn = "arn:aws:secretsmanager:eu-central-1:1:secret:db-AbCdEf";
        assert_eq!(of_secret(&format!("{arn}:password::")), arn);
        assert_eq!(of_secret(arn), arn);
        let definition = json!({ "containerDefinitions": [
            { "secrets": [{ "name": "S", "valueFrom": arn }] },
            { "logConfiguration": { "options": { "awslogs-group": "g" } } },
            { "logConfiguration": { "options": { "awslogs-group": "h", "awslogs-create-group": "true" } } },
        ]});
        assert_eq!(secrets(&definition), [("S".to_owned(), arn.to_owned())]);
        assert_eq!(log_groups(&definition), ["g"]);
    }

    #[test]
    fn targets_are_of_the_kind_that_tasks_are() {
        let answer = json!({ "TargetGroups": [{ "TargetType": "instance" }] });
        assert_eq!(target_type(&answer, &json!({ "networkMode": "bridge" })), None);
        assert!(
            target_type(&answer, &json!({ "networkMode": "awsvpc" })).unwrap().contains("needs ip")
        );
    }
}
