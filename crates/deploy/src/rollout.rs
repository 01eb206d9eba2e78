//! Where a deployment stands, judged by what AWS says of its service. Pure.
//!
//! "Stable" is not "deployed": after a rollback a service is as stable as it was before
//! (aws-actions/amazon-ecs-deploy-task-definition#191, hashicorp/terraform-provider-aws#20858). So one
//! deployment is followed by its id, and never a service.

use std::time::Duration;

use crate::observed::{Deployment, Rollout, Service, Task};

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The deployment, such as `ecs-svc/123`.
    pub id: String,
    /// The ARN of its revision.
    pub revision: String,
    /// The revision that the service had before, if it ran well.
    pub before: Option<String>,
}

/// When it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After so many of its tasks have failed. ECS waits for three at least, and counts some
    /// failures not at all (aws/containers-roadmap#1488).
    pub failures: usize,
    /// After so long.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures: 2, time: Duration::from_mins(15) }
    }
}

/// Where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It goes on; this is waited for.
    Waiting(String),
    /// All tasks are its own, and ECS says that it is done.
    Complete,
    /// ECS has given it up, and is going back to this revision.
    GoingBack(String),
    /// ECS has given it up, and has gone back to this revision.
    WentBack(String),
    /// ECS has given it up, and leaves it so.
    GivenUp,
    /// Its tasks fail one after the other.
    Failing,
    /// Somebody else has begun another deployment, of this revision.
    Superseded(String),
    /// It takes too long.
    TooLong,
    /// There is no such service any more.
    Gone(String),
}

/// Judges. `failed` are the tasks of this deployment that failed.
pub fn judge(
    followed: &Followed,
    service: &Service,
    failed: &[Task],
    passed: Duration,
    limits: Limits,
) -> Stand {
    if service.status != "ACTIVE" {
        return Stand::Gone(service.status.clone());
    }
    let Some(primary) = service.primary() else {
        return Stand::Waiting("ECS to name a deployment".to_owned());
    };
    if primary.id != followed.id {
        return other(followed, service, primary);
    }
    match primary.rollout {
        Rollout::Completed => return Stand::Complete,
        Rollout::Failed => return Stand::GivenUp,
        Rollout::InProgress => {}
    }
    if failed.len() >= limits.failures {
        return Stand::Failing;
    }
    if passed >= limits.time {
        return Stand::TooLong;
    }
    Stand::Waiting(waiting(service, primary))
}

/// Another deployment is the service's: one on the way back, or somebody's. ECS forgets a deployment
/// that it gave up as soon as it is back, and then only its events tell.
fn other(followed: &Followed, service: &Service, primary: &Deployment) -> Stand {
    let ours = service.deployment(&followed.id);
    let is_given_up = ours.is_some_and(|it| it.rollout == Rollout::Failed);
    let failed =
        |message: &str| message.contains(&followed.id) && message.contains("deployment failed");
    let is_told = service.events.iter().any(|event| failed(&event.message));
    let is_back = followed.before.as_ref() == Some(&primary.task_definition);
    let revision = primary.task_definition.clone();
    match primary.rollout {
        _ if !(is_given_up || is_told || is_back) => Stand::Superseded(revision),
        Rollout::Completed => Stand::WentBack(revision),
        Rollout::InProgress => Stand::GoingBack(revision),
        Rollout::Failed => Stand::GivenUp,
    }
}

fn waiting(service: &Service, primary: &Deployment) -> String {
    let Deployment { desired, running, pending, .. } = primary;
    if running < desired {
        let pending = if *pending > 0 { format!(", {pending} starting") } else { String::new() };
        return format!("{running} of {desired} tasks run{pending}");
    }
    let old: u64 =
        service.deployments.iter().filter(|it| it.id != primary.id).map(|it| it.running).sum();
    if old > 0 {
        return format!("all {desired} tasks run; {old} of the revision before are still there");
    }
    format!("all {desired} tasks run; ECS is making sure that they stay well")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(id: &str, status: &str, revision: &str, rollout: Rollout) -> Deployment {
        Deployment {
            id: id.to_owned(),
            status: status.to_owned(),
            task_definition: revision.to_owned(),
            desired: 2,
            rollout,
            ..Deployment::default()
        }
    }

    fn judged(deployments: Vec<Deployment>, failed: usize, minutes: u64) -> Stand {
        let service = Service { status: "ACTIVE".to_owned(), deployments, ..Service::default() };
        let followed = Followed {
            id: "new".to_owned(),
            revision: "app:2".to_owned(),
            before: Some("app:1".to_owned()),
        };
        let failed = vec![Task::default(); failed];
        judge(&followed, &service, &failed, Duration::from_mins(minutes), Limits::default())
    }

    #[test]
    fn it_is_done_when_it_is_complete_itself() {
        use Rollout::{Completed, Failed, InProgress};
        let new = |rollout| deployment("new", "PRIMARY", "app:2", rollout);
        let old = |rollout| deployment("old", "ACTIVE", "app:1", rollout);
        assert_eq!(judged(vec![new(Completed)], 0, 1), Stand::Complete);
        assert_eq!(judged(vec![new(Completed)], 3, 99), Stand::Complete);
        let waiting = judged(vec![new(InProgress), old(Completed)], 1, 1);
        assert_eq!(waiting, Stand::Waiting("0 of 2 tasks run".to_owned()));
        assert_eq!(judged(vec![new(InProgress), old(Completed)], 2, 1), Stand::Failing);
        assert_eq!(judged(vec![new(InProgress)], 0, 15), Stand::TooLong);
        assert_eq!(judged(vec![new(Failed)], 0, 1), Stand::GivenUp);
    }

    #[test]
    fn a_stable_service_is_no_success() {
        use Rollout::{Completed, Failed, InProgress};
        let back = |rollout| deployment("back", "PRIMARY", "app:1", rollout);
        let ours = deployment("new", "ACTIVE", "app:2", Failed);
        let back_to = |stand: fn(String) -> Stand| stand("app:1".to_owned());
        assert_eq!(judged(vec![back(InProgress), ours.clone()], 3, 1), back_to(Stand::GoingBack));
        assert_eq!(judged(vec![back(Completed), ours], 3, 1), back_to(Stand::WentBack));
        // Ours is not listed any more.
        assert_eq!(judged(vec![back(Completed)], 0, 1), back_to(Stand::WentBack));
    }

    #[test]
    fn somebody_elses_deployment_is_no_way_back() {
        let other = deployment("other", "PRIMARY", "app:3", Rollout::Completed);
        let ours = deployment("new", "ACTIVE", "app:2", Rollout::InProgress);
        let expected = Stand::Superseded("app:3".to_owned());
        assert_eq!(judged(vec![other.clone(), ours], 0, 1), expected);
        assert_eq!(judged(vec![other], 0, 1), expected);
        let gone = Service { status: "DRAINING".to_owned(), ..Service::default() };
        let followed = Followed { id: String::new(), revision: String::new(), before: None };
        let judged = judge(&followed, &gone, &[], Duration::ZERO, Limits::default());
        assert_eq!(judged, Stand::Gone("DRAINING".to_owned()));
    }
}
