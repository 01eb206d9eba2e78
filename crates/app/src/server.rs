//! A whole server as a value: built from a configuration, then run.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use migrate::{MigrateError, Migrator, SourceError, UpOptions};
use secrecy::ExposeSecret as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    accounts::Accounts,
    avatars::{self, Avatars},
    clock::Clock,
    config::{Config, Uploads},
    events::{Events, Relay},
    graphql::Graph,
    http::client::Peer,
    lifecycle::{DRAIN, Lifecycle},
    migrations,
    readiness::Readiness,
    routes,
    seeding::{self, SeedError},
    state::{AppState, SharedState},
    store::Store,
    web,
};

/// How long a client may take to send the head of a request; also how long an idle connection
/// is kept for the next one. Above the 60 seconds after which load balancers give up theirs, so
/// that none of them sends a request into a connection that we are closing.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// Connections served at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 10_000;
/// How long the database and Valkey may take to be left in good order.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often the rows of sessions that are over are removed.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Why a server can't start. Says what was tried and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("can't listen on {address}: {why}")]
    Listen { address: SocketAddr, why: String },
    #[error("the embedded migrations are broken: {0}")]
    Migrations(#[from] SourceError),
    #[error("can't migrate the database: {0}")]
    Migrate(Box<MigrateError>),
    #[error("can't keep uploads: {0}")]
    Uploads(#[from] avatars::SetupError),
    #[error("the system gave no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    #[error("can't put the demo data in: {0}")]
    Demo(#[from] SeedError),
}

/// A server that listens, and serves once it is [run](Self::run).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    state: SharedState,
    relay: Option<Relay>,
    linger: Duration,
}

impl Server {
    /// Listens, migrates if that is wanted, puts the demo data into a new database if that is
    /// wanted. Without migrating, the database need not even be there yet: the server is then
    /// not ready until it is.
    pub async fn build(config: &Config, clock: Clock) -> Result<Self, StartError> {
        // First of all, so that a port that is taken changes nothing.
        let (listener, address) = listen(config.listen).await?;
        let migrator = Migrator::new(migrations::embedded()?, config.database.target.clone());
        if config.migrate {
            let up = migrator.up(UpOptions::default(), |event| log_migration(&event)).await;
            up.map_err(|error| StartError::Migrate(Box::new(error)))?;
        }
        let (state, relay) = assemble(config, clock, migrator)?;
        if config.demo {
            match seeding::seed(&state.store, &state.accounts, &state.avatars, &state.clock).await {
                Ok(seeded) => tracing::info!(?seeded, "put the demo data in"),
                Err(SeedError::NotEmpty) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let router = routes::router(Graph::new(Arc::clone(&state)));
        Ok(Self { listener, address, router, state, relay, linger: config.linger })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its requests share; its [`Lifecycle`] stops it.
    pub fn state(&self) -> &SharedState {
        &self.state
    }

    /// Serves until its lifecycle says to stop and for as long as it lingers, then finishes what
    /// is under way for at most [`DRAIN`].
    pub async fn run(self) {
        let Self { listener, router, state, relay, linger, .. } = self;
        let lifecycle = state.lifecycle.clone();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let sweeper = tokio::spawn(sweep_sessions(Arc::clone(&state)));
        // Ends after the requests, whose events it is to tell.
        let told = CancellationToken::new();
        let relay = relay.map(|relay| tokio::spawn(relay.run(told.clone())));
        // Nobody waits for it, and the first visitor does not either.
        drop(tokio::task::spawn_blocking(web::squeeze));
        let end = lifecycle.clone();
        tokio::spawn(async move {
            end.stopping().await;
            sleep(linger).await;
            end.close();
        });

        loop {
            let accepted = tokio::select! {
                () = lifecycle.closing() => break,
                accepted = accept(&listener, &places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let peer = Peer { address: peer, place: Arc::new(place) };
            lifecycle.tasks().spawn(serve(stream, peer, router.clone(), lifecycle.clone()));
        }

        drop(listener);
        sweeper.abort();
        if timeout(DRAIN, lifecycle.drained()).await.is_err() {
            let left = lifecycle.tasks().len();
            tracing::warn!(left, "stopped with connections that did not finish in time");
        }
        // Statements that still run end with the process; there is nobody to tell the result.
        told.cancel();
        let relayed = async {
            if let Some(mut relay) = relay
                && timeout(LAST_WORDS, &mut relay).await.is_err()
            {
                relay.abort();
            }
        };
        let _ = tokio::join!(timeout(LAST_WORDS, state.store.close()), relayed);
        tracing::info!("stopped");
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refused = |error: io::Error| StartError::Listen {
        address,
        why: match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "port {} is taken by another program; choose another with --listen HOST:PORT",
                address.port()
            ),
            io::ErrorKind::PermissionDenied => format!(
                "port {} is not for ordinary users; choose one above 1023 with --listen HOST:PORT",
                address.port()
            ),
            _ => format!("{error}; choose another address with --listen HOST:PORT"),
        },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn assemble(
    config: &Config,
    clock: Clock,
    migrator: Migrator,
) -> Result<(SharedState, Option<Relay>), StartError> {
    let secret = config.jwt_secret.expose_secret();
    let (relay, events) = match &config.valkey {
        Some(valkey) => {
            let (relay, events) = Relay::new(valkey.clone(), secret)?;
            (Some(relay), events)
        }
        None => (None, Events::new()),
    };
    let lifecycle = Lifecycle::default();
    let store = Store::open(&config.database.target, config.database.connections);
    let state = AppState {
        accounts: Accounts::new(store.clone(), clock.clone(), events.clone(), secret),
        avatars: keep_avatars(&config.uploads)?,
        clock,
        events,
        readiness: Readiness::new(lifecycle.clone(), store.clone(), migrator),
        lifecycle,
        store,
        secure_cookies: config.secure_cookies,
        introspection: config.introspection,
        trusted_proxies: config.trusted_proxies,
    };
    Ok((Arc::new(state), relay))
}

/// Where pictures are kept.
pub(crate) fn keep_avatars(uploads: &Uploads) -> Result<Avatars, avatars::SetupError> {
    match uploads {
        Uploads::Folder(folder) => Avatars::folder(folder),
        Uploads::S3 { bucket, prefix, settings } => Avatars::s3(bucket, prefix, settings.clone()),
    }
}

/// The next connection and its place among those served at once.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // A client that is gone again costs nothing; a machine out of file handles needs
            // a moment to get some back.
            tracing::warn!(%error, "can't accept a connection");
            sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Serves one connection until it ends, or, once the server stops, until the request that is
/// under way is answered. An upgraded connection is the socket's own from then on.
async fn serve(stream: TcpStream, peer: Peer, router: Router, lifecycle: Lifecycle) {
    // Small answers leave at once.
    let _ = stream.set_nodelay(true);
    let address = peer.address;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = lifecycle.closing() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %address, "a connection broke");
    }
}

async fn sweep_sessions(state: SharedState) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match state.accounts.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "removed sessions that were over"),
            Err(error) => tracing::warn!(%error, "can't remove sessions that are over"),
        }
    }
}

fn log_migration(event: &migrate::Event) {
    use migrate::Event;
    match event {
        Event::WaitingForLock { holder, waited } => {
            tracing::info!(?holder, ?waited, "another runner migrates the database; waiting");
        }
        Event::Retrying { reason, pause } => {
            tracing::warn!(reason, ?pause, "a migration waits for another transaction");
        }
        Event::Reconciled { version, number, done } => {
            tracing::warn!(version, number, done, "found out whether a statement took effect");
        }
        Event::Applied { version, name, duration, .. } => {
            tracing::info!(version, name, ?duration, "applied a migration");
        }
        Event::Notice { message } => tracing::warn!(message, "before migrating"),
        Event::Applying { version, name, .. } => {
            tracing::debug!(version, name, "applying a migration");
        }
        Event::Statement { version, number, .. } => {
            tracing::debug!(version, number, "running a statement");
        }
        Event::Running { elapsed, fraction } => {
            tracing::info!(?elapsed, fraction, "a statement of a migration takes long");
        }
        Event::StatementDone { version, number, duration, .. } => {
            tracing::debug!(version, number, ?duration, "ran a statement");
        }
        Event::UpToDate => tracing::debug!("the database is up to date"),
    }
}
