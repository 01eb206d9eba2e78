//! What a release can run into, each as a world and what goes wrong in it.

use super::world::{Fate, Incident, Start, Stop};
use super::{Fault, Wrong};

/// Something that a release can run into.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// The world at its beginning.
    pub start: Start,
    /// What goes wrong with calls.
    pub faults: Vec<Fault>,
    /// By which a release ends.
    pub exit_code: u8,
    /// What it says then.
    pub says: &'static str,
}

/// A program that ends by itself.
pub const EXITED: Stop = Stop {
    code: "EssentialContainerExited",
    reason: "Essential container in task exited",
    exit_code: Some(1),
    container: "",
    event: "",
};

const NEVER_STARTED: Stop =
    Stop { code: "TaskFailedToStart", reason: "", exit_code: None, container: "", event: "" };

const ENDED_BY_ECS: Stop = Stop {
    code: "ServiceSchedulerInitiated",
    reason: "",
    exit_code: Some(137),
    container: "",
    event: "",
};

fn stops(after: u64, stop: Stop) -> Start {
    Start { new: Fate::Stop(after, stop), ..Start::default() }
}

fn fault(operation: &'static str, after: u32, times: u32, what: Wrong) -> Vec<Fault> {
    vec![Fault { operation, after, times, what }]
}

