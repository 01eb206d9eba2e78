//! Verbs: arguments → library → text or JSON.

mod places;
mod show;
mod what;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::archive::ArchiveError;
use crate::base::{Base, BaseError};
use crate::blobs::BlobError;
use crate::boot::{BootError, Trial, boot};
use crate::build::{BuildError, Built, build, joined, threads};
use crate::cache::{self, Cache};
use crate::closure::Folder;
use crate::crates::{Crate, CratesError};
use crate::diff::diff;
use crate::files::Times;
use crate::git;
use crate::image::{Bundle, Image};
use crate::layout::LayoutError;
use crate::materials;
use crate::package::{Package, PackageError};
use crate::plan::{Copy, Plan, PlanError, plan};
use crate::preflight::{Problem, could_not_start, preflight};
use crate::read::{Contents, ReadError};
use crate::reference::{NoPlace, Place};
use crate::registry::client::RegistryError;
use crate::registry::pull::PullError;
use crate::registry::referrers::AttachError;
use crate::registry::server::Registry;
use crate::registry::server::personality::Personality;
use places::{Destination, Found, Places};
use show::HEADING;
use what::Wanted;
pub use what::What;

/// Turns a program into a slim OCI image, without a daemon.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const PLACES: &str = "IMAGE is oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME:TAG] \
                      or docker://HOST/REPOSITORY[:TAG][@DIGEST]";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show what would be in the image, in which layer, and why
    Plan {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        with: With,
    },
    /// Build the image and print its digest
    #[command(after_help = PLACES)]
    Build {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        with: With,
        /// Where it goes; may be said more than once
        #[arg(short, long, value_name = "IMAGE")]
        output: Vec<Place>,
        /// Build it although it could not start, or holds what looks like a secret
        #[arg(long)]
        force: bool,
        /// In registries, put its bill of materials (CycloneDX) and its provenance (SLSA) beside it
        #[arg(long)]
        attest: bool,
        #[command(flatten)]
        started: Started,
    },
    /// Print the bill of materials of an image as CycloneDX: crates, libraries with their packages,
    /// files
    #[command(after_help = PLACES)]
    Sbom {
        /// Which
        image: Place,
        /// The package that its program is of, which says its crates, unless the program does itself
        /// (cargo auditable)
        #[arg(short, long, value_name = "NAME")]
        package: Option<String>,
        /// The target that the program was built for, as rustc calls it
        #[arg(long, value_name = "TRIPLE", requires = "package")]
        target: Option<String>,
        #[command(flatten)]
        with: With,
    },
    /// Compute every digest of an image again, and look whether it could start
    #[command(after_help = PLACES)]
    Verify {
        /// Which
        image: Place,
        #[command(flatten)]
        started: Started,
        #[command(flatten)]
        with: With,
    },
    /// Bring an image to a registry, under one tag or more
    #[command(after_help = PLACES)]
    Push {
        /// Which
        image: Place,
        /// Where it goes in a registry; may be said more than once
        #[arg(required = true)]
        to: Vec<Place>,
        /// Bring it there although it could not start
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        started: Started,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        with: With,
    },
    /// Show an image's configuration, layers and files
    #[command(after_help = PLACES)]
    Inspect {
        /// Which
        image: Place,
        /// Its files as well
        #[arg(long)]
        files: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        with: With,
    },
    /// Say what changed from one image to another
    #[command(after_help = PLACES)]
    Diff {
        /// The one
        before: Place,
        /// The other
        after: Place,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        with: With,
    },
    /// A registry on this machine
    Registry {
        #[command(subcommand)]
        verb: RegistryVerb,
    },
}

/// Whether an image is started for a trial.
#[derive(Debug, Args)]
pub struct Started {
    /// Start it with runc or crun before it goes anywhere, wait until its health check is content (or
    /// for 3 seconds, if it has none), and end it
    #[arg(long)]
    boot: bool,
    /// A variable of its environment then, besides its own
    #[arg(long, value_name = "NAME=VALUE", value_parser = what::variable, requires = "boot")]
    boot_env: Vec<String>,
    /// Give it this machine's network then, such as for a database
    #[arg(long, requires = "boot")]
    boot_host_network: bool,
    /// How long it may take until it is well
    #[arg(long, value_name = "SECONDS", default_value = "60", requires = "boot")]
    boot_timeout: u64,
}

