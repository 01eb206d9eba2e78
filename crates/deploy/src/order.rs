//! One update of a service, and what becomes of it.
//!
//! One `UpdateService`, whose deployment is followed by its id until AWS says that it is complete,
//! and then until every task says that it runs exactly this image. Else the service is brought back to
//! what it ran before, if that ran well, and this waits until it is there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::aws::Client;
use crate::aws::error::AwsError;
use crate::diagnose::diagnose;
use crate::ecs::{self, Update};
use crate::image::Image;
use crate::observed::{Container, Service, Task};
use crate::release::{Outcome, ReleaseError, Say, Target, Verdict, short};
use crate::rollout::{Followed, Stand, judge};
use crate::task_definition::Registration;

/// Between the first looks.
const FIRST_PAUSE: Duration = Duration::from_secs(3);
/// Between later ones.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Lines of a task's log that are shown when it failed.
const LINES: u32 = 15;

/// What is left behind when nobody watches any more.
fn goes_on(followed: &Followed) -> String {
    format!(
        "The deployment {} of {} goes on in ECS; `deploy status --watch` follows it, `deploy rollback` \
         takes it back",
        followed.id,
        short(&followed.revision)
    )
}

/// What is to be carried out.
pub(crate) struct Order<'a> {
    pub(crate) client: &'a Client,
    pub(crate) target: &'a Target,
    pub(crate) image: &'a Image,
    /// The container that has it.
    pub(crate) container: &'a str,
    pub(crate) wanted: &'a Registration,
}

/// What comes to be known of a deployment: two calls a look at most.
#[derive(Default)]
struct Known {
    /// Tasks that stopped.
    seen: BTreeSet<String>,
    /// Those of them that were not asked for their reasons yet.
    waiting: Vec<String>,
    /// Tasks of this deployment that failed.
    failed: Vec<Task>,
    /// The ARN by which ECS keeps a record of it, where it keeps one.
    record: Option<String>,
}