/// All of them.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn all() -> Vec<Scenario> {
    let scenario = |name, about, start, exit_code, says| Scenario {
        name,
        about,
        start,
        faults: Vec::new(),
        exit_code,
        says,
    };
    let with = |faults, scenario: Scenario| Scenario { faults, ..scenario };
    let throttled = Wrong::Refused(400, "ThrottlingException");
    vec![
        scenario("success", "all is well", Start::default(), 0, "2 tasks run sha256:"),
        scenario(
            "other-image",
            "all is well, but tasks run another image than the one that was pushed",
            Start { other_image: true, ..Start::default() },
            24,
            "2 of 2 tasks run another image",
        ),
        scenario(
            "other-image-resolved",
            "all is well, but ECS resolved the revision to another image than it names",
            Start { other_resolved: true, ..Start::default() },
            24,
            "ECS resolved the revision's image to sha256:another",
        ),
        scenario(
            "slow-drain",
            "old tasks take five minutes to go",
            Start { drains: 300, ..Start::default() },
            0,
            "2 tasks run sha256:",
        ),
        scenario(
            "image-missing",
            "the image can't be pulled",
            stops(
                1,
                Stop {
                    reason: "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
                    ..NEVER_STARTED
                },
            ),
            30,
            "the image can't be pulled",
        ),
        scenario(
            "secret-missing",
            "a secret is not there",
            stops(
                1,
                Stop {
                    reason: "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm",
                    ..NEVER_STARTED
                },
            ),
            31,
            "its secrets can't be read",
        ),
        scenario(
            "log-group-missing",
            "the log group is not there",
            stops(
                1,
                Stop {
                    reason: "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
                    ..NEVER_STARTED
                },
            ),
            32,
            "its log can't be written",
        ),
        scenario(
            "wrong-architecture",
            "the image is for another processor",
            stops(
                1,
                Stop {
                    container: "exec /usr/local/bin/graphbook: exec format error",
                    exit_code: Some(255),
                    ..EXITED
                },
            ),
            33,
            "the image is for another processor",
        ),
        scenario(
            "out-of-memory",
            "it is ended for using too much memory, again and again",
            stops(
                20,
                Stop {
                    container: "OutOfMemoryError: Container killed due to memory usage",
                    exit_code: Some(137),
                    ..EXITED
                },
            ),
            34,
            "more memory than it may",
        ),
        scenario(
            "exits-at-start",
            "it ends by itself, as without its configuration",
            stops(2, EXITED),
            35,
            "error: DATABASE_URL is not set",
        ),
        scenario(
            "container-unhealthy",
            "its own health check fails",
            stops(60, Stop { reason: "Task failed container health checks", ..ENDED_BY_ECS }),
            36,
            "the container's health check fails",
        ),
        scenario(
            "load-balancer-unhealthy",
            "the load balancer finds it unhealthy",
            Start {
                balanced: true,
                ..stops(
                    60,
                    Stop {
                        reason: "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:tg)",
                        event: "(port 8000) is unhealthy in (target-group tg) due to (reason Health checks failed with these codes: [502]).",
                        ..ENDED_BY_ECS
                    },
                )
            },
            37,
            "Target.ResponseCodeMismatch: Health checks failed with these codes: [502] (10.20.0.",
        ),
        scenario(
            "no-instance",
            "no container instance has room",
            Start {
                new: Fate::Nowhere(
                    "was unable to place a task because no container instance met all of its requirements. The closest matching container-instance i-1 has insufficient memory available.",
                ),
                ..Start::default()
            },
            22,
            "no container instance has room for it",
        ),
        scenario(
            "no-fargate",
            "Fargate has no room",
            Start {
                new: Fate::Nowhere(
                    "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later.",
                ),
                ..Start::default()
            },
            22,
            "Fargate has no room for it",
        ),
        scenario(
            "deadlock",
            "100 % must run, and no more than 100 % may",
            Start {
                new: Fate::Nowhere(
                    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
                ),
                ..Start::default()
            },
            22,
            "ECS may neither end a task nor start one",
        ),
        scenario(
            "alarm",
            "an alarm goes off while it is deployed",
            Start { incident: Some((40, Incident::Alarm)), drains: 120, ..Start::default() },
            41,
            "alarm graphbook-5xx went off",
        ),
        scenario(
            "superseded",
            "somebody else deploys at the same time",
            Start {
                incident: Some((10, Incident::Another)),
                revisions: vec![Fate::Fine(5), Fate::Fine(5)],
                ..Start::default()
            },
            21,
            "somebody else is deploying graphbook:1",
        ),
        scenario(
            "without-breaker",
            "it ends by itself, and ECS would try for ever",
            Start { breaker: None, ..stops(2, EXITED) },
            35,
            "the service is back at graphbook:1",
        ),
        scenario(
            "breaker-without-rollback",
            "the circuit breaker opens and leaves it so",
            Start { breaker: Some(false), ..stops(2, EXITED) },
            35,
            "the service is back at graphbook:1",
        ),
        scenario(
            "nothing-to-go-back-to",
            "nothing ever ran well, and this does not either",
            Start {
                revisions: vec![Fate::Stop(2, EXITED)],
                completed: false,
                breaker: Some(false),
                ..stops(2, EXITED)
            },
            35,
            "there is no other revision that ran well to go back to",
        ),
        scenario(
            "under-way",
            "another deployment has not come to its end",
            Start {
                revisions: vec![Fate::Nowhere("was unable to place a task.")],
                completed: false,
                ..Start::default()
            },
            10,
            "a deployment of",
        ),
        scenario(
            "service-missing",
            "there is no such service",
            Start { status: None, ..Start::default() },
            10,
            "there is no service graphbook in cluster main",
        ),
        scenario(
            "service-draining",
            "the service is being deleted",
            Start { status: Some("DRAINING"), ..Start::default() },
            10,
            "is DRAINING",
        ),
        scenario(
            "service-inactive",
            "the service was deleted",
            Start { status: Some("INACTIVE"), ..Start::default() },
            10,
            "is INACTIVE",
        ),
        with(
            fault("DescribeServices", 1, 4, throttled),
            scenario(
                "throttled",
                "AWS is asked too often for a moment",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
        with(
            fault("DescribeServices", 1, 100, throttled),
            scenario(
                "throttled-for-long",
                "AWS is asked too often",
                Start::default(),
                11,
                "goes on in ECS; `deploy status --watch` follows it",
            ),
        ),
        with(
            fault("UpdateService", 0, 1, Wrong::Lost),
            scenario(
                "update-lost",
                "the update is done, and its answer a 500",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
        with(
            fault("UpdateService", 0, 1, Wrong::Reset),
            scenario(
                "update-reset",
                "the update is done, and the connection ends",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
        with(
            fault("RegisterTaskDefinition", 0, 1, Wrong::Lost),
            scenario(
                "register-lost",
                "the revision is registered, and its answer a 500",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
        with(
            fault("DescribeServices", 0, 1, Wrong::Refused(403, "InvalidSignatureException")),
            scenario(
                "clock-skew",
                "this machine's clock is wrong",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
        with(
            fault("DescribeServices", 3, 1, Wrong::Refused(400, "ExpiredTokenException")),
            scenario(
                "credentials-expire",
                "the credentials expire while it waits",
                Start::default(),
                0,
                "2 tasks run",
            ),
        ),
    ]
}
