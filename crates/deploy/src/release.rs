//! The way of a release: look → push → register → (migrate) → update → watch → confirm, or go back.

use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::{Value, json};

use crate::aws::error::AwsError;
use crate::aws::{Client, Service as Aws};
use crate::diagnose::Finding;
use crate::ecs::{self, Place};
use crate::image::{Delivery, Image, ImageError};
use crate::observed::{Rollout, Service};
use crate::order::Order;
use crate::rollout::Limits;
use crate::task::{self, Ended, Job};
use crate::task_definition::{Change, Edit, EditError, Registration, Set, changes};
use crate::verify::{Check, Found, of_planned};

/// `migrate status`: all is applied, or something is not yet.
const FITS: [i64; 2] = [0, 3];
/// `migrate status`: the schema is too new for this image.
const TOO_NEW: i64 = 32;

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
    /// The arguments of a task of the new revision that must succeed before the service gets it.
    pub migrate: Vec<String>,
    /// The arguments of a task that says, as `migrate status` does, whether an image fits the schema.
    pub schema: Vec<String>,
    /// When it is given up.
    pub limits: Limits,
    /// Whether the service is brought back then.
    pub rollback: bool,
    /// Whether it is deployed even if nothing changes.
    pub force: bool,
    /// Whether the service gets a circuit breaker, if it has none.
    pub breaker: bool,
}

impl Target {
    /// The container that gets the image.
    pub(crate) fn container(&self, definition: &Registration) -> Result<String, ReleaseError> {
        let containers = definition.containers();
        match (&self.container, containers.as_slice()) {
            (Some(container), _) => Ok(container.clone()),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(ReleaseError::Container(containers)),
        }
    }
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
    /// Its migrations failed, and the service was not changed.
    NotMigrated,
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
            Verdict::NotMigrated => {
                self.findings.first().map_or(25, |finding| finding.class.exit_code())
            }
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
    /// Who wanted it was asked to stop.
    #[error("interrupted, before anything of the service was changed")]
    Interrupted,
    /// Its log goes elsewhere.
    #[error("{} sends its log to no group of CloudWatch with a stream prefix (awslogs)", short(.0))]
    NoLog(String),
    /// It would fail.
    #[error("it would fail, so nothing was changed:{}", wrong(.0))]
    Wrong(Vec<Check>),
    /// Another deployment goes on.
    #[error(
        "a deployment of {} is under way: wait for it (`deploy status --watch`), then try again; or take its place with --force", short(.revision)
    )]
    UnderWay {
        /// Of which revision.
        revision: String,
    },
    /// Nothing else was ever deployed well.
    #[error("nothing but {} was ever deployed well here, as far as ECS remembers (three months): name a revision with --to", short(.0))]
    NothingBefore(String),
    /// The schema asks for a newer image.
    #[error(
        "the database's schema is too new for {}: it says that only newer releases may run on it. Nothing was changed; --force goes back all the same", short(.0)
    )]
    SchemaTooNew(String),
    /// It can't be known whether it does.
    #[error(
        "it is not known whether {} fits the database's schema: {why}. Nothing was changed; --force goes back all the same", short(.revision)
    )]
    SchemaUnknown {
        /// The revision.
        revision: String,
        /// Why.
        why: String,
    },
    /// There are several containers.
    #[error("the task definition has the containers {}: say which gets the image, container = \"NAME\" or --container NAME", .0.join(", "))]
    Container(Vec<String>),
}

fn wrong(checks: &[Check]) -> String {
    checks.iter().fold(String::new(), |text, Check { what, found }| match found {
        Found::Wrong(why) => text + "\n  - " + what + ": " + why,
        Found::Fine | Found::Unknown(_) => text,
    })
}

impl ReleaseError {
    /// By which the program ends.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Aws(_) | Self::Image(ImageError::Aws(_)) | Self::Lost { .. } => 11,
            Self::Interrupted => 23,
            _ => 10,
        }
    }
}

