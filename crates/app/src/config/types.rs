//! The configuration as the rest of the program sees it: valid, and free to be built by tests.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use migrate::Target;
use secrecy::SecretSlice;

use crate::{avatars::S3Settings, events::Valkey, telemetry::LogConfig};

/// How careful to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On the machine of someone who works on or tries out Graphbook.
    Development,
    /// Where people rely on it.
    Production,
}

/// Everything that `serve` needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// How careful to be.
    pub mode: Mode,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The folder for what is kept on disk.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseConfig,
    /// The key that signs sign-ins.
    pub jwt_secret: SecretSlice<u8>,
    /// Where uploads are kept.
    pub uploads: Uploads,
    /// Whether a new database gets demo data.
    pub demo: bool,
    /// Whether to apply pending migrations at start.
    pub migrate: bool,
    /// How long a server that was asked to stop goes on accepting connections, with its readiness
    /// false, so that load balancers see it before a connection is refused.
    pub linger: Duration,
    /// Whether cookies travel over HTTPS only.
    pub secure_cookies: bool,
    /// Whether GraphQL answers questions about its schema.
    pub introspection: bool,
    /// How many proxies in front append to `X-Forwarded-For`: the client is that many from the
    /// right, and with none the header is not believed.
    pub trusted_proxies: usize,
    /// Where processes on the same database share what is live; without it each is alone.
    pub valkey: Option<Valkey>,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// What every command that opens the database needs to know.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// How careful to be.
    pub mode: Mode,
    /// The folder for what is kept on disk.
    pub data_dir: PathBuf,
    /// The database.
    pub database: DatabaseConfig,
    /// Where uploads are kept.
    pub uploads: Uploads,
    /// What is logged, and how.
    pub log: LogConfig,
}

/// The database and how to hold it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// Where it is.
    pub target: Target,
    /// The most connections to hold open.
    pub connections: u32,
}

/// Where uploads are kept.
#[derive(Clone, Debug)]
pub enum Uploads {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of Amazon S3, or of something that speaks its protocol.
    S3 {
        /// The bucket.
        bucket: String,
        /// What names start with, without slashes around it; may be empty.
        prefix: String,
        /// How to reach it.
        settings: S3Settings,
    },
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Development => "development",
            Self::Production => "production",
        })
    }
}
