//! Why a deployment fails, in words a developer can act on. Pure: what AWS says → findings.

use std::fmt;

use serde::Serialize;

use crate::observed::{Service, Task};

/// A kind of failure. Each has a code of its own, by which the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The image is not there, or can't be got.
    Image,
    /// The secrets, or the rights of the execution role.
    Secrets,
    /// The log driver.
    Logs,
    /// The image is for another processor.
    Architecture,
    /// It had more memory than it may.
    Memory,
    /// The program ended by itself.
    Exit,
    /// The container's health check.
    ContainerHealth,
    /// The load balancer's health check.
    LoadBalancerHealth,
    /// No container instance has room.
    InstanceCapacity,
    /// Fargate has no room, or a quota is used up.
    FargateCapacity,
    /// Neither may a task be ended nor one be started.
    Deadlock,
    /// An alarm.
    Alarm,
    /// The circuit breaker.
    CircuitBreaker,
    /// Tasks start and fail again and again.
    StartImpaired,
    /// ECS is slowed down.
    Throttled,
    /// Old tasks don't go.
    SlowDrain,
    /// Tasks that nothing is said of.
    Unknown,
}

impl Class {
    /// All of them, the most telling first.
    pub const ALL: [Self; 17] = [
        Self::Image,
        Self::Secrets,
        Self::Logs,
        Self::Architecture,
        Self::Memory,
        Self::Exit,
        Self::ContainerHealth,
        Self::LoadBalancerHealth,
        Self::InstanceCapacity,
        Self::FargateCapacity,
        Self::Deadlock,
        Self::Alarm,
        Self::CircuitBreaker,
        Self::StartImpaired,
        Self::Throttled,
        Self::SlowDrain,
        Self::Unknown,
    ];

    /// By which the program ends: from 30 on.
    pub fn exit_code(self) -> u8 {
        30 + self as u8
    }

    /// What happened.
    pub fn title(self) -> &'static str {
        match self {
            Self::Image => "the image can't be pulled",
            Self::Secrets => "its secrets can't be read, or its execution role lacks rights",
            Self::Logs => "its log can't be written",
            Self::Architecture => "the image is for another processor",
            Self::Memory => "it was ended for using more memory than it may",
            Self::Exit => "the program ends by itself",
            Self::ContainerHealth => "the container's health check fails",
            Self::LoadBalancerHealth => "the load balancer finds it unhealthy",
            Self::InstanceCapacity => "no container instance has room for it",
            Self::FargateCapacity => "Fargate has no room for it",
            Self::Deadlock => "ECS may neither end a task nor start one",
            Self::Alarm => "an alarm went off",
            Self::CircuitBreaker => "the circuit breaker ended it",
            Self::StartImpaired => "its tasks fail to start again and again",
            Self::Throttled => "ECS is slowed down by limits of the account",
            Self::SlowDrain => "old tasks take long to go",
            Self::Unknown => "its tasks stop for a reason that is not known here",
        }
    }

    /// What to do.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Image => {
                "See that the digest is in the repository, that the execution role may \
                 ecr:BatchGetImage and ecr:GetDownloadUrlForLayer, and that its subnets reach ECR (NAT \
                 or VPC endpoints)"
            }
            Self::Secrets => {
                "See that each valueFrom exists in this region, that the execution role may read it \
                 (secretsmanager:GetSecretValue or ssm:GetParameters, kms:Decrypt), and that its \
                 subnets reach those services"
            }
            Self::Logs => {
                "See that the log group exists, and that the execution role may logs:CreateLogStream \
                 and logs:PutLogEvents"
            }
            Self::Architecture => {
                "Build the image for the runtimePlatform of the task definition (X86_64 is \
                 linux/amd64, ARM64 is linux/arm64), or change that"
            }
            Self::Memory => "Give the container more memory, or let the program use less",
            Self::Exit => {
                "Its log says why; `deploy task` runs the same image with another command"
            }
            Self::ContainerHealth => {
                "Run the health check's command in the container; give it a longer startPeriod if it \
                 starts slowly"
            }
            Self::LoadBalancerHealth => {
                "See that it listens on the target group's port on all addresses, answers the health \
                 check's path with the expected status, that its security group lets the load balancer \
                 in, and that healthCheckGracePeriodSeconds is longer than it takes to start"
            }
            Self::InstanceCapacity => {
                "Add container instances, lower its cpu or memory, or use host port 0 if ports are taken"
            }
            Self::FargateCapacity => {
                "Try again later or in other subnets, or ask for a higher quota of Fargate's vCPUs"
            }
            Self::Deadlock => {
                "Let minimumHealthyPercent be lower or maximumPercent higher: with one task, 100/200 \
                 or 0/100"
            }
            Self::Alarm => "Look at the alarm's metric for the time of the deployment",
            Self::CircuitBreaker | Self::StartImpaired => {
                "Its stopped tasks say why; `deploy status` shows them for an hour"
            }
            Self::Throttled => "Wait, and deploy fewer services of the account at a time",
            Self::SlowDrain => {
                "Lower deregistration_delay.timeout_seconds of the target group (300 s unless set), and \
                 see that the program ends on SIGTERM"
            }
            Self::Unknown => "What AWS says stands above; ask its support with the task's ARN",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of which kind.
    pub class: Class,
    /// What AWS says, word for word; each once, and no more than three.
    pub evidence: Vec<String>,
    /// At how many tasks it was seen.
    pub count: usize,
    /// The last task that it was seen at.
    pub task: Option<String>,
}

