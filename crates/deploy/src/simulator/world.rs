//! A service of ECS in a world of its own, in which time passes when it is told to. Pure.
//!
//! It knows what a release can run into: tasks that start, fail, drain; the circuit breaker and its way
//! back; alarms; others who deploy at the same time.

use serde_json::{Value, json};

/// The account of the world.
pub const ACCOUNT: &str = "123456789012";
/// Its region.
pub const REGION: &str = "eu-central-1";
/// The target group of a service behind a load balancer.
const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/graphbook/0123456789abcdef";
/// How long a task is being started, in seconds.
const STARTS: u64 = 5;
/// After so many failures a circuit breaker opens, for services with few tasks (ECS, "How the
/// deployment circuit breaker detects failures").
const BREAKER: u64 = 3;
/// Seconds that have passed when somebody looks first.
const BEGINNING: u64 = 1000;
/// How often ECS repeats what it can't do, in seconds.
const REPEATS: u64 = 60;

/// What becomes of the tasks of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are healthy so many seconds after they run.
    Fine(u64),
    /// They stop so many seconds after they run.
    Stop(u64, Stop),
    /// They are never placed, and ECS says this.
    Nowhere(&'static str),
}

/// How a task stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// `stopCode`.
    pub code: &'static str,
    /// `stoppedReason`.
    pub reason: &'static str,
    /// Of its container.
    pub exit_code: Option<i64>,
    /// What is said of its container.
    pub container: &'static str,
    /// What the service says of it.
    pub event: &'static str,
}

/// What is told to a service at a moment of its deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// An alarm goes off.
    Alarm,
    /// Somebody else deploys another revision.
    Another,
}

/// How the world is at its beginning.
#[derive(Clone, Debug)]
pub struct Start {
    /// `ACTIVE`, `DRAINING`, `INACTIVE`; none for no service.
    pub status: Option<&'static str>,
    /// How many tasks it is to have.
    pub desired: u64,
    /// Whether there is a circuit breaker, and whether it goes back.
    pub breaker: Option<bool>,
    /// What becomes of the revisions that are there, and whether the service runs the last of them.
    pub revisions: Vec<Fate>,
    /// Whether the last deployment was completed.
    pub completed: bool,
    /// What becomes of revisions that are registered.
    pub new: Fate,
    /// How long old tasks take to go, in seconds.
    pub drains: u64,
    /// What happens so many seconds after a deployment has begun.
    pub incident: Option<(u64, Incident)>,
    /// How a one-off task ends.
    pub task_exit_code: i64,
    /// Whether one-off tasks find no place.
    pub task_waits: bool,
    /// Whether tasks run another image than their revision names.
    pub other_image: bool,
    /// Whether ECS resolves revisions to another image than they name.
    pub other_resolved: bool,
    /// Whether it is behind a load balancer.
    pub balanced: bool,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            status: Some("ACTIVE"),
            desired: 2,
            breaker: Some(true),
            revisions: vec![Fate::Fine(5)],
            completed: true,
            new: Fate::Fine(10),
            drains: 20,
            incident: None,
            task_exit_code: 0,
            task_waits: false,
            other_image: false,
            other_resolved: false,
            balanced: false,
        }
    }
}

/// A deployment.
#[derive(Clone, Debug)]
struct Deployment {
    id: String,
    primary: bool,
    revision: usize,
    rollout: &'static str,
    reason: String,
    failed: u64,
    began: u64,
}

/// A task.
#[derive(Clone, Debug)]
struct Task {
    number: u64,
    by: String,
    revision: usize,
    began: u64,
    ends: Option<(u64, Stop)>,
    ended: bool,
}

/// The world.
#[derive(Clone, Debug)]
pub struct World {
    start: Start,
    now: u64,
    number: u64,
    /// As they were registered.
    definitions: Vec<Value>,
    fates: Vec<Fate>,
    deployments: Vec<Deployment>,
    /// Those that were given up, which the service forgets.
    given_up: Vec<Deployment>,
    tasks: Vec<Task>,
    events: Vec<(u64, u64, String)>,
    /// The revisions that were deployed well, the last first.
    history: Vec<usize>,
}

const SCALED: Stop = Stop {
    code: "ServiceSchedulerInitiated",
    reason: "Scaling activity initiated by the deployment",
    exit_code: Some(0),
    container: "",
    event: "",
};

fn arn(what: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:{what}")
}