/// What a registry on this machine does.
#[derive(Debug, Subcommand)]
pub enum RegistryVerb {
    /// Keep images and give them out, until it is asked to end; for development
    Serve {
        /// Where it listens
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
        listen: SocketAddr,
        /// Where images are kept [default: a folder that is removed at the end]
        #[arg(long, value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

/// What verbs have in common.
#[derive(Debug, Args)]
pub struct With {
    /// Where compressed layers and blobs of base images are kept [default: ~/.cache/imagebuild]
    #[arg(long, value_name = "DIR", env = "IMAGEBUILD_CACHE")]
    cache: Option<PathBuf>,
    /// Of an image for several processors, the one for this: linux/amd64, linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_parser = architecture)]
    platform: Option<String>,
    /// Talk to registries without TLS; with this machine it is always so
    #[arg(long)]
    plain_http: bool,
    /// Look up again what the base's tag stands for, and write it into image.lock
    #[arg(long)]
    update_base: bool,
}

/// Why a verb failed. Each text is complete.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// See there.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// See there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// See there.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// See there.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// See there.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// See there.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// See there.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// See there.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// See there.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// See there.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// See there.
    #[error(transparent)]
    Place(#[from] NoPlace),
    /// Neither a package nor a program was named.
    #[error("name what the image is for: -p PACKAGE or --binary PATH")]
    Nothing,
    /// A value of a package's configuration.
    #[error("{value:?} in package.metadata.image is not as it should be: {wanted}")]
    Value {
        /// As it was written.
        value: String,
        /// How to write it.
        wanted: String,
    },
    /// The image could not start, or should not be seen.
    #[error("nothing was built:{}\n`--force` builds it nevertheless", items(.0))]
    Preflight(Vec<Problem>),
    /// The image is larger than it may be.
    #[error(
        "the image has {} and may have {}. Its largest files are:{}",
        show::human(*.size), show::human(*.most), items(.largest)
    )]
    TooLarge {
        /// Compressed, in bytes.
        size: u64,
        /// What it may have, in bytes.
        most: u64,
        /// Its largest files.
        largest: Vec<String>,
    },
    /// See there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An image is not as it should be.
    #[error("{image} is not sound:{}", items(.problems))]
    Unsound {
        /// Which.
        image: String,
        /// What is wrong.
        problems: Vec<String>,
    },
    /// A place that an image can't be pushed to.
    #[error("{0} is no registry: write docker://HOST/REPOSITORY[:TAG]")]
    NoRegistry(String),
    /// An address that can't be listened on.
    #[error("{listen} can't be listened on: {reason}")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// Why.
        reason: io::Error,
    },
    /// Nobody says which crates are in a program.
    #[error(
        "the image's program does not say which crates are in it: name its package with -p, or build \
         it with `cargo auditable build`"
    )]
    NoCrates,
    /// What is said of an image stands in a registry, and the image goes to none.
    #[error("--attest puts something beside the image in a registry: name one with -o docker://…")]
    AttestNowhere,
    /// See there.
    #[error(transparent)]
    Crates(#[from] CratesError),
    /// See there.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// No folder for the cache.
    #[error("there is no folder for the cache: set HOME, or say --cache DIR")]
    NoCache,
    /// `SOURCE_DATE_EPOCH` is no time.
    #[error("SOURCE_DATE_EPOCH is {0:?}, which is no number of seconds since 1970")]
    Epoch(String),
    /// The output can't be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] io::Error),
}

fn items(problems: &[impl ToString]) -> String {
    problems.iter().fold(String::new(), |text, problem| text + "\n  - " + &problem.to_string())
}

