//! What AWS says of a service and its tasks at one moment. Pure: JSON → values.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Service {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: String,
    /// The ARN of the revision that it is to run.
    pub task_definition: String,
    /// Who deploys it: `ECS`, `CODE_DEPLOY` or `EXTERNAL`.
    pub controller: String,
    /// How many tasks it is to have.
    pub desired: u64,
    /// How many it has.
    pub running: u64,
    /// How many are being started.
    pub pending: u64,
    /// How many must run during a deployment, in percent of those that it is to have.
    pub minimum_percent: u64,
    /// How many may.
    pub maximum_percent: u64,
    /// Whether ECS ends a deployment that fails, and whether it goes back then.
    pub circuit_breaker: CircuitBreaker,
    /// How deployments go, as `UpdateService` takes it.
    #[serde(skip)]
    pub configuration: Map<String, Value>,
    /// The newest first.
    pub deployments: Vec<Deployment>,
    /// The newest first.
    pub events: Vec<Event>,
    /// The ARNs of the target groups that it is behind.
    pub target_groups: Vec<String>,
    /// The ARN of ECS's record of the deployment that goes on, where it keeps one.
    pub record: Option<String>,
    /// The ARNs of the service's own revisions that have tasks.
    pub revisions: Vec<String>,
    /// How its tasks are run, as `RunTask` takes it too: network, launch type, capacity providers.
    #[serde(skip)]
    pub runs_by: Map<String, Value>,
}

/// What `RunTask` and a service have in common.
const RUNS_BY: [&str; 4] =
    ["networkConfiguration", "launchType", "capacityProviderStrategy", "platformVersion"];

/// A service's circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CircuitBreaker {
    /// Whether there is one.
    pub enabled: bool,
    /// Whether it goes back.
    pub rollback: bool,
}

/// A deployment of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// Such as `ecs-svc/123`; tasks name it as who started them.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// The ARN of its revision.
    pub task_definition: String,
    /// Tasks that it is to have.
    pub desired: u64,
    /// Tasks that run.
    pub running: u64,
    /// Tasks that are being started.
    pub pending: u64,
    /// Tasks that did not start, or were ill.
    pub failed: u64,
    /// How far it is.
    pub rollout: Rollout,
    /// Why it is there.
    pub reason: String,
}

/// How far a deployment is (`rolloutState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rollout {
    /// All of it runs, and nothing else.
    Completed,
    /// It goes on.
    #[default]
    InProgress,
    /// It was given up.
    Failed,
}

impl fmt::Display for Rollout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "complete",
            Self::InProgress => "in progress",
            Self::Failed => "failed",
        })
    }
}

/// Something that happened to a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Its name.
    pub id: String,
    /// Seconds since 1970.
    pub at: f64,
    /// In ECS's words.
    pub message: String,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its revision.
    pub task_definition: String,
    /// The deployment of a service that started it, if one did.
    pub started_by: String,
    /// Such as `RUNNING` or `STOPPED`.
    pub status: String,
    /// Such as `TaskFailedToStart` or `EssentialContainerExited`.
    pub stop_code: String,
    /// In ECS's words.
    pub stopped_reason: String,
    /// What runs in it.
    pub containers: Vec<Container>,
}

/// A container of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The digest of the image that really runs.
    pub digest: String,
    /// By which it ended.
    pub exit_code: Option<i64>,
    /// In ECS's words.
    pub reason: String,
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

impl Service {
    /// From one of `DescribeServices`.
    pub fn read(value: &Value) -> Self {
        let breaker = |key: &str| {
            let pointer = format!("/deploymentConfiguration/deploymentCircuitBreaker/{key}");
            value.pointer(&pointer).and_then(Value::as_bool).unwrap_or_default()
        };
        let percent = |key: &str| {
            value.pointer(&format!("/deploymentConfiguration/{key}")).and_then(Value::as_u64)
        };
        let event = |it: &Value| Event {
            id: text(it, "id"),
            at: it.get("createdAt").and_then(Value::as_f64).unwrap_or_default(),
            message: text(it, "message"),
        };
        Self {
            arn: text(value, "serviceArn"),
            name: text(value, "serviceName"),
            status: text(value, "status"),
            task_definition: text(value, "taskDefinition"),
            controller: match value.pointer("/deploymentController/type").and_then(Value::as_str) {
                Some(controller) => controller.to_owned(),
                None => "ECS".to_owned(),
            },
            desired: number(value, "desiredCount"),
            running: number(value, "runningCount"),
            pending: number(value, "pendingCount"),
            minimum_percent: percent("minimumHealthyPercent").unwrap_or(100),
            maximum_percent: percent("maximumPercent").unwrap_or(200),
            circuit_breaker: CircuitBreaker {
                enabled: breaker("enable"),
                rollback: breaker("rollback"),
            },
            configuration: value
                .get("deploymentConfiguration")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
            deployments: list(value, "deployments")
                .map(|it| Deployment::read(it, list(value, "deployments").count() == 1))
                .collect(),
            events: list(value, "events").map(event).collect(),
            target_groups: list(value, "loadBalancers")
                .map(|it| text(it, "targetGroupArn"))
                .filter(|arn| !arn.is_empty())
                .collect(),
            record: value
                .get("currentServiceDeployment")
                .and_then(Value::as_str)
                .map(ToOwned::to_owned),
            revisions: list(value, "currentServiceRevisions").map(|it| text(it, "arn")).collect(),
            runs_by: RUNS_BY
                .iter()
                .filter_map(|key| Some(((*key).to_owned(), value.get(key)?.clone())))
                .collect(),
        }
    }

