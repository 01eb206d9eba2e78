//! The way of a release: look → push → register → update → watch → confirm, or go back.
//!
//! One `UpdateService`, whose deployment is followed by its id until AWS says that it is complete,
//! and then until every task says that it runs exactly this image. Else the service is brought back to
//! what it ran before, if that ran well, and this waits until it is there.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws};
use crate::diagnose::{Finding, diagnose};
use crate::ecs::{self, Place};
use crate::image::{Image, ImageError, delivered};
use crate::observed::{Container, Rollout, Service, Task};
use crate::rollout::{Followed, Limits, Stand, judge};
use crate::task_definition::{Change, Edit, EditError, Registration, Set, changes};
use crate::verify::refuse;

/// Between the first looks.
const FIRST_PAUSE: Duration = Duration::from_secs(3);
/// Between later ones.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Lines of a task's log that are shown when it failed.
const LINES: u32 = 15;

/// What is released, and to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub place: Place,
    /// The account that it must be in.
    pub account: Option<String>,
    /// The container that gets the image; the only one, if nothing is said.
    pub container: Option<String>,
    /// As `delivered` takes it.
    pub image: String,
    /// The repository of ECR that it goes to.
    pub repository: Option<String>,
    /// The tags that it gets there.
    pub tags: Vec<String>,
    /// What else changes.
    pub edits: Vec<Edit>,
    /// When it is given up.
    pub limits: Limits,
    /// Whether the service is brought back then.
    pub rollback: bool,
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// This image serves, and nothing else.
    Deployed,
    /// It did so before.
    Unchanged,
    /// It failed, and the service is back where it was.
    RolledBack,
    /// It failed, and the service was left as it is.
    Failed,
    /// Somebody else's deployment took its place.
    Superseded,
    /// Who released it was asked to stop.
    Interrupted,
    /// It is complete, and some task runs another image.
    OtherImage,
}

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// As the task definition names it.
    pub image: String,
    /// The ARN of the revision that was released.
    pub revision: String,
    /// The ARN of the revision that the service had before.
    pub before: String,
    /// The deployment's id, if one began.
    pub deployment: Option<String>,
    /// What changed in the task definition.
    pub changes: Vec<Change>,
    /// What is wrong, the most telling first.
    pub findings: Vec<Finding>,
    /// The last lines of a task that failed.
    pub log: Vec<String>,
    /// In what state the service is left: a sentence.
    pub left: String,
    /// Whether it was given up because it took too long.
    pub too_long: bool,
    /// How long it took, in seconds.
    pub seconds: u64,
    /// How many calls were made.
    pub calls: usize,
}

impl Outcome {
    /// Of what changes nothing.
    fn new(image: &Image, before: &str, changes: Vec<Change>) -> Self {
        Self {
            verdict: Verdict::Unchanged,
            image: image.reference.clone(),
            revision: before.to_owned(),
            before: before.to_owned(),
            deployment: None,
            changes,
            findings: Vec::new(),
            log: Vec::new(),
            left: String::new(),
            too_long: false,
            seconds: 0,
            calls: 0,
        }
    }

    /// By which the program ends.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Deployed | Verdict::Unchanged => 0,
            Verdict::Superseded => 21,
            Verdict::Interrupted => 23,
            Verdict::OtherImage => 24,
            Verdict::RolledBack | Verdict::Failed if self.too_long => 22,
            Verdict::RolledBack | Verdict::Failed => {
                self.findings.first().map_or(20, |finding| finding.class.exit_code())
            }
        }
    }
}