/// Does it.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    match &arguments.verb {
        Verb::Plan { what, with } => {
            let places = Places::new(with)?;
            for wanted in what.wanted()? {
                let plan = planned(&wanted, &places)?;
                let sizes = plan
                    .layers
                    .iter()
                    .map(|layer| places.cache.size(&layer.entries, plan.compression, threads()));
                let sizes = sizes.collect::<Result<Vec<_>, _>>().map_err(BuildError::from)?;
                show::plan(out, &plan, &sizes, what.json)?;
            }
        }
        Verb::Build { what, with, output, force, attest, started } => {
            if *attest && !output.iter().any(|place| matches!(place, Place::Registry(_))) {
                return Err(CliError::AttestNowhere);
            }
            let places = Places::new(with)?;
            let planned = |wanted| Ok((planned(&wanted, &places)?, wanted));
            let plans: Vec<_> =
                what.wanted()?.into_iter().map(planned).collect::<Result<_, CliError>>()?;
            let destinations = destinations(&places, output, plans.iter().map(|(plan, _)| plan))?;
            let made = plans.into_iter().map(|(plan, wanted)| {
                let (image, built) = make(&plan, wanted.max_size, &places, &destinations, *force)?;
                Ok(Made { wanted, plan, image, built })
            });
            let made: Vec<Made> = made.collect::<Result<_, CliError>>()?;
            let bundle = Bundle::new(made.iter().map(|made| made.image.clone()).collect());
            let bundle = bundle.map_err(BuildError::from)?;
            if started.boot {
                tried(started, &places.open_built(&bundle)?)?;
            }
            let delivered = places.deliver(&bundle, output, &destinations)?;
            for made in made.iter().filter(|_| *attest) {
                let package = what.package.as_deref();
                let crates = crates(package, made.wanted.target.as_deref())?;
                for pushed in &delivered {
                    places.attest(made, pushed, package, crates.as_deref())?;
                }
            }
            places.cache.make_room();
            let images = made.iter().map(|made| &made.built).collect();
            let digest = bundle.digest();
            let report = show::BuildReport { digest, images, pushed: &delivered };
            if what.json { show::json(out, &report)? } else { show::built(out, &report)? }
        }
        Verb::Verify { image, started, with } => {
            let mut places = Places::new(with)?;
            // What is in the cache says nothing about what is in a registry.
            let fresh = tempfile::tempdir()?;
            places.cache = Cache::open(fresh.path())?;
            let found = places.open_whole(image)?;
            for contents in found.read() {
                sound(image, &contents)?;
                let (files, size) = (contents.entries.iter().count(), show::human(contents.size));
                let (digest, platform) = (&contents.digest, &contents.settings.architecture);
                writeln!(
                    out,
                    "{HEADING}{digest}{HEADING:#} is sound: linux/{platform}, {files} entries, \
                     {size} compressed"
                )?;
            }
            if started.boot {
                tried(started, &found)?;
            }
        }
        Verb::Push { image, to, force, started, json, with } => {
            let places = Places::new(with)?;
            let found = places.open_whole(image)?;
            if !force && !places.cache.could_start(found.digest()?) {
                for contents in found.read() {
                    sound(image, &contents)?;
                }
                places.cache.remember(found.digest()?)?;
            }
            if started.boot {
                tried(started, &found)?;
            }
            let pushed = places.push(&found, to)?;
            if *json { show::json(out, &pushed)? } else { show::pushed(out, &pushed)? }
        }
        Verb::Inspect { image, files, json, with } => {
            let contents = Places::new(with)?.open(image)?.image();
            show::inspected(out, &contents, *files, *json)?;
            told(image, contents.faults.iter().map(ToString::to_string).collect())?;
        }
        Verb::Diff { before, after, json, with } => {
            let places = Places::new(with)?;
            let changes = diff(&places.open(before)?.image(), &places.open(after)?.image());
            show::changes(out, &changes, *json)?;
        }
        Verb::Sbom { image, package, target, with } => {
            let contents = Places::new(with)?.open(image)?.image();
            told(image, contents.faults.iter().map(ToString::to_string).collect())?;
            let said = crates(package.as_deref(), target.as_deref())?;
            let crates = match said {
                Some(crates) => Some(crates),
                None => materials::own_crates(&contents)?,
            };
            let name = image.to_string();
            let called = materials::Called { name: &name, version: None, created: epoch()? };
            let crates = crates.ok_or(CliError::NoCrates)?;
            out.write_all(&materials::bill(&contents, &called, &crates, Path::new("/")))?;
            writeln!(out)?;
        }
        Verb::Registry { verb: RegistryVerb::Serve { listen, folder } } => {
            serve(*listen, folder.as_deref(), out)?;
        }
    }
    Ok(())
}

/// The crates of a package, if one is named.
fn crates(package: Option<&str>, target: Option<&str>) -> Result<Option<Vec<Crate>>, CliError> {
    let package = package.map(Package::find).transpose()?;
    Ok(package.map(|package| package.crates(target)).transpose()?)
}

/// `SOURCE_DATE_EPOCH`, else when the commit that is checked out was made, else 1970.
fn epoch() -> Result<u64, CliError> {
    what::created(git::head(Path::new(".")))
}

fn serve(listen: SocketAddr, folder: Option<&Path>, out: &mut dyn Write) -> Result<(), CliError> {
    let temporary = tempfile::tempdir()?;
    let folder = folder.unwrap_or(temporary.path());
    let registry = Registry::open(folder, Personality::plain())?;
    let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|reason| CliError::Listen { listen, reason })?;
        let (address, folder) = (listener.local_addr()?, folder.display());
        writeln!(out, "serving images on http://{address} from {folder}")?;
        out.flush()?;
        let mut terminated = signal(SignalKind::terminate())?;
        tokio::select! {
            served = registry.serve(listener) => served?,
            _ = terminated.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        Ok(())
    })
}

/// An image, and what it was made of.
struct Made {
    wanted: Wanted,
    plan: Plan,
    image: Image,
    built: Built,
}