    /// The deployment that it is to have.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|it| it.status == "PRIMARY")
    }

    /// A deployment, if it is still known.
    pub fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|it| it.id == id)
    }

    /// The revision of the newest deployment that was completed, as far as it still has tasks or is the
    /// service's own.
    pub fn ran_well(&self) -> Option<&str> {
        let mut well = self.deployments.iter().filter(|it| it.rollout == Rollout::Completed);
        well.next().map(|it| it.task_definition.as_str())
    }

    /// Whether a deployment is under way.
    pub fn is_deploying(&self) -> bool {
        self.deployments.len() > 1
            || self.primary().is_some_and(|it| it.rollout == Rollout::InProgress)
    }
}

impl Deployment {
    fn read(value: &Value, is_alone: bool) -> Self {
        let all_run = number(value, "runningCount") >= number(value, "desiredCount");
        let rollout = match text(value, "rolloutState").as_str() {
            "COMPLETED" => Rollout::Completed,
            "FAILED" => Rollout::Failed,
            // Of services with one task on each instance, and those behind classic load balancers,
            // ECS says nothing.
            "" if is_alone && all_run => Rollout::Completed,
            _ => Rollout::InProgress,
        };
        Self {
            id: text(value, "id"),
            status: text(value, "status"),
            task_definition: text(value, "taskDefinition"),
            desired: number(value, "desiredCount"),
            running: number(value, "runningCount"),
            pending: number(value, "pendingCount"),
            failed: number(value, "failedTasks"),
            rollout,
            reason: text(value, "rolloutStateReason"),
        }
    }
}

impl Task {
    /// From one of `DescribeTasks`.
    pub fn read(value: &Value) -> Self {
        let container = |it: &Value| Container {
            name: text(it, "name"),
            digest: text(it, "imageDigest"),
            exit_code: it.get("exitCode").and_then(Value::as_i64),
            reason: text(it, "reason"),
        };
        Self {
            arn: text(value, "taskArn"),
            task_definition: text(value, "taskDefinitionArn"),
            started_by: text(value, "startedBy"),
            status: text(value, "lastStatus"),
            stop_code: text(value, "stopCode"),
            stopped_reason: text(value, "stoppedReason"),
            containers: list(value, "containers").map(container).collect(),
        }
    }

    /// Whether it ended because something is wrong with it: not because it was asked to, as when
    /// a service has too many or its machine goes.
    pub fn has_failed(&self) -> bool {
        match self.stop_code.as_str() {
            "TaskFailedToStart" | "EssentialContainerExited" => true,
            // A scheduler also ends what is ill.
            _ => {
                self.stopped_reason.contains("failed") || self.stopped_reason.contains("unhealthy")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn where_ecs_says_nothing_of_a_rollout_its_tasks_do() {
        let rollout = |deployments: Value| {
            let service = Service::read(&json!({ "deployments": deployments }));
            service.deployments.first().map(|it| it.rollout)
        };
        let of = |running: u64| json!({ "desiredCount": 2, "runningCount": running });
        assert_eq!(rollout(json!([of(2)])), Some(Rollout::Completed));
        assert_eq!(rollout(json!([of(1)])), Some(Rollout::InProgress));
        assert_eq!(rollout(json!([of(2), of(1)])), Some(Rollout::InProgress));
        let said = json!([{ "rolloutState": "FAILED", "desiredCount": 0, "runningCount": 0 }]);
        assert_eq!(rollout(said), Some(Rollout::Failed));
    }
}