impl World {
    /// As it begins: the service runs its last revision.
    pub fn new(start: Start) -> Self {
        let mut world = Self {
            now: 0,
            number: 0,
            definitions: Vec::new(),
            fates: Vec::new(),
            deployments: Vec::new(),
            given_up: Vec::new(),
            tasks: Vec::new(),
            events: Vec::new(),
            history: Vec::new(),
            start,
        };
        for (index, fate) in world.start.revisions.clone().into_iter().enumerate() {
            let digest = format!("sha256:{:064x}", index + 1);
            world.register(&json!({
                "family": "graphbook",
                "networkMode": "awsvpc",
                "inventedMember": { "kept": true },
                "executionRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/execution"),
                "containerDefinitions": [{
                    "name": "app",
                    "image": format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/graphbook@{digest}"),
                    "environment": [{ "name": "GRAPHBOOK_ENV", "value": "production" }],
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": {
                            "awslogs-group": "graphbook", "awslogs-stream-prefix": "app",
                            "awslogs-region": REGION,
                        },
                    },
                }],
            }));
            world.fates.pop();
            world.fates.push(fate);
        }
        let last = world.definitions.len().saturating_sub(1);
        world.deploy(last, "");
        if world.start.completed {
            for deployment in &mut world.deployments {
                deployment.rollout = "COMPLETED";
            }
            for _ in 0..world.start.desired {
                world.run(last, "", 0);
            }
            let id = world.deployments.first().map(|it| it.id.clone()).unwrap_or_default();
            for task in &mut world.tasks {
                task.by.clone_from(&id);
            }
        }
        if world.start.completed {
            world.now = BEGINNING;
            let well = |index: &usize| matches!(world.fates.get(*index), Some(Fate::Fine(_)));
            world.history = (0..world.fates.len()).rev().filter(well).collect();
        }
        // Else it goes on until somebody looks.
        world.advance(0);
        world
    }

    /// Lets time pass until then, in seconds.
    pub fn advance(&mut self, to: u64) {
        while self.now < BEGINNING + to {
            self.now += 1;
            self.tick();
        }
    }

    /// Registers a definition, and gives its ARN.
    pub fn register(&mut self, definition: &Value) -> String {
        self.definitions.push(definition.clone());
        self.fates.push(self.start.new);
        self.definition_arn(self.definitions.len() - 1)
    }

    fn definition_arn(&self, index: usize) -> String {
        let family = self.definitions.get(index).and_then(|it| it.get("family"));
        let family = family.and_then(Value::as_str).unwrap_or_default();
        arn(&format!("task-definition/{family}:{}", index + 1))
    }

    /// The definition of an ARN, of `family:revision`, or the last of a family.
    fn find(&self, name: &str) -> Option<usize> {
        let known = |index: &usize| {
            let arn = self.definition_arn(*index);
            arn == name || arn.ends_with(&format!("/{name}")) || arn.contains(&format!("/{name}:"))
        };
        (0..self.definitions.len()).rev().find(known)
    }

    /// As `DescribeTaskDefinition` answers.
    pub fn definition(&self, name: &str) -> Option<Value> {
        let index = self.find(name)?;
        let mut definition = self.definitions.get(index)?.clone();
        let tags = definition.as_object_mut()?.remove("tags").unwrap_or_else(|| json!([]));
        for (key, value) in [
            ("taskDefinitionArn", json!(self.definition_arn(index))),
            ("revision", json!(index + 1)),
            ("status", json!("ACTIVE")),
            ("registeredAt", json!(1_800_000_000.25)),
            ("requiresAttributes", json!([])),
            ("compatibilities", json!(["EC2", "FARGATE"])),
        ] {
            definition.as_object_mut()?.insert(key.to_owned(), value);
        }
        Some(json!({ "taskDefinition": definition, "tags": tags }))
    }

    /// Updates the service; a new deployment begins unless nothing changes and nobody insists.
    pub fn update(&mut self, definition: Option<&str>, force: bool) -> Option<()> {
        let current = self.deployments.iter().find(|it| it.primary)?.revision;
        let wanted = match definition {
            Some(name) => self.find(name)?,
            None => current,
        };
        if wanted != current || force {
            self.deploy(wanted, "");
        }
        Some(())
    }

    /// Gives the service a circuit breaker.
    pub fn set_breaker(&mut self, rollback: bool) {
        self.start.breaker = Some(rollback);
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn deploy(&mut self, revision: usize, reason: &str) {
        for deployment in &mut self.deployments {
            deployment.primary = false;
        }
        let id = format!("ecs-svc/{:019}", self.next());
        self.deployments.insert(
            0,
            Deployment {
                id,
                primary: true,
                revision,
                rollout: "IN_PROGRESS",
                reason: reason.to_owned(),
                failed: 0,
                began: self.now,
            },
        );
    }

    fn run(&mut self, revision: usize, by: &str, after: u64) {
        let fate = self.fates.get(revision).copied().unwrap_or(Fate::Fine(0));
        let ends = match fate {
            Fate::Stop(seconds, stop) => Some((self.now + after + seconds, stop)),
            Fate::Fine(_) | Fate::Nowhere(_) => None,
        };
        let (number, began) = (self.next(), self.now);
        self.tasks.push(Task { number, by: by.to_owned(), revision, began, ends, ended: false });
    }

    /// Starts a one-off task, and gives it.
    pub fn run_task(&mut self, definition: &str) -> Option<Value> {
        let revision = self.find(definition)?;
        let stop = Stop {
            code: "EssentialContainerExited",
            reason: "Essential container in task exited",
            exit_code: Some(self.start.task_exit_code),
            container: "",
            event: "",
        };
        let (number, began) = (self.next(), self.now);
        let ends = Some((self.now + 2 * STARTS, stop)).filter(|_| !self.start.task_waits);
        let began = if self.start.task_waits { u64::MAX / 2 } else { began };
        let task = Task { number, by: "deploy".to_owned(), revision, began, ends, ended: false };
        let shown = self.task(&task);
        self.tasks.push(task);
        Some(shown)
    }

    fn say(&mut self, message: &str) {
        let number = self.next();
        self.events.insert(0, (number, self.now, format!("(service graphbook) {message}")));
    }

    fn is_healthy(&self, task: &Task) -> bool {
        match self.fates.get(task.revision) {
            Some(Fate::Fine(seconds)) => self.now >= task.began + STARTS + seconds,
            _ => false,
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        let mut fell = Vec::new();
        for task in self.tasks.iter_mut().filter(|task| !task.ended) {
            if let Some((_, stop)) = task.ends.filter(|(at, _)| *at <= now) {
                task.ended = true;
                fell.push((task.by.clone(), stop));
            }
        }
        for (by, stop) in fell.into_iter().filter(|(_, stop)| *stop != SCALED) {
            if let Some(deployment) = self.deployments.iter_mut().find(|it| it.id == by) {
                deployment.failed += 1;
            }
            if !stop.event.is_empty() {
                self.say(stop.event);
            }
        }
        let Some(primary) = self.deployments.iter().find(|it| it.primary).cloned() else { return };
        if primary.rollout == "IN_PROGRESS" {
            self.go_on(&primary);
        }
        let began = self.start.incident.filter(|_| primary.revision + 1 == self.definitions.len());
        if let Some((_, incident)) = began.filter(|(after, _)| now == primary.began + after) {
            match incident {
                Incident::Another => self.deploy(0, ""),
                Incident::Alarm => {
                    self.go_back(&primary, "ECS deployment rolled back: alarm graphbook-5xx");
                }
            }
        }
    }

    /// What ECS does for a deployment in a second.
    fn go_on(&mut self, primary: &Deployment) {
        let now = self.now;
        let of_primary = |task: &&Task| task.by == primary.id && !task.ended;
        let live = self.tasks.iter().filter(of_primary).count() as u64;
        let healthy = self.tasks.iter().filter(of_primary).filter(|it| self.is_healthy(it)).count();
        match self.fates.get(primary.revision).copied() {
            Some(Fate::Nowhere(event)) if (now - primary.began) % REPEATS == 1 => self.say(event),
            Some(Fate::Nowhere(_)) => {}
            _ => {
                for _ in live..self.start.desired {
                    self.run(primary.revision, &primary.id, STARTS);
                }
            }
        }
        if primary.failed >= BREAKER && self.start.breaker.is_some() {
            return self.go_back(primary, "ECS deployment circuit breaker: tasks failed to start.");
        }
        if (healthy as u64) < self.start.desired {
            return;
        }
        let drains = now + self.start.drains;
        let is_old = |task: &&mut Task| {
            !task.ended && task.by != primary.id && task.by.starts_with("ecs-svc/")
        };
        let mut old = 0;
        for task in self.tasks.iter_mut().filter(is_old) {
            old += 1;
            if task.ends.is_none() {
                task.ends = Some((drains, SCALED));
            }
        }
        if old == 0 {
            self.history.insert(0, primary.revision);
            self.deployments.retain(|it| it.primary);
            for deployment in &mut self.deployments {
                deployment.rollout = "COMPLETED";
                deployment.reason = format!("ECS deployment {} completed.", deployment.id);
            }
            self.say("has reached a steady state.");
        }
    }

    /// Gives a deployment up, and goes back to the one before if there is one and the service wants it.
    fn go_back(&mut self, failed: &Deployment, reason: &str) {
        let before = self.deployments.iter().find(|it| it.rollout == "COMPLETED").cloned();
        for deployment in self.deployments.iter_mut().filter(|it| it.id == failed.id) {
            deployment.rollout = "FAILED";
            reason.clone_into(&mut deployment.reason);
            self.given_up.push(deployment.clone());
        }
        let why = if reason.contains("alarm") { "alarm detected" } else { "tasks failed to start" };
        self.say(&format!("(deployment {}) deployment failed: {why}.", failed.id));
        let before = before.filter(|_| self.start.breaker != Some(false));
        let Some(before) = before else { return };
        let reason = format!("{reason} rolling back to deploymentId {}.", before.id);
        self.say(&format!("rolling back to (deployment {}).", before.id));
        self.deploy(before.revision, &reason);
        let back = self.deployments.first().map(|it| it.id.clone()).unwrap_or_default();
        for task in self.tasks.iter_mut().filter(|task| !task.ended) {
            if task.by == before.id {
                task.by.clone_from(&back);
                task.ends = None;
            } else if task.by == failed.id {
                task.ends = Some((self.now + 1, SCALED));
            }
        }
    }

    /// As `DescribeServices` has it.
    pub fn service(&self) -> Option<Value> {
        let status = self.start.status?;
        let count = |of: &Deployment, runs: bool| {
            let of_it = self.tasks.iter().filter(|task| task.by == of.id && !task.ended);
            of_it.filter(|task| (self.now >= task.began + STARTS) == runs).count()
        };
        let deployments: Vec<Value> = self
            .deployments
            .iter()
            .map(|it| {
                json!({
                    "id": it.id,
                    "status": if it.primary { "PRIMARY" } else { "ACTIVE" },
                    "taskDefinition": self.definition_arn(it.revision),
                    "desiredCount": if it.primary { self.start.desired } else { 0 },
                    "runningCount": count(it, true),
                    "pendingCount": count(it, false),
                    "failedTasks": it.failed,
                    "rolloutState": it.rollout,
                    "rolloutStateReason": it.reason,
                })
            })
            .collect();
        let all = |runs| self.deployments.iter().map(|it| count(it, runs)).sum::<usize>();
        let events: Vec<Value> = self
            .events
            .iter()
            .take(100)
            .map(|(id, at, message)| json!({ "id": id.to_string(), "createdAt": *at, "message": message }))
            .collect();
        let primary = self.deployments.iter().find(|it| it.primary);
        let revision = primary.map(|it| json!({ "arn": Self::revision_arn(it.revision) }));
        let record = primary.filter(|it| it.rollout != "COMPLETED").map(Self::record_arn);
        let group = json!([{ "targetGroupArn": TARGET_GROUP, "containerName": "app", "containerPort": 8000 }]);
        let breaker = self.start.breaker;
        Some(json!({
            "serviceArn": arn("service/main/graphbook"),
            "serviceName": "graphbook",
            "clusterArn": arn("cluster/main"),
            "status": status,
            "desiredCount": self.start.desired,
            "runningCount": all(true),
            "pendingCount": all(false),
            "taskDefinition": primary.map(|it| self.definition_arn(it.revision)),
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": { "enable": breaker.is_some(), "rollback": breaker == Some(true) },
                "minimumHealthyPercent": 100, "maximumPercent": 200,
            },
            "deployments": deployments,
            "events": events,
            "currentServiceDeployment": record,
            "currentServiceRevisions": revision.into_iter().collect::<Vec<_>>(),
            "loadBalancers": if self.start.balanced { group } else { json!([]) },
        }))
    }

    /// Stops a task now.
    pub fn stop(&mut self, wanted: &str) {
        let now = self.now;
        for task in self.tasks.iter_mut().filter(|task| Self::task_arn(task) == wanted) {
            task.ends = Some((now, SCALED));
            task.ended = true;
        }
    }

    /// The ARNs of the service's tasks, or of those that somebody started.
    pub fn list(&self, started_by: Option<&str>, stopped: bool) -> Vec<String> {
        let wanted = |task: &&Task| {
            task.ended == stopped
                && started_by.map_or(task.by.starts_with("ecs-svc/"), |by| task.by == by)
        };
        self.tasks.iter().filter(wanted).map(Self::task_arn).collect()
    }

    fn task_arn(task: &Task) -> String {
        arn(&format!("task/main/{:032x}", task.number))
    }

    /// As `DescribeTasks` has it.
    pub fn described(&self, wanted: &str) -> Option<Value> {
        let task = self.tasks.iter().find(|task| Self::task_arn(task) == wanted)?;
        Some(self.task(task))
    }

    fn task(&self, task: &Task) -> Value {
        let definition = self.definitions.get(task.revision);
        let containers = definition.and_then(|it| it.get("containerDefinitions")?.as_array());
        let stop = task.ends.filter(|_| task.ended).map(|(_, stop)| stop);
        let containers: Vec<Value> = containers
            .into_iter()
            .flatten()
            .map(|it| {
                let image = it.get("image").and_then(Value::as_str).unwrap_or_default();
                let digest = image.split_once('@').map(|(_, digest)| digest);
                let digest = digest.filter(|_| !self.start.other_image);
                let digest = digest.unwrap_or("sha256:another");
                json!({
                    "name": it.get("name"),
                    "image": image,
                    "imageDigest": digest,
                    "exitCode": stop.and_then(|stop| stop.exit_code),
                    "reason": stop.map(|stop| stop.container).filter(|it| !it.is_empty()),
                })
            })
            .collect();
        let status = match stop {
            Some(_) => "STOPPED",
            None if self.now >= task.began + STARTS => "RUNNING",
            None => "PENDING",
        };
        json!({
            "taskArn": Self::task_arn(task),
            "clusterArn": arn("cluster/main"),
            "taskDefinitionArn": self.definition_arn(task.revision),
            "startedBy": task.by,
            "lastStatus": status,
            "stopCode": stop.map(|stop| stop.code),
            "stoppedReason": stop.map(|stop| stop.reason),
            "containers": containers,
        })
    }

    /// As `ListServiceDeployments` has those that were successful.
    pub fn deployed_well(&self) -> Vec<Value> {
        let count = self.history.len();
        let of = |(at, index): (usize, &usize)| {
            json!({
                "status": "SUCCESSFUL", "createdAt": (count - at) as f64,
                "targetServiceRevisionArn": Self::revision_arn(*index),
            })
        };
        // In no order, as AWS promises none.
        self.history.iter().enumerate().map(of).rev().collect()
    }

    fn revision_arn(index: usize) -> String {
        arn(&format!("service-revision/main/graphbook/{index}"))
    }

    fn record_arn(deployment: &Deployment) -> String {
        arn(&format!("service-deployment/main/graphbook/{}", deployment.id.replace('/', "-")))
    }

    /// As `DescribeServiceRevisions` has it.
    pub fn service_revision(&self, wanted: &str) -> Option<Value> {
        let index: usize = wanted.rsplit('/').next()?.parse().ok()?;
        let containers = self.definitions.get(index)?.get("containerDefinitions")?.as_array()?;
        let image = |it: &Value| {
            let image = it.get("image").and_then(Value::as_str).unwrap_or_default();
            let digest = image.split_once('@').map(|(_, digest)| digest);
            let digest = digest.filter(|_| !self.start.other_resolved);
            let digest = digest.unwrap_or("sha256:another");
            json!({ "containerName": it.get("name"), "image": image, "imageDigest": digest })
        };
        let images: Vec<Value> = containers.iter().map(image).collect();
        Some(json!({
            "serviceRevisionArn": wanted, "taskDefinition": self.definition_arn(index),
            "containerImages": images,
        }))
    }

    /// As `DescribeServiceDeployments` has it.
    pub fn service_deployment(&self, wanted: &str) -> Option<Value> {
        let mut all = self.given_up.iter().chain(&self.deployments);
        let found = all.find(|it| Self::record_arn(it) == wanted)?;
        let is_alarm = found.reason.contains("alarm");
        let alarms: &[&str] = if is_alarm { &["graphbook-5xx"] } else { &[] };
        Some(json!({
            "serviceDeploymentArn": wanted,
            "status": if found.rollout == "FAILED" { "ROLLBACK_IN_PROGRESS" } else { "IN_PROGRESS" },
            "statusReason": found.reason,
            "alarms": { "status": "MONITORING", "triggeredAlarmNames": alarms },
        }))
    }

    /// As `DescribeTargetHealth` has it.
    pub fn target_health(&self) -> Vec<Value> {
        let live = self.tasks.iter().filter(|task| !task.ended);
        let of = |task: &Task| {
            let health = if self.is_healthy(task) {
                json!({ "State": "healthy" })
            } else {
                json!({
                    "State": "unhealthy", "Reason": "Target.ResponseCodeMismatch",
                    "Description": "Health checks failed with these codes: [502]",
                })
            };
            let id = format!("10.20.0.{}", task.number);
            json!({ "Target": { "Id": id, "Port": 8000 }, "TargetHealth": health })
        };
        live.map(of).collect()
    }
}
