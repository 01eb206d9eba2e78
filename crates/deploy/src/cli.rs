//! Verbs: arguments and deploy.toml → library → text or JSON, and an exit code.

mod show;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reqwest::Url;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::aws::credentials::{OpenId, Source, chain};
use crate::aws::error::AwsError;
use crate::aws::{Client, Patience, Service, Settings};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, expanded};
use crate::ecs::{self, Place};
use crate::image::{Delivery, ImageError};
use crate::logs::{self, logs};
use crate::orb::{OrbError, Updates};
use crate::provision::{ProvisionError, TEMPLATE, Wanted, carry_out, propose, withdraw};
use crate::release::{Outcome, ReleaseError, Target, look, planned, release, rollback};
use crate::rollout::Limits;
use crate::simulator::{self, scenarios};
use crate::stack::ResourceChange;
use crate::task::{self, Ended};
use crate::task_definition::{Edit, Set};
use crate::verify::{Found, verify};
use show::{Lines, Live};

/// Releases container images to Amazon ECS, and is green only if exactly this image serves.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, and every task runs this image · 2 usage or deploy.toml · \
10 refused before anything was changed · 11 AWS refused or can't be reached · 20 failed for no known \
reason · 21 superseded by another deployment · 22 took too long · 23 interrupted · 24 a task runs \
another image · 25 its migrations failed · 26 the stack failed · from 30 on: why it failed, see `deploy simulate --list`";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Push the image, deploy it, and wait until nothing else serves; or bring the service back
    Release {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        what: What,
    },
    /// Push the image to ECR, and print how a task definition names it
    Push {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        what: What,
    },
    /// Show what a release would change, without changing anything
    Plan {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        what: What,
    },
    /// Look at everything that could make a release fail, and change nothing
    Verify {
        #[command(flatten)]
        at: At,
        #[command(flatten)]
        what: What,
    },
    /// Show a service, its deployments, tasks and last events
    Status {
        #[command(flatten)]
        at: At,
        /// Again and again, until no deployment is under way
        #[arg(long)]
        watch: bool,
    },
    /// Show the log of the service's tasks, as far as AWS keeps it
    Logs {
        #[command(flatten)]
        at: At,
        /// Of one task, by its id
        #[arg(long, value_name = "ID")]
        task: Option<String>,
        /// Of the last so many minutes
        #[arg(long, value_name = "MINUTES", default_value_t = 10)]
        since: u64,
        /// Go on with what comes
        #[arg(short, long)]
        follow: bool,
    },
    /// Bring the service back to what last ran well, or to a revision
    Rollback {
        #[command(flatten)]
        at: At,
        /// The revision, such as app:12
        #[arg(long, value_name = "REVISION")]
        to: Option<String>,
        /// Even if the database's schema is too new for it
        #[arg(long)]
        force: bool,
    },
    /// Run the service's image once with other arguments, follow its log, and end with its exit code
    Task {
        #[command(flatten)]
        at: At,
        /// Its arguments
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Make or change what the service needs, as a stack of AWS: shown first, then followed
    Provision {
        #[command(flatten)]
        at: At,
        /// The stack [default: named as the service]
        #[arg(long, value_name = "NAME")]
        stack: Option<String>,
        /// Its template, a file or an address in S3 [default: the one that comes along]
        #[arg(long, value_name = "FILE")]
        template: Option<String>,
        /// A parameter of the template
        #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
        parameters: Vec<(String, String)>,
        /// Only show what would be done
        #[arg(long)]
        diff: bool,
        /// Ask nobody, even if something would be removed or replaced
        #[arg(short, long)]
        yes: bool,
        /// Only print the template that comes along
        #[arg(long)]
        print_template: bool,
    },
    /// As the orb aws-ecs does it: its flags, in both of its spellings
    #[command(name = "service-update")]
    ServiceUpdate {
        #[command(flatten)]
        orb: Orb,
        #[command(flatten)]
        at: At,
    },
    /// Show what a release does when something goes wrong, in a world of its own
    Simulate {
        /// What goes wrong
        #[arg(required_unless_present = "list")]
        scenario: Option<String>,
        /// List what can go wrong, with the exit codes
        #[arg(long)]
        list: bool,
        /// How the result is printed
        #[arg(long, value_enum, default_value = "text")]
        output: Output,
    },
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Where the service is.
#[derive(Debug, Args)]
pub struct At {
    /// The file that says where releases go; without it, flags must say it all
    #[arg(long, value_name = "FILE", default_value = "deploy.toml")]
    config: PathBuf,
    /// Its section, if it has several
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// The region [default: as the AWS CLI finds it]
    #[arg(long, alias = "aws-region", alias = "aws_region", value_name = "REGION")]
    region: Option<String>,
    /// A profile of ~/.aws/config
    #[arg(long, alias = "profile-name", alias = "profile_name", value_name = "NAME")]
    profile: Option<String>,
    /// The account that it must be in
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
    /// The role that a job's OIDC token is exchanged for
    #[arg(long, value_name = "ARN")]
    role: Option<String>,
    /// The cluster
    #[arg(long, alias = "cluster-name", alias = "cluster_name", value_name = "NAME")]
    cluster: Option<String>,
    /// The service
    #[arg(long, alias = "service-name", alias = "service_name", value_name = "NAME")]
    service: Option<String>,
    /// The container that gets the image, if there are several
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Where a service of AWS is, or all of them, instead of where AWS has it
    #[arg(long = "endpoint-url", value_name = "[SERVICE=]URL", value_parser = endpoint)]
    endpoints: Vec<(Option<Service>, Url)>,
    /// After so many minutes a deployment is given up [default: 15]
    #[arg(long, value_name = "MINUTES")]
    timeout_minutes: Option<u64>,
    /// After so many failed tasks it is given up [default: 2]
    #[arg(long, value_name = "NUMBER")]
    failures: Option<usize>,
    /// Leave a service that fails as it is, instead of bringing it back
    #[arg(long)]
    no_rollback: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// What is released.
#[derive(Debug, Args)]
pub struct What {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, or docker://… that is there
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The repository of ECR that it is pushed to
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// A tag that it gets there
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Deploy it even if nothing changes, another deployment is under way, or it is found to fail
    #[arg(long)]
    force: bool,
}

/// The orb's flags.
#[derive(Debug, Args)]
pub struct Orb {
    /// The family of task definitions; the service's name, if that is not said
    #[arg(long, value_name = "NAME")]
    family: String,
    /// container=NAME,tag=TAG, and more of them behind commas
    #[arg(long, alias = "container_image_name_updates", default_value = "")]
    container_image_name_updates: String,
    /// container=NAME,name=VARIABLE,value=VALUE, and more of them behind commas
    #[arg(long, alias = "container_env_var_updates", default_value = "")]
    container_env_var_updates: String,
    /// container=NAME,name=VARIABLE,valueFrom=ARN, and more of them behind commas
    #[arg(long, alias = "container_secret_updates", default_value = "")]
    container_secret_updates: String,
    /// container=NAME,key=LABEL,value=VALUE, and more of them behind commas
    #[arg(long, alias = "container_docker_label_updates", default_value = "")]
    container_docker_label_updates: String,
    /// It is always verified
    #[arg(long, alias = "verify_revision_is_deployed", num_args = 0..=1, hide = true)]
    verify_revision_is_deployed: Option<String>,
    /// Let it be deployed even if nothing changes
    #[arg(long, alias = "force_new_deployment", num_args = 0..=1, default_value = "false",
          default_missing_value = "true")]
    force_new_deployment: bool,
    /// Let ECS end a deployment that fails, and go back
    #[arg(long, alias = "enable_circuit_breaker", num_args = 0..=1, default_value = "false",
          default_missing_value = "true")]
    enable_circuit_breaker: bool,
    /// What took too long is never green
    #[arg(long, alias = "fail_on_verification_timeout", num_args = 0..=1, hide = true,
          value_parser = ["true"])]
    fail_on_verification_timeout: Option<String>,
    /// ECS's own
    #[arg(long, alias = "deployment_controller", hide = true, value_parser = ["ECS"])]
    deployment_controller: Option<String>,
    /// So often the orb would look: with the interval, how long it waits
    #[arg(long, alias = "max_poll_attempts", default_value_t = 50)]
    max_poll_attempts: u64,
    /// In seconds
    #[arg(long, alias = "poll_interval", default_value_t = 20)]
    poll_interval: u64,
}