impl Order<'_> {
    /// One update, and what becomes of it.
    pub(crate) async fn roll_out(
        &self,
        service: &Service,
        revision: String,
        before: Option<String>,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        tokio::select! {
            biased;
            () = &mut *stop => return Err(ReleaseError::Interrupted),
            () = std::future::ready(()) => {}
        }
        outcome.revision.clone_from(&revision);
        let known = service.events.first().map(|event| event.id.clone());
        let Target { place, force, breaker, .. } = self.target;
        let how = Update { force: *force, breaker: *breaker };
        let updated = ecs::update(self.client, place, service, &revision, how).await?;
        let id = updated.primary().map(|it| it.id.clone()).unwrap_or_default();
        say.line(&format!("{} is being deployed as {id}", short(&revision)));
        outcome.deployment = Some(id.clone());
        let followed = Followed { id, revision, before };
        let watched = self.watch(&followed, known.as_deref(), outcome, say, stop).await;
        watched.map_err(|error| match error {
            ReleaseError::Aws(error) => ReleaseError::Lost { error, left: goes_on(&followed) },
            error => error,
        })
    }

    /// One look: the service, and either which tasks stopped, or why those did that are new.
    async fn observe(&self, followed: &Followed, known: &mut Known) -> Result<Service, AwsError> {
        let service = ecs::service(self.client, &self.target.place).await?.unwrap_or_default();
        if known.waiting.is_empty() {
            let stopped = ecs::tasks(self.client, &self.target.place, true).await?;
            known.waiting = stopped.into_iter().filter(|arn| !known.seen.contains(arn)).collect();
        } else {
            let arns = std::mem::take(&mut known.waiting);
            let tasks = ecs::described(self.client, &self.target.place, &arns).await?;
            // One that is still stopping does not know its reason yet.
            let ended = tasks.iter().filter(|task| task.status == "STOPPED");
            known.seen.extend(ended.map(|task| task.arn.clone()));
            let tasks = tasks.into_iter().filter(|task| task.status == "STOPPED");
            let ours = |task: &Task| task.started_by == followed.id && task.has_failed();
            known.failed.extend(tasks.filter(ours));
        }
        if service.primary().is_some_and(|it| it.id == followed.id) {
            known.record = service.record.clone().or(known.record.take());
        }
        Ok(service)
    }

    async fn watch(
        &self,
        followed: &Followed,
        since: Option<&str>,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        let clock = self.client.clock();
        let began = clock.now();
        let mut known = Known::default();
        let mut pause = FIRST_PAUSE;
        let mut back_since = None;
        loop {
            let service = self.observe(followed, &mut known).await?;
            let passed = clock.since(began);
            let stand = judge(followed, &service, &known.failed, passed, self.target.limits);
            let what = match &stand {
                Stand::Waiting(what) => what.clone(),
                // The time of the way back counts from its beginning.
                Stand::GoingBack(revision)
                    if passed < *back_since.get_or_insert(passed) + self.target.limits.time =>
                {
                    format!("ECS is going back to {}", short(revision))
                }
                Stand::Complete => {
                    let revision = &followed.revision;
                    return self.confirm(&service, revision, Verdict::Deployed, outcome).await;
                }
                ended => {
                    let also = ecs::reasons(self.client, &service, known.record.as_deref()).await;
                    outcome.findings = diagnose(&known.failed, &service, since, &also);
                    if let Some(task) = known.failed.last() {
                        outcome.log = ecs::last_lines(self.client, self.wanted, task, LINES).await;
                    }
                    return self.ended(ended, followed, &service, outcome, say, stop).await;
                }
            };
            say.waiting(&what, Some(&service));
            tokio::select! {
                biased;
                () = &mut *stop => {
                    outcome.verdict = Verdict::Interrupted;
                    outcome.findings = diagnose(&known.failed, &service, since, &[]);
                    outcome.left = goes_on(followed);
                    return Ok(());
                }
                () = clock.sleep(pause) => {}
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// It will not be complete.
    async fn ended(
        &self,
        stand: &Stand,
        followed: &Followed,
        service: &Service,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        outcome.too_long = *stand == Stand::TooLong;
        outcome.verdict = Verdict::Failed;
        match stand {
            Stand::Superseded(other) => {
                outcome.verdict = Verdict::Superseded;
                outcome.left = format!("somebody else is deploying {}", short(other));
            }
            Stand::WentBack(revision) => {
                outcome.verdict = Verdict::RolledBack;
                outcome.left = format!("ECS went back to {}", short(revision));
            }
            Stand::GoingBack(revision) => {
                outcome.left = format!("ECS is still going back to {}", short(revision));
            }
            Stand::Gone(status) => outcome.left = format!("the service is {status}"),
            _ => match &followed.before {
                Some(before) if self.target.rollback => {
                    let went = self.go_back(before, service, outcome, say, stop).await;
                    // Why it failed is told in any case.
                    if let Err(error) = went {
                        outcome.left = format!(
                            "the way back to {} could not be followed to its end: {error}. Look at \
                             `deploy status`",
                            short(before)
                        );
                    }
                }
                before => {
                    let goes_on = match stand {
                        Stand::GivenUp => "ECS has given it up",
                        _ => "ECS goes on trying",
                    };
                    let serves = before.as_ref().map_or_else(
                        || "there is no other revision that ran well to go back to".to_owned(),
                        |before| format!("{} serves where its tasks are left", short(before)),
                    );
                    outcome.left = format!("{goes_on}, and {serves}");
                }
            },
        }
        Ok(())
    }

    /// Brings the service back, and waits until it is there.
    async fn go_back(
        &self,
        before: &str,
        service: &Service,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        let why = outcome.findings.first().map(|finding| finding.class.title());
        let why = why.unwrap_or("it does not become complete");
        say.line(&format!("{why}: going back to {}", short(before)));
        let (place, how) = (&self.target.place, Update::default());
        let updated = ecs::update(self.client, place, service, before, how).await?;
        let id = updated.primary().map(|it| it.id.clone()).unwrap_or_default();
        let followed = Followed { id, revision: before.to_owned(), before: None };
        let clock = self.client.clock();
        let began = clock.now();
        let mut pause = FIRST_PAUSE;
        loop {
            let service = ecs::service(self.client, &self.target.place).await?.unwrap_or_default();
            let stand = judge(&followed, &service, &[], clock.since(began), self.target.limits);
            match stand {
                Stand::Waiting(what) | Stand::GoingBack(what) => say.waiting(&what, Some(&service)),
                Stand::Complete | Stand::WentBack(_) => {
                    outcome.verdict = Verdict::RolledBack;
                    outcome.left = format!("the service is back at {}", short(before));
                    return Ok(());
                }
                other => {
                    outcome.left = format!(
                        "the way back to {} did not come to its end ({other:?}): look at the service now",
                        short(before)
                    );
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                () = &mut *stop => {
                    outcome.verdict = Verdict::Interrupted;
                    outcome.left = goes_on(&followed);
                    return Ok(());
                }
                () = clock.sleep(pause) => {}
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks ECS which image it resolved the revision to, and every task that runs which one that is.
    pub(crate) async fn confirm(
        &self,
        service: &Service,
        revision: &str,
        verdict: Verdict,
        outcome: &mut Outcome,
    ) -> Result<(), ReleaseError> {
        let arns = ecs::tasks(self.client, &self.target.place, false).await?;
        let mut tasks = ecs::described(self.client, &self.target.place, &arns).await?;
        // One that is just being started, as by auto scaling, does not know its image yet.
        tasks.retain(|task| task.status == "RUNNING");
        let digests = &self.image.digests;
        let is_it = |digest: &String| digests.is_empty() || digests.contains(digest);
        let has_it = |it: &Container| it.name == self.container && is_it(&it.digest);
        let is_other =
            |task: &&Task| task.task_definition != revision || !task.containers.iter().any(has_it);
        let others: Vec<&Task> = tasks.iter().filter(is_other).collect();
        let digest = self.image.reference.rsplit('@').next().unwrap_or_default();
        let (resolved, unknown) =
            match ecs::resolved(self.client, service, revision, self.container).await {
                Ok(resolved) => (resolved, None),
                Err(error) => (None, Some(error)),
            };
        let wrong = match (resolved.filter(|digest| !is_it(digest)), others.first()) {
            (Some(other), _) => Some(format!("ECS resolved the revision's image to {other}")),
            (None, Some(other)) => {
                let runs: Vec<&str> =
                    other.containers.iter().map(|it| it.digest.as_str()).collect();
                Some(format!(
                    "{} of {} tasks run another image: {} of {} runs {}",
                    others.len(),
                    tasks.len(),
                    short(&other.arn),
                    short(&other.task_definition),
                    runs.join(", ")
                ))
            }
            (None, None) if tasks.is_empty() && service.desired > 0 => {
                Some(format!("no task runs, and there should be {}", service.desired))
            }
            (None, None) => None,
        };
        outcome.verdict = if wrong.is_some() { Verdict::OtherImage } else { verdict };
        outcome.left = wrong.unwrap_or_else(|| match tasks.len() {
            0 => "no task runs, for the service is to have none".to_owned(),
            count => format!("{count} tasks run {digest}"),
        });
        if let Some(error) = unknown {
            outcome.left =
                format!("{}; to what ECS resolved it is not known: {error}", outcome.left);
        }
        Ok(())
    }
}