/// More would not tell more.
const EVIDENCE: usize = 3;

/// Texts of AWS, and what they mean; the first that is found counts.
const TEXTS: [(&str, Class); 33] = [
    ("exec format error", Class::Architecture),
    ("does not contain descriptor matching platform", Class::Architecture),
    ("no matching manifest", Class::Architecture),
    ("CannotPullContainer", Class::Image),
    ("CannotPullImageManifest", Class::Image),
    ("CannotPullECRContainer", Class::Image),
    ("pull image manifest has been retried", Class::Image),
    ("unable to pull secrets or registry auth", Class::Secrets),
    ("unable to retrieve secret", Class::Secrets),
    ("unable to assume the role", Class::Secrets),
    ("failed to initialize logging driver", Class::Logs),
    ("failed to validate logger args", Class::Logs),
    ("OutOfMemory", Class::Memory),
    ("container health checks", Class::ContainerHealth),
    ("ELB health checks", Class::LoadBalancerHealth),
    ("is unhealthy in", Class::LoadBalancerHealth),
    // The reasons of `DescribeTargetHealth`.
    ("Target.", Class::LoadBalancerHealth),
    ("Elb.", Class::LoadBalancerHealth),
    ("RESOURCE:ENI", Class::FargateCapacity),
    ("Capacity is unavailable", Class::FargateCapacity),
    ("capacity unavailable", Class::FargateCapacity),
    ("vCPUs", Class::FargateCapacity),
    ("no container instance met all of its requirements", Class::InstanceCapacity),
    ("unable to place a task", Class::InstanceCapacity),
    (
        "unable to stop or start tasks during a deployment because of the service deployment configuration",
        Class::Deadlock,
    ),
    ("operations are being throttled", Class::Throttled),
    ("Rate exceeded", Class::Throttled),
    ("unable to consistently start tasks", Class::StartImpaired),
    ("alarm", Class::Alarm),
    ("circuit breaker", Class::CircuitBreaker),
    ("deployment failed: tasks failed to start", Class::CircuitBreaker),
    ("exited", Class::Exit),
    ("Essential container in task", Class::Exit),
];

fn class_of(text: &str) -> Option<Class> {
    TEXTS.iter().find(|(known, _)| text.contains(known)).map(|(_, class)| *class)
}