/// Why nothing was released, or it is not known. Where it does not say so, nothing of the service was
/// changed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// See there.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// See there.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Another account.
    #[error("these credentials are of account {found}, and this is for account {wanted}")]
    Account {
        /// Of the credentials.
        found: String,
        /// As it should be.
        wanted: String,
    },
    /// There is no such service.
    #[error("there is no service {} in cluster {}. Create it first, or see service, cluster and region in deploy.toml", .0.service, .0.cluster)]
    NoService(Place),
    /// It is going.
    #[error("the service {service} is {status}, and takes no deployments")]
    NotActive {
        /// Which.
        service: String,
        /// `DRAINING` or `INACTIVE`.
        status: String,
    },
    /// It is deployed by something else.
    #[error(
        "the service {service} is deployed by {controller}, and this speaks to ECS's own controller only"
    )]
    Controller {
        /// Which.
        service: String,
        /// `CODE_DEPLOY` or `EXTERNAL`.
        controller: String,
    },
    /// AWS did not answer any more while the deployment went on.
    #[error("{error}. {left}")]
    Lost {
        /// Why.
        error: AwsError,
        /// In what state the service is left: a sentence.
        left: String,
    },
    /// Its log goes elsewhere.
    #[error("{} sends its log to no group of CloudWatch with a stream prefix (awslogs)", short(.0))]
    NoLog(String),
    /// ECS could not do it.
    #[error("tasks can't be exchanged: {0}")]
    Exchange(String),
    /// Another deployment goes on.
    #[error(
        "a deployment of {revision} is under way: wait for it (`deploy status --watch`), then try again"
    )]
    UnderWay {
        /// Of which revision.
        revision: String,
    },
    /// Nothing else was ever deployed well.
    #[error("nothing but {} was ever deployed well here, as far as ECS remembers (three months): name a revision with --to", short(.0))]
    NothingBefore(String),
    /// There are several containers.
    #[error("the task definition has the containers {}: say which gets the image, container = \"NAME\" or --container NAME", .0.join(", "))]
    Container(Vec<String>),
}

impl ReleaseError {
    /// By which the program ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Aws(_) | Self::Image(ImageError::Aws(_)) | Self::Lost { .. } => 11,
            _ => 10,
        }
    }
}

/// Where it is told what is done.
pub trait Say {
    /// A step that begins, or a fact.
    fn line(&mut self, text: &str);
    /// What is waited for now.
    fn waiting(&mut self, service: &Service, what: &str);
}

/// What would be released: read only.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The service as it is.
    pub service: Service,
    /// The container that gets the image.
    pub container: String,
    /// What it runs.
    pub current: Registration,
    /// What it would run.
    pub wanted: Registration,
}

/// Looks whether a release can begin.
pub async fn look(client: &Client, target: &Target) -> Result<Service, ReleaseError> {
    if let Some(wanted) = &target.account {
        let identity = client.call(Aws::Sts, "GetCallerIdentity", &json!({})).await?;
        let found = identity.get("Account").and_then(Value::as_str).unwrap_or_default();
        if found != wanted {
            let (found, wanted) = (found.to_owned(), wanted.clone());
            return Err(ReleaseError::Account { found, wanted });
        }
    }
    let service = ecs::service(client, &target.place).await?;
    let service = service.ok_or_else(|| ReleaseError::NoService(target.place.clone()))?;
    if service.status != "ACTIVE" {
        let (service, status) = (service.name, service.status);
        return Err(ReleaseError::NotActive { service, status });
    }
    if service.controller != "ECS" {
        let (service, controller) = (service.name, service.controller);
        return Err(ReleaseError::Controller { service, controller });
    }
    Ok(service)
}

/// What the service runs, and what it would run with this image.
pub async fn planned(
    client: &Client,
    target: &Target,
    service: Service,
    image: &str,
) -> Result<Planned, ReleaseError> {
    let (_, current) = ecs::definition(client, &service.task_definition).await?;
    let containers = current.containers();
    let container = match (&target.container, containers.as_slice()) {
        (Some(container), _) => container.clone(),
        (None, [only]) => only.clone(),
        (None, _) => return Err(ReleaseError::Container(containers)),
    };
    let mut edits =
        vec![Edit { container: container.clone(), change: Set::Image(image.to_owned()) }];
    edits.extend(target.edits.iter().cloned());
    let wanted = current.edited(&edits)?;
    Ok(Planned { service, container, current, wanted })
}