fn planned(wanted: &Wanted, places: &Places<'_>) -> Result<Plan, CliError> {
    let mut request = wanted.request.clone();
    if let Some(base) = &wanted.base {
        request.base = Some(places.base(base, &wanted.lock, wanted.architecture)?);
    }
    let of_git = |copy: &&Copy| copy.times == Times::Git;
    let copy = request.copies.iter().find(of_git).filter(|_| wanted.in_git);
    if let Some(copy) = copy.filter(|copy| git::is_shallow(&copy.from)) {
        writeln!(
            anstream::stderr(),
            "note: {} is in a clone without its history, so its files are all as old as the clone's \
             oldest commit. Fetch the history (git fetch --unshallow), or copy it with :content",
            copy.from.display()
        )?;
    }
    Ok(plan(&Folder(wanted.root.clone()), request)?)
}

/// Where an image goes, whose bases' layers may be there already.
fn destinations<'a>(
    places: &Places<'_>,
    output: &[Place],
    plans: impl Iterator<Item = &'a Plan>,
) -> Result<Vec<Destination>, CliError> {
    let bases: Vec<&Base> = plans.filter_map(|plan| plan.base.as_ref()).collect();
    let known_in = bases.iter().find_map(|base| base.name.parse().ok());
    let layers = bases.iter().flat_map(|base| &base.layers).map(|(_, layer)| layer.digest);
    places.destinations(output, known_in.as_ref(), &layers.collect::<Vec<_>>())
}

/// Builds an image that may be seen and can start. Its new layers are sent on while others are still
/// being made, as soon as it is known that nothing is wrong with it; without its manifest they are
/// no image yet.
fn make(
    plan: &Plan,
    max_size: Option<u64>,
    places: &Places<'_>,
    destinations: &[Destination],
    force: bool,
) -> Result<(Image, Built), CliError> {
    let (made, seen) = std::sync::mpsc::channel();
    let (ready, layers) = tokio::sync::mpsc::unbounded_channel();
    let (cache, bars) = (&places.cache, &places.bars);
    let (built, problems, sent) = thread::scope(|scope| {
        let building = scope.spawn(move || {
            let mut bar = None;
            build(plan, cache, &mut |event| {
                bar = show::progress(bars, &event);
                // Who listens no more has found that something is wrong.
                let _ = made.send(event.made());
            })
        });
        let checking = scope.spawn(move || {
            // Where nothing is new, it was looked at before.
            seen.recv().ok()?;
            let problems = if force { Vec::new() } else { preflight(plan) };
            if problems.is_empty() {
                // Who takes no more has failed.
                let _ = seen.iter().flatten().try_for_each(|layer| ready.send(layer));
            }
            Some(problems)
        });
        let sent = places.send_early(destinations, layers);
        (joined(building), joined(checking), sent)
    });
    let (image, built) = built?;
    if !force && !cache.could_start(image.digest()) {
        let problems = problems.unwrap_or_else(|| preflight(plan));
        if !problems.is_empty() {
            return Err(CliError::Preflight(problems));
        }
        cache.remember(image.digest())?;
    }
    sent?;
    match max_size {
        Some(most) if image.size() > most => {
            let mut files = plan.listing();
            files.sort_by_key(|file| std::cmp::Reverse(file.size));
            let line = |file: &crate::plan::Listed| {
                format!("{} {} ({})", show::human(file.size), file.path, file.reason)
            };
            let largest = files.iter().take(5).map(line).collect();
            Err(CliError::TooLarge { size: image.size(), most, largest })
        }
        _ => Ok((image, built)),
    }
}

/// Starts the image for this machine's processor.
fn tried(arguments: &Started, found: &Found) -> Result<(), CliError> {
    let trial = Trial {
        env: arguments.boot_env.clone(),
        host_network: arguments.boot_host_network,
        patience: Duration::from_secs(arguments.boot_timeout),
    };
    let mut other = None;
    for contents in found.read() {
        match boot(found.folder(), &contents, &trial) {
            Ok(booted) => return Ok(show::booted(&mut anstream::stderr(), &booted)?),
            Err(error @ BootError::Architecture(_)) => other = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(other.map_or(Ok(()), Err)?)
}

fn sound(image: &Place, contents: &Contents) -> Result<(), CliError> {
    let problems = could_not_start(contents);
    let faults = contents.faults.iter().map(ToString::to_string);
    told(image, faults.chain(problems.iter().map(ToString::to_string)).collect())
}

fn told(image: &Place, problems: Vec<String>) -> Result<(), CliError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::Unsound { image: image.to_string(), problems })
}

fn open_cache(folder: Option<&PathBuf>) -> Result<Cache, CliError> {
    let folder = folder.cloned().or_else(cache::default_folder).ok_or(CliError::NoCache)?;
    Ok(Cache::open(&folder)?)
}

fn architecture(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some(("linux", architecture)) if !architecture.is_empty() => Ok(architecture.to_owned()),
        _ => Err("write linux/ and a processor as Go calls it, such as linux/arm64".to_owned()),
    }
}