/// What is wrong, the most telling first: of the tasks that failed, of what a service says of itself
/// since an event, of its deployments, and of what else AWS says.
pub fn diagnose(
    failed: &[Task],
    service: &Service,
    since: Option<&str>,
    also: &[String],
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for task in failed {
        let (class, evidence) = of_task(task);
        add(&mut findings, class, evidence, Some(&task.arn));
    }
    let new = service.events.iter().take_while(|event| Some(event.id.as_str()) != since);
    let reasons = service.deployments.iter().map(|it| &it.reason);
    for text in new.map(|event| &event.message).chain(reasons).chain(also) {
        if let Some(class) = class_of(text).filter(|class| *class != Class::Exit) {
            add(&mut findings, class, text.clone(), None);
        }
    }
    findings.sort_by_key(|finding| finding.class);
    findings
}

fn add(findings: &mut Vec<Finding>, class: Class, evidence: String, task: Option<&String>) {
    match findings.iter_mut().find(|it| it.class == class) {
        Some(finding) => {
            finding.count += usize::from(task.is_some());
            finding.task = task.cloned().or(finding.task.take());
            if !finding.evidence.contains(&evidence) && finding.evidence.len() < EVIDENCE {
                finding.evidence.push(evidence);
            }
        }
        None => findings.push(Finding {
            class,
            evidence: vec![evidence],
            count: 1,
            task: task.cloned(),
        }),
    }
}

fn of_task(task: &Task) -> (Class, String) {
    let reasons = task.containers.iter().filter(|it| !it.reason.is_empty());
    let of_container = reasons.map(|it| format!("{}: {}", it.name, it.reason));
    for text in of_container.chain([task.stopped_reason.clone()]) {
        if let Some(class) = class_of(&text).filter(|class| *class != Class::Exit) {
            return (class, text);
        }
    }
    let ended =
        task.containers.iter().find_map(|it| Some((it, it.exit_code.filter(|code| *code != 0)?)));
    match ended {
        Some((container, code)) => (Class::Exit, format!("{} {}", container.name, exit(code))),
        None if task.stop_code == "EssentialContainerExited" => (
            Class::Exit,
            format!("{} (every exit code is 0: a server should go on)", task.stopped_reason),
        ),
        None => (Class::Unknown, format!("{}: {}", task.stop_code, task.stopped_reason)),
    }
}