/// Releases. When `stop` comes to an end, it says what it leaves behind and ends as well.
pub async fn release(
    client: &Client,
    target: &Target,
    bars: &MultiProgress,
    say: &mut dyn Say,
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Result<Outcome, ReleaseError> {
    let began = client.clock().now();
    let service = look(client, target).await?;
    let primary = service.primary().cloned().unwrap_or_default();
    // A service without tasks that ever ran well says so by its deployment.
    let is_failed = primary.rollout == Rollout::Failed;
    if service.is_deploying() && !is_failed {
        return Err(ReleaseError::UnderWay { revision: primary.task_definition });
    }
    say.line(&format!("{} runs {}", service.name, short(&service.task_definition)));
    let (repository, tags) = (target.repository.as_deref(), &target.tags);
    let image = delivered(client, &target.image, repository, tags, bars).await?;
    let sent = if image.sent > 0 {
        format!("sent {:.1} MiB", image.sent as f64 / 1_048_576.0)
    } else {
        "was there already".to_owned()
    };
    say.line(&format!("{} {sent}", image.reference));
    let before = service.task_definition.clone();
    let Planned { service, container, current, wanted } =
        planned(client, target, service, &image.reference).await?;
    let mut outcome = Outcome::new(&image, &before, changes(&current, &wanted));
    let order = Order { client, target, image: &image, container: &container, wanted: &wanted };
    if current == wanted && !is_failed {
        order.confirm(&service, &before, Verdict::Unchanged, &mut outcome).await?;
    } else {
        refuse(&service, &wanted)?;
        for change in &outcome.changes {
            say.line(&format!("  {change}"));
        }
        let revision =
            if current == wanted { before.clone() } else { ecs::register(client, &wanted).await? };
        let back_to = (!is_failed).then_some(before);
        order.roll_out(&service, revision, back_to, &mut outcome, say, stop).await?;
    }
    outcome.seconds = client.clock().since(began).as_secs();
    outcome.calls = client.calls().len();
    Ok(outcome)
}

/// Brings the service back to a revision, or to the last that was deployed well before the one that it
/// has: not to the previous number, which may never have run (kayac/ecspresso#22).
pub async fn rollback(
    client: &Client,
    target: &Target,
    to: Option<&str>,
    say: &mut dyn Say,
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Result<Outcome, ReleaseError> {
    let began = client.clock().now();
    let service = look(client, target).await?;
    let before = service.task_definition.clone();
    let to = if let Some(to) = to {
        to.to_owned()
    } else {
        let good = ecs::deployed_well(client, &target.place).await?;
        let other = good.into_iter().find(|revision| *revision != before);
        other.ok_or_else(|| ReleaseError::NothingBefore(before.clone()))?
    };
    let (_, current) = ecs::definition(client, &before).await?;
    let (revision, wanted) = ecs::definition(client, &to).await?;
    say.line(&format!("{} runs {}: back to {}", service.name, short(&before), short(&revision)));
    let containers = wanted.containers();
    let container = target.container.clone().or(containers.first().cloned()).unwrap_or_default();
    let reference = wanted.image(&container).unwrap_or_default().to_owned();
    let digests = reference.split_once('@').map(|(_, digest)| digest.to_owned());
    let image = Image { reference, digests: digests.into_iter().collect(), sent: 0 };
    let mut outcome = Outcome::new(&image, &before, changes(&current, &wanted));
    let order = Order { client, target, image: &image, container: &container, wanted: &wanted };
    if revision == before && !service.is_deploying() {
        order.confirm(&service, &revision, Verdict::Unchanged, &mut outcome).await?;
    } else {
        order.roll_out(&service, revision, None, &mut outcome, say, stop).await?;
    }
    outcome.seconds = client.clock().since(began).as_secs();
    outcome.calls = client.calls().len();
    Ok(outcome)
}

/// What follows a colon or a slash: of an ARN, what people call it.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

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
struct Order<'a> {
    client: &'a Client,
    target: &'a Target,
    image: &'a Image,
    /// The container that has it.
    container: &'a str,
    wanted: &'a Registration,
}

/// Tasks that failed, as they come to be known: two calls a look at most.
#[derive(Default)]
struct Failures {
    seen: BTreeSet<String>,
    waiting: Vec<String>,
    tasks: Vec<Task>,
}

impl Order<'_> {
    /// One update, and what becomes of it.
    async fn roll_out(
        &self,
        service: &Service,
        revision: String,
        before: Option<String>,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        outcome.revision.clone_from(&revision);
        let known = service.events.first().map(|event| event.id.clone());
        let updated = ecs::update(self.client, &self.target.place, &revision).await?;
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
    async fn observe(
        &self,
        followed: &Followed,
        failures: &mut Failures,
    ) -> Result<Option<Service>, AwsError> {
        let service = ecs::service(self.client, &self.target.place).await?;
        if failures.waiting.is_empty() {
            let stopped = ecs::tasks(self.client, &self.target.place, true).await?;
            failures.waiting =
                stopped.into_iter().filter(|arn| !failures.seen.contains(arn)).collect();
        } else {
            let arns = std::mem::take(&mut failures.waiting);
            let tasks = ecs::described(self.client, &self.target.place, &arns).await?;
            failures.seen.extend(arns);
            let ours = |task: &Task| task.started_by == followed.id && task.has_failed();
            failures.tasks.extend(tasks.into_iter().filter(ours));
        }
        Ok(service)
    }

    async fn watch(
        &self,
        followed: &Followed,
        known: Option<&str>,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        let clock = self.client.clock();
        let began = clock.now();
        let mut failures = Failures::default();
        let mut pause = FIRST_PAUSE;
        let mut back_since = None;
        loop {
            let service = self.observe(followed, &mut failures).await?.unwrap_or_default();
            let passed = clock.since(began);
            let stand = judge(followed, &service, &failures.tasks, passed, self.target.limits);
            let finding = diagnose(&failures.tasks, &service, known);
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
                    outcome.findings = finding;
                    if let Some(task) = failures.tasks.last() {
                        outcome.log = ecs::last_lines(self.client, self.wanted, task, LINES).await;
                    }
                    return self.ended(ended, followed, outcome, say, stop).await;
                }
            };
            say.waiting(&service, &what);
            tokio::select! {
                biased;
                () = &mut *stop => {
                    outcome.verdict = Verdict::Interrupted;
                    outcome.findings = finding;
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
                    self.go_back(before, outcome, say, stop).await?;
                }
                Some(before) => {
                    outcome.left = format!(
                        "ECS goes on trying; {} still serves where its tasks are left",
                        short(before)
                    );
                }
                None => {
                    "there is no revision that ran well to go back to, and ECS goes on trying"
                        .clone_into(&mut outcome.left);
                }
            },
        }
        Ok(())
    }

    /// Brings the service back, and waits until it is there.
    async fn go_back(
        &self,
        before: &str,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        let why = outcome.findings.first().map(|finding| finding.class.title());
        let why = why.unwrap_or("it does not become complete");
        say.line(&format!("{why}: going back to {}", short(before)));
        let updated = ecs::update(self.client, &self.target.place, before).await?;
        let id = updated.primary().map(|it| it.id.clone()).unwrap_or_default();
        let followed = Followed { id, revision: before.to_owned(), before: None };
        let clock = self.client.clock();
        let began = clock.now();
        let mut pause = FIRST_PAUSE;
        loop {
            let service = ecs::service(self.client, &self.target.place).await?.unwrap_or_default();
            let stand = judge(&followed, &service, &[], clock.since(began), self.target.limits);
            match stand {
                Stand::Waiting(what) | Stand::GoingBack(what) => say.waiting(&service, &what),
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

    /// Asks every task that runs which image that is.
    async fn confirm(
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
        let is_it = |it: &Container| {
            it.name == self.container && (digests.is_empty() || digests.contains(&it.digest))
        };
        let is_other =
            |task: &&Task| task.task_definition != revision || !task.containers.iter().any(is_it);
        let others: Vec<&Task> = tasks.iter().filter(is_other).collect();
        let digest = self.image.reference.rsplit('@').next().unwrap_or_default();
        outcome.verdict = verdict;
        outcome.left = match tasks.len() {
            0 => "no task runs, for the service is to have none".to_owned(),
            count => format!("{count} tasks run {digest}"),
        };
        if tasks.is_empty() && service.desired > 0 {
            outcome.verdict = Verdict::OtherImage;
            outcome.left = format!("no task runs, and there should be {}", service.desired);
        }
        if let Some(other) = others.first() {
            outcome.verdict = Verdict::OtherImage;
            let runs: Vec<&str> = other.containers.iter().map(|it| it.digest.as_str()).collect();
            outcome.left = format!(
                "{} of {} tasks run another image: {} of {} runs {}",
                others.len(),
                tasks.len(),
                short(&other.arn),
                short(&other.task_definition),
                runs.join(", ")
            );
        }
        Ok(())
    }
}