/// Where it is told what is done.
pub trait Say {
    /// A step that begins, or a fact.
    fn line(&mut self, text: &str);
    /// What is waited for now, and how the service is, if it is a service that is.
    fn waiting(&mut self, what: &str, service: Option<&Service>);
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

/// Refuses credentials of another account.
pub(crate) async fn guard(client: &Client, account: Option<&str>) -> Result<(), ReleaseError> {
    let Some(wanted) = account else { return Ok(()) };
    let identity = client.call(Aws::Sts, "GetCallerIdentity", &json!({})).await?;
    let found = identity.get("Account").and_then(Value::as_str).unwrap_or_default();
    if found == wanted {
        return Ok(());
    }
    let (found, wanted) = (found.to_owned(), wanted.to_owned());
    Err(ReleaseError::Account { found, wanted })
}

/// Looks whether a release can begin.
pub async fn look(client: &Client, target: &Target) -> Result<Service, ReleaseError> {
    guard(client, target.account.as_deref()).await?;
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
    let container = target.container(&current)?;
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
    let ready = tokio::select! {
        biased;
        () = &mut *stop => return Err(ReleaseError::Interrupted),
        ready = ready(client, target, bars, say) => ready?,
    };
    let Ready { planned, image, is_changed, is_failed } = ready;
    let sent = if image.sent > 0 {
        format!("sent {:.1} MiB", image.sent as f64 / 1_048_576.0)
    } else {
        "was there already".to_owned()
    };
    say.line(&format!("{} {sent}", image.reference));
    let Planned { service, container, current, wanted } = planned;
    let before = service.task_definition.clone();
    let mut outcome = Outcome::new(&image, &before, changes(&current, &wanted));
    // Of a revision that failed, ECS begins no other deployment by itself.
    let force = target.force || (is_failed && current == wanted);
    let target = &Target { force, ..target.clone() };
    let order = Order { client, target, image: &image, container: &container, wanted: &wanted };
    if is_changed {
        for change in &outcome.changes {
            say.line(&format!("  {change}"));
        }
        let revision =
            if current == wanted { before.clone() } else { ecs::register(client, &wanted).await? };
        // To the same one is no way back.
        let well = service.ran_well().map(ToOwned::to_owned);
        let back_to = well.filter(|before| *before != revision);
        if order.migrated(&service, &revision, &mut outcome, say, stop).await? {
            order.roll_out(&service, revision, back_to, &mut outcome, say, stop).await?;
        }
    } else {
        order.confirm(&service, &before, Verdict::Unchanged, &mut outcome).await?;
    }
    outcome.seconds = client.clock().since(began).as_secs();
    outcome.calls = client.calls().len();
    Ok(outcome)
}

/// What a release is about to do, with its image in ECR.
struct Ready {
    planned: Planned,
    image: Image,
    is_changed: bool,
    /// Whether the last deployment failed.
    is_failed: bool,
}

/// Looks, and pushes; nothing of the service is changed.
async fn ready(
    client: &Client,
    target: &Target,
    bars: &MultiProgress,
    say: &mut dyn Say,
) -> Result<Ready, ReleaseError> {
    let service = look(client, target).await?;
    let primary = service.primary().cloned().unwrap_or_default();
    // A service without tasks that ever ran well says so by its deployment.
    let is_failed = primary.rollout == Rollout::Failed;
    if service.is_deploying() && !is_failed && !target.force {
        return Err(ReleaseError::UnderWay { revision: primary.task_definition });
    }
    say.line(&format!("{} runs {}", service.name, short(&service.task_definition)));
    let delivery = Delivery::open(client, &target.image, target.repository.as_deref()).await?;
    let planned = planned(client, target, service, &delivery.reference()).await?;
    let is_changed = planned.current != planned.wanted
        || is_failed
        || target.force
        || (target.breaker && !planned.service.circuit_breaker.enabled);
    if is_changed {
        let mut checks = of_planned(client, target, &planned, &delivery).await;
        checks.retain(|check| matches!(check.found, Found::Wrong(_)));
        if !checks.is_empty() && !target.force {
            return Err(ReleaseError::Wrong(checks));
        }
        for check in checks {
            say.line(&format!("all the same: {}", check.what));
        }
    }
    let image = delivery.deliver(&target.tags, bars).await?;
    Ok(Ready { planned, image, is_changed, is_failed })
}

/// Brings the service back to a revision, or to the last that was deployed well before the one that it
/// has: not to the previous number, which may never have run (kayac/ecspresso#22). Unless it is forced,
/// an image that the database's schema is too new for is refused, if there is a command that tells.
pub async fn rollback(
    client: &Client,
    target: &Target,
    to: Option<&str>,
    force: bool,
    say: &mut dyn Say,
    stop: &mut (dyn Future<Output = ()> + Unpin),
) -> Result<Outcome, ReleaseError> {
    let began = client.clock().now();
    let service = look(client, target).await?;
    let before = service.task_definition.clone();
    let (_, current) = ecs::definition(client, &before).await?;
    let container = target.container(&current)?;
    let to = if let Some(to) = to {
        to.to_owned()
    } else {
        let good = ecs::deployed_well(client, &target.place, &container).await?;
        let digest = current.image(&container).and_then(|image| image.split_once('@'));
        // One that is named by a tag has the digest that its revision was deployed with.
        let of_revision = || good.iter().find(|it| it.revision == before);
        let digest = match digest {
            Some((_, digest)) => digest.to_owned(),
            None => of_revision().map(|it| it.digest.clone()).unwrap_or_default(),
        };
        let other = ecs::before(&good, &digest).map(|it| it.revision.clone());
        other.ok_or_else(|| ReleaseError::NothingBefore(before.clone()))?
    };
    let (revision, wanted) = ecs::usable(client, &to).await?;
    say.line(&format!("{} runs {}: back to {}", service.name, short(&before), short(&revision)));
    let reference = wanted.image(&container).unwrap_or_default().to_owned();
    let image = Image::known(client, &reference).await;
    let mut outcome = Outcome::new(&image, &before, changes(&current, &wanted));
    let order = Order { client, target, image: &image, container: &container, wanted: &wanted };
    if revision == before && !service.is_deploying() {
        order.confirm(&service, &revision, Verdict::Unchanged, &mut outcome).await?;
    } else {
        if !force {
            order.fits(&service, &revision, say, stop).await?;
        }
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

impl Order<'_> {
    /// Runs the migrations as a task of the new revision, if there are some; says whether the service
    /// may have it now.
    async fn migrated(
        &self,
        service: &Service,
        revision: &str,
        outcome: &mut Outcome,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<bool, ReleaseError> {
        let command = &self.target.migrate;
        if command.is_empty() {
            return Ok(true);
        }
        outcome.verdict = Verdict::NotMigrated;
        revision.clone_into(&mut outcome.revision);
        let what = format!("`{}` as a task of {}", command.join(" "), short(revision));
        outcome.left = match self.task(service, revision, command, say, stop).await? {
            Ended::With(0) => return Ok(true),
            Ended::With(code) => format!("{what} ended with {code}; the service was not changed"),
            Ended::Never(findings) => {
                outcome.findings = findings;
                format!("{what} did not run; the service was not changed")
            }
            Ended::Late => format!("{what} did not start in time; the service was not changed"),
            Ended::Left(arn) => {
                outcome.verdict = Verdict::Interrupted;
                format!("{}. The service was not changed", task::goes_on(&arn))
            }
        };
        Ok(false)
    }

    /// Asks an image whether it fits the schema as it is now.
    async fn fits(
        &self,
        service: &Service,
        revision: &str,
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<(), ReleaseError> {
        let command = &self.target.schema;
        if command.is_empty() {
            return Ok(());
        }
        let why = match self.task(service, revision, command, say, stop).await? {
            Ended::With(code) if FITS.contains(&code) => return Ok(()),
            Ended::With(TOO_NEW) => return Err(ReleaseError::SchemaTooNew(revision.to_owned())),
            Ended::With(code) => format!("`{}` ended with {code}", command.join(" ")),
            Ended::Never(findings) => {
                let evidence = findings.first().and_then(|it| it.evidence.first());
                format!("no task ran: {}", evidence.map_or("no reason is given", String::as_str))
            }
            Ended::Late => "its task did not start in time".to_owned(),
            Ended::Left(arn) => task::goes_on(&arn),
        };
        Err(ReleaseError::SchemaUnknown { revision: revision.to_owned(), why })
    }

    async fn task(
        &self,
        service: &Service,
        revision: &str,
        command: &[String],
        say: &mut dyn Say,
        stop: &mut (dyn Future<Output = ()> + Unpin),
    ) -> Result<Ended, AwsError> {
        say.line(&format!("{} runs `{}` as a task", short(revision), command.join(" ")));
        let Self { client, target, container, wanted, .. } = self;
        let (place, definition) = (&target.place, *wanted);
        let patience = target.limits.time;
        let job = Job { place, service, revision, definition, container, command, patience };
        job.run(client, &mut |line| say.line(&format!("  | {line}")), stop).await
    }
}