/// What an exit code means (`signal(7)`, 128 + signal).
fn exit(code: i64) -> String {
    match code {
        134 => "ended with 134 (SIGABRT: it gave up)".to_owned(),
        137 => "ended with 137 (SIGKILL: too much memory, or it did not end in time)".to_owned(),
        139 => "ended with 139 (SIGSEGV)".to_owned(),
        143 => "ended with 143 (SIGTERM: somebody asked it to)".to_owned(),
        code => format!("ended with {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::{Container, Deployment, Event};

    fn task(stop_code: &str, stopped_reason: &str, exit_code: Option<i64>, reason: &str) -> Task {
        let container = Container {
            name: "app".to_owned(),
            exit_code,
            reason: reason.to_owned(),
            ..Container::default()
        };
        Task {
            arn: "arn:task/1".to_owned(),
            stop_code: stop_code.to_owned(),
            stopped_reason: stopped_reason.to_owned(),
            containers: vec![container],
            ..Task::default()
        }
    }

    fn event(message: &str) -> Event {
        Event { id: message.to_owned(), at: 0.0, message: message.to_owned() }
    }

    /// As ECS writes it, from its documentation and from threads.
    #[test]
    fn what_ecs_says_of_a_task_has_a_class() {
        let ended = "Essential container in task exited";
        let (start, exit) = ("TaskFailedToStart", "EssentialContainerExited");
        for (task, class) in [
            (
                task(
                    start,
                    "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref x@sha256:1: not found",
                    None,
                    "",
                ),
                Class::Image,
            ),
            (
                task(
                    start,
                    "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
                    None,
                    "",
                ),
                Class::Architecture,
            ),
            (
                task(
                    start,
                    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm",
                    None,
                    "",
                ),
                Class::Secrets,
            ),
            (
                task(
                    start,
                    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times",
                    None,
                    "",
                ),
                Class::Logs,
            ),
            (
                task(
                    exit,
                    ended,
                    Some(137),
                    "OutOfMemoryError: Container killed due to memory usage",
                ),
                Class::Memory,
            ),
            (task(exit, ended, Some(1), ""), Class::Exit),
            (task(exit, ended, Some(0), ""), Class::Exit),
            (task(exit, ended, Some(255), "exec /app: exec format error"), Class::Architecture),
            (
                task(
                    "ServiceSchedulerInitiated",
                    "Task failed container health checks",
                    Some(137),
                    "",
                ),
                Class::ContainerHealth,
            ),
            (
                task(
                    "ServiceSchedulerInitiated",
                    "Task failed ELB health checks in (target-group arn:tg)",
                    Some(143),
                    "",
                ),
                Class::LoadBalancerHealth,
            ),
            (task(start, "RESOURCE:ENI", None, ""), Class::FargateCapacity),
            (task(start, "Something new", None, ""), Class::Unknown),
        ] {
            let found = diagnose(std::slice::from_ref(&task), &Service::default(), None, &[]);
            assert_eq!(found.iter().map(|it| it.class).collect::<Vec<_>>(), [class], "{task:?}");
            assert!(task.has_failed() || class == Class::Unknown, "{task:?}");
        }
    }

    #[test]
    fn what_ecs_says_of_a_service_has_a_class() {
        for (message, class) in [
            (
                "(service app) was unable to place a task because no container instance met all of its requirements. The closest matching container-instance i is already using a port required by your task.",
                Class::InstanceCapacity,
            ),
            (
                "(service app) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.",
                Class::FargateCapacity,
            ),
            (
                "(service app) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
                Class::Deadlock,
            ),
            (
                "(service app) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section.",
                Class::StartImpaired,
            ),
            (
                "(service app) operations are being throttled on elb. Will try again later.",
                Class::Throttled,
            ),
            (
                "(service app) (port 8000) is unhealthy in (target-group arn:tg) due to (reason Health checks failed with these codes: [502]).",
                Class::LoadBalancerHealth,
            ),
        ] {
            let service = Service { events: vec![event(message)], ..Service::default() };
            let found = diagnose(&[], &service, None, &[]);
            assert_eq!(found[0].class, class, "{message}");
            assert_eq!(found[0].evidence, [message]);
            assert_eq!(diagnose(&[], &service, Some(message), &[]), [], "it is old");
        }
        let reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
        let deployments = vec![Deployment { reason, ..Deployment::default() }];
        let service = Service { deployments, ..Service::default() };
        assert_eq!(diagnose(&[], &service, None, &[])[0].class, Class::CircuitBreaker);
    }

    #[test]
    fn what_fails_alike_is_told_once_and_the_cause_first() {
        let ended =
            task("EssentialContainerExited", "Essential container in task exited", Some(3), "");
        let events =
            vec![event("(service app) is unable to consistently start tasks successfully.")];
        let service = Service { events, ..Service::default() };
        let found = diagnose(&[ended.clone(), ended], &service, None, &[]);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].class, found[0].count), (Class::Exit, 2));
        assert_eq!(found[0].evidence, ["app ended with 3"]);
    }

    #[test]
    fn what_else_is_known_stands_beside_what_was_seen() {
        let reason = "Task failed ELB health checks in (target-group arn:tg)";
        let task = task("ServiceSchedulerInitiated", reason, None, "");
        let also = [
            "Target.Timeout: Request timed out (10.0.0.1:8000)".to_owned(),
            "alarm graphbook-errors went off".to_owned(),
        ];
        let found = diagnose(&[task], &Service::default(), None, &also);
        assert_eq!((found[0].class, found[0].count), (Class::LoadBalancerHealth, 1));
        assert_eq!(found[0].evidence, [reason, &also[0]]);
        assert_eq!((found[1].class, &found[1].evidence[0]), (Class::Alarm, &also[1]));
    }

    #[test]
    fn every_class_has_a_code_and_words_of_its_own() {
        let codes: Vec<u8> = Class::ALL.iter().map(|class| class.exit_code()).collect();
        assert_eq!(codes, (30..47).collect::<Vec<u8>>());
        assert!(Class::ALL.iter().all(|it| !it.title().is_empty() && !it.advice().is_empty()));
    }
}