/// Why a verb failed. Each text is complete.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// See there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The file can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Something was not said.
    #[error("name the {0}: in deploy.toml, or with --{0}")]
    Unsaid(&'static str),
    /// See there.
    #[error(transparent)]
    Orb(#[from] OrbError),
    /// See there.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// See there.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// See there.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// See there.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// Something would be lost, and nobody is there to be asked.
    #[error(
        "nothing was done: something would be removed or replaced, and there is no terminal to ask at. Look at `deploy provision --diff`, then say --yes"
    )]
    Grave,
    /// Who was asked said no.
    #[error("nothing was done")]
    Declined,
    /// There is no such scenario.
    #[error("there is no scenario {0:?}: `deploy simulate --list` lists them")]
    Scenario(String),
    /// The machine can't do it.
    #[error("{0}")]
    Machine(#[from] io::Error),
}

impl CliError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Release(error) => error.exit_code(),
            Self::Provision(error) => error.exit_code(),
            Self::Aws(_) | Self::Image(ImageError::Aws(_)) => 11,
            Self::Image(_) | Self::Grave | Self::Declined => 10,
            Self::Machine(_) => 1,
            _ => 2,
        }
    }
}

/// Does it, and says by which code to end.
pub fn run(arguments: &Arguments) -> ExitCode {
    let done = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(CliError::from)
        .and_then(|runtime| runtime.block_on(verb(&arguments.verb)));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            show::error(&error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

async fn verb(verb: &Verb) -> Result<u8, CliError> {
    let out = &mut anstream::stdout();
    match verb {
        Verb::Release { at, what } => {
            let ready = Ready::new(at).await?;
            let tags = ready.tags(what)?;
            released(&ready.client, &Target { tags, ..ready.release(what)? }, at.output).await
        }
        Verb::ServiceUpdate { orb, at } => {
            let read = |updates: Updates, text: &str| {
                Ok::<_, CliError>(updates.read(&expanded(text, &variable)?)?)
            };
            let images = read(Updates::Images, &orb.container_image_name_updates)?;
            let mut edits = read(Updates::Variables, &orb.container_env_var_updates)?;
            edits.extend(read(Updates::Secrets, &orb.container_secret_updates)?);
            edits.extend(read(Updates::Labels, &orb.container_docker_label_updates)?);
            let mut ready = Ready::new(at).await?;
            // As the orb has it.
            ready.config.service.get_or_insert_with(|| orb.family.clone());
            let (force, breaker) = (orb.force_new_deployment, orb.enable_circuit_breaker);
            let mut target = Target { edits, force, breaker, ..ready.target()? };
            target.limits.time = Duration::from_secs(orb.max_poll_attempts * orb.poll_interval);
            by_tag(&ready.client, &mut target, images).await?;
            released(&ready.client, &target, at.output).await
        }
        Verb::Push { at, what } => {
            let ready = Ready::new(at).await?;
            let (image, tags) = (ready.image(what)?, ready.tags(what)?);
            let repository = ready.repository(what)?;
            let repository = repository.as_deref();
            let bars = Live::new().bars();
            let delivery = Delivery::open(&ready.client, &image, repository).await?;
            let image = delivery.deliver(&tags, &bars).await?;
            writeln!(out, "{}", image.reference)?;
            Ok(0)
        }
        Verb::Plan { at, what } => {
            let ready = Ready::new(at).await?;
            let target = ready.release(what)?;
            let service = look(&ready.client, &target).await?;
            let repository = target.repository.as_deref();
            let delivery = Delivery::open(&ready.client, &target.image, repository).await?;
            let image = delivery.reference();
            let planned = planned(&ready.client, &target, service, &image).await?;
            show::plan(out, &target, &planned, at.output)?;
            Ok(0)
        }
        Verb::Verify { at, what } => {
            let ready = Ready::new(at).await?;
            let checks = verify(&ready.client, &ready.release(what)?).await;
            show::checks(out, &checks, at.output)?;
            let wrong = checks.iter().any(|check| matches!(check.found, Found::Wrong(_)));
            Ok(if wrong { 10 } else { 0 })
        }
        Verb::Status { at, watch } => status(out, at, *watch).await,
        Verb::Logs { at, task, since, follow } => {
            let ready = Ready::new(at).await?;
            let since = Duration::from_mins(*since);
            let wanted = logs::Wanted { task: task.clone(), since, follow: *follow };
            logs(&ready.client, &ready.target()?, &wanted, &mut line).await?;
            Ok(0)
        }
        Verb::Rollback { at, to, force } => {
            let ready = Ready::new(at).await?;
            let target = ready.target()?;
            let mut live = Live::new();
            let mut stop = Box::pin(asked_to_stop()?);
            let outcome =
                rollback(&ready.client, &target, to.as_deref(), *force, &mut live, &mut stop)
                    .await?;
            ended(&outcome, at.output)
        }
        Verb::Task { at, command } => {
            let ready = Ready::new(at).await?;
            let target = ready.target()?;
            let mut stop = Box::pin(asked_to_stop()?);
            match task::run(&ready.client, &target, command, &mut line, &mut stop).await? {
                Ended::With(code) => Ok(u8::try_from(code).unwrap_or(255)),
                Ended::Late => {
                    show::error("the task did not start in time, and was stopped");
                    Ok(22)
                }
                Ended::Left(arn) => {
                    show::error(&format!("interrupted. {}", task::goes_on(&arn)));
                    Ok(23)
                }
                Ended::Never(findings) => {
                    show::findings(&mut anstream::stderr(), &findings)?;
                    Ok(findings.first().map_or(20, |finding| finding.class.exit_code()))
                }
            }
        }
        Verb::Provision { print_template: true, .. } => {
            write!(out, "{TEMPLATE}")?;
            Ok(0)
        }
        Verb::Provision { at, stack, template, parameters, diff, yes, .. } => {
            let ready = Ready::new(at).await?;
            let wanted = ready.stack(stack.as_ref(), template.as_ref(), parameters)?;
            provisioned(&ready.client, &wanted, *diff, *yes, at.output).await
        }
        Verb::Simulate { list: true, .. } => {
            show::scenarios(out)?;
            Ok(0)
        }
        Verb::Simulate { scenario, output, .. } => {
            let wanted = scenario.clone().unwrap_or_default();
            let found = scenarios::all().into_iter().find(|it| it.name == wanted);
            let scenario = found.ok_or(CliError::Scenario(wanted))?;
            let played = simulator::play(&scenario, &mut Lines).await?;
            ended(&played.result?, *output)
        }
    }
}

/// Names the image that a tag stands for, as the orb is told it.
async fn by_tag(client: &Client, target: &mut Target, images: Vec<Edit>) -> Result<(), CliError> {
    let service = look(client, target).await?;
    let (_, current) = ecs::definition(client, &service.task_definition).await?;
    let edited = current.edited(&images).map_err(ReleaseError::from)?;
    let mut images = images.into_iter();
    let first = images.next().map(|edit| edit.container);
    let container = first.or(target.container.take()).or(current.containers().first().cloned());
    let image = container.as_ref().and_then(|it| edited.image(it)).unwrap_or_default();
    target.image = format!("docker://{image}");
    target.container = container;
    target.edits.extend(images);
    Ok(())
}

/// Proposes a change of a stack, shows it, and carries it out if that is wanted.
async fn provisioned(
    client: &Client,
    wanted: &Wanted,
    diff: bool,
    yes: bool,
    output: Output,
) -> Result<u8, CliError> {
    let mut live = Live::new();
    let proposal = propose(client, wanted, &mut live).await?;
    let out = &mut anstream::stdout();
    if diff || proposal.is_none() || output == Output::Text {
        show::proposal(out, &wanted.stack, proposal.as_ref(), output)?;
    }
    let Some(proposal) = proposal else { return Ok(0) };
    let is_grave = proposal.changes.iter().any(ResourceChange::is_grave);
    let consent = if diff || yes {
        Ok(yes && !diff)
    } else if io::stdin().is_terminal() {
        live.asked("Carry it out?")?.then_some(true).ok_or(CliError::Declined)
    } else if is_grave {
        Err(CliError::Grave)
    } else {
        Ok(true)
    };
    if !matches!(consent, Ok(true)) {
        withdraw(client, &proposal).await?;
        return consent.map(|_| 0);
    }
    let mut stop = Box::pin(asked_to_stop()?);
    let done = carry_out(client, &proposal, &mut live, &mut stop).await?;
    drop(live);
    show::provisioned(out, &done, output)?;
    Ok(done.exit_code())
}

/// A line of somebody's log.
fn line(text: &str) {
    // Who closed the pipe does not want it.
    let _ = writeln!(anstream::stdout(), "{text}");
}

async fn released(client: &Client, target: &Target, output: Output) -> Result<u8, CliError> {
    let mut live = Live::new();
    let mut stop = Box::pin(asked_to_stop()?);
    let bars = live.bars();
    let outcome = release(client, target, &bars, &mut live, &mut stop).await?;
    drop(live);
    ended(&outcome, output)
}

fn ended(outcome: &Outcome, output: Output) -> Result<u8, CliError> {
    show::outcome(&mut anstream::stdout(), outcome, output)?;
    Ok(outcome.exit_code())
}

async fn status(out: &mut dyn Write, at: &At, watch: bool) -> Result<u8, CliError> {
    let ready = Ready::new(at).await?;
    let target = ready.target()?;
    loop {
        let service = look(&ready.client, &target).await?;
        let deploying = service.is_deploying();
        let mut tasks = Vec::new();
        for stopped in [false, true] {
            let arns = ecs::tasks(&ready.client, &target.place, stopped).await?;
            tasks.extend(ecs::described(&ready.client, &target.place, &arns).await?);
        }
        show::status(out, &service, &tasks, at.output)?;
        if !(watch && deploying) {
            return Ok(0);
        }
        ready.client.clock().sleep(Duration::from_secs(10)).await;
    }
}

/// Comes to an end when somebody asks this to stop: `CircleCI` sends SIGTERM to jobs that are
/// cancelled.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

/// A client, and what was said of where to go.
struct Ready<'a> {
    client: Client,
    config: Config,
    at: &'a At,
}

impl<'a> Ready<'a> {
    async fn new(at: &'a At) -> Result<Self, CliError> {
        let config = match std::fs::read_to_string(&at.config) {
            Ok(text) => Config::read(&text, at.env.as_deref())?,
            // Flags may say it all.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && at.env.is_none()
                    && at.config == Path::new("deploy.toml") =>
            {
                Config::default()
            }
            Err(reason) => return Err(CliError::File { path: at.config.clone(), reason }),
        };
        let region = said(at.region.as_ref(), config.region.as_ref())?;
        let region = region.as_deref();
        let role = said(at.role.as_ref(), config.role.as_ref())?;
        let role = role.as_deref();
        let (found, found_region) = chain(at.profile.as_deref(), region).await;
        let source = match (OpenId::of_circleci(role, variable), found) {
            (Some(open_id), _) => Source::OpenId(open_id),
            (None, Some(chain)) => Source::Chain(chain),
            (None, None) => {
                return Err(AwsError::Credentials("nothing was found".to_owned()).into());
            }
        };
        let mut endpoints = BTreeMap::new();
        for service in Service::ALL {
            let named = at.endpoints.iter().find(|(it, _)| *it == Some(service));
            let any = at.endpoints.iter().find(|(it, _)| it.is_none());
            if let Some((_, url)) = named.or(any) {
                endpoints.insert(service, url.clone());
            }
        }
        let region = region.map(ToOwned::to_owned).or(found_region);
        let client = Client::new(Settings {
            region: region.ok_or(CliError::Unsaid("region"))?,
            endpoints,
            source,
            patience: Patience::default(),
            clock: Clock::Real,
        })?;
        Ok(Self { client, config, at })
    }

    /// The stack that the service is part of.
    fn stack(
        &self,
        stack: Option<&String>,
        template: Option<&String>,
        parameters: &[(String, String)],
    ) -> Result<Wanted, CliError> {
        let Self { config, at, .. } = self;
        let service = said(at.service.as_ref(), config.service.as_ref())?;
        let cluster = said(at.cluster.as_ref(), config.cluster.as_ref())?;
        let stack = said(stack, config.stack.as_ref())?.or_else(|| service.clone());
        let template = match said(template, config.template.as_ref())? {
            Some(address) if address.starts_with("https://") => address,
            Some(path) => {
                let read = std::fs::read_to_string(&path);
                read.map_err(|reason| CliError::File { path: path.into(), reason })?
            }
            None => TEMPLATE.to_owned(),
        };
        let mut all = BTreeMap::new();
        for (name, value) in &config.parameters {
            all.insert(name.clone(), expanded(value, &variable)?);
        }
        all.extend(parameters.iter().cloned());
        let place = cluster.zip(service).map(|(cluster, service)| Place { cluster, service });
        Ok(Wanted {
            stack: stack.ok_or(CliError::Unsaid("stack"))?,
            template,
            parameters: all,
            place,
            container: said(at.container.as_ref(), config.container.as_ref())?,
            account: said(at.account.as_ref(), config.account.as_ref())?,
        })
    }

    fn image(&self, what: &What) -> Result<String, CliError> {
        said(what.image.as_ref(), self.config.image.as_ref())?.ok_or(CliError::Unsaid("image"))
    }

    fn repository(&self, what: &What) -> Result<Option<String>, CliError> {
        said(what.repository.as_ref(), self.config.repository.as_ref())
    }

    fn tags(&self, what: &What) -> Result<Vec<String>, CliError> {
        let tags = if what.tags.is_empty() { &self.config.tags } else { &what.tags };
        all_expanded(tags)
    }

    /// The service, and how it is watched.
    fn target(&self) -> Result<Target, CliError> {
        let Self { config, at, .. } = self;
        let need = |flag: &Option<String>, of: &Option<String>, name| {
            said(flag.as_ref(), of.as_ref())?.ok_or(CliError::Unsaid(name))
        };
        let default = Limits::default();
        let minutes = at.timeout_minutes.map(Duration::from_mins).or(config.timeout());
        Ok(Target {
            place: Place {
                cluster: need(&at.cluster, &config.cluster, "cluster")?,
                service: need(&at.service, &config.service, "service")?,
            },
            account: said(at.account.as_ref(), config.account.as_ref())?,
            container: said(at.container.as_ref(), config.container.as_ref())?,
            image: String::new(),
            repository: None,
            tags: Vec::new(),
            edits: Vec::new(),
            migrate: all_expanded(&config.migrate)?,
            schema: all_expanded(&config.schema)?,
            limits: Limits {
                failures: at.failures.or(config.failures).unwrap_or(default.failures),
                time: minutes.unwrap_or(default.time),
            },
            force: false,
            breaker: false,
            rollback: !at.no_rollback && config.rollback.unwrap_or(true),
        })
    }

    /// And what is released; without tags, which a plan does not need.
    fn release(&self, what: &What) -> Result<Target, CliError> {
        let target = self.target()?;
        let container = || target.container.clone().ok_or(CliError::Unsaid("container"));
        let edit = |name: &String, value: &String, set: fn(String, String) -> Set| {
            let change = set(name.clone(), expanded(value, &variable)?);
            Ok(Edit { container: container()?, change })
        };
        let variables = self.config.variables.iter();
        let variables = variables.map(|(name, value)| edit(name, value, Set::Variable));
        let secrets = self.config.secrets.iter();
        let secrets = secrets.map(|(name, from)| edit(name, from, Set::Secret));
        Ok(Target {
            force: what.force,
            image: self.image(what)?,
            repository: self.repository(what)?,
            edits: variables.chain(secrets).collect::<Result<_, CliError>>()?,
            ..target
        })
    }
}

fn all_expanded(texts: &[String]) -> Result<Vec<String>, CliError> {
    texts.iter().map(|text| Ok(expanded(text, &variable)?)).collect()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What a flag says, or else deploy.toml.
fn said(flag: Option<&String>, config: Option<&String>) -> Result<Option<String>, CliError> {
    match (flag, config) {
        (Some(flag), _) => Ok(Some(flag.clone())),
        (None, said) => Ok(said.map(|text| expanded(text, &variable)).transpose()?),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn endpoint(text: &str) -> Result<(Option<Service>, Url), String> {
    let (service, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains(':') => {
            let found = Service::ALL.into_iter().find(|service| service.name() == name);
            let known: Vec<&str> = Service::ALL.iter().map(|service| service.name()).collect();
            (Some(found.ok_or_else(|| format!("services are {}", known.join(", ")))?), url)
        }
        _ => (None, text),
    };
    Ok((service, url.parse().map_err(|error| format!("{url} is no address: {error}"))?))
}
