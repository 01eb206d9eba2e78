//! Configuration: what was typed and what was found around the process become a valid [`Config`],
//! or one message that tells everything that is wrong.
//!
//! Nothing at all gives a working development server; production refuses to start without what
//! keeps it safe. The mode is decided by `--env`, `GRAPHBOOK_ENV` or `NODE_ENV` from the real
//! environment, never by `.env`: that file is read afterwards, from the current folder, and in
//! development only. A value is taken from its flag, else from the environment, else from `.env`,
//! else from the default of the mode; empty variables count as unset.
//!
//! [`Config::resolve`] is pure: it reads variables and files through [`Environment`] and changes
//! nothing. [`Resolved::prepare`] then makes the folders and the signing key that are missing.

mod database;
mod dotenv;
mod lookup;
mod print;
mod raw;
mod secrets;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod types;
mod uploads;
mod valkey;
mod values;

use std::os::unix::fs::DirBuilderExt as _;
use std::time::Duration;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use migrate::Target;

use self::{
    lookup::Lookup,
    secrets::SecretSource,
    values::{number, on_off, show_on_off},
};
pub use self::{
    lookup::{ConfigError, Effective, Environment, Source},
    print::render,
    raw::{PrintFormat, Settings, StoreSettings},
    secrets::Random,
    setting::{Fallback, Flag, Scope, Setting},
    table::{SETTINGS, reference_table},
    types::{Config, DatabaseConfig, Mode, StoreConfig, Uploads},
};

use crate::{
    events::Valkey,
    lifecycle::LINGER,
    telemetry::{LogConfig, LogFormat},
};

/// A valid configuration of which nothing has been made on disk yet.
pub struct Resolved {
    /// Every setting that applies, its value fit to be shown, and where it came from.
    pub effective: Vec<Effective>,
    store: StoreConfig,
    serve: ServeConfig,
    secret: SecretSource,
}

struct ServeConfig {
    listen: SocketAddr,
    migrate: bool,
    demo: bool,
    secure_cookies: bool,
    introspection: bool,
    trusted_proxies: usize,
    valkey: Option<Valkey>,
}

impl Config {
    /// Works out the configuration of `serve`, or tells everything that is wrong with it.
    pub fn resolve(flags: &Settings, environment: &Environment) -> Result<Resolved, ConfigError> {
        let mut lookup = Lookup::start(&flags.flags, environment)?;
        let store = StoreConfig::look_up(&mut lookup);
        // Looked up even if the above went wrong, so that all problems are told together.
        let data_dir = store.as_ref().map(|store| store.data_dir.as_path());
        let secret = secrets::resolve(&mut lookup, data_dir);
        let serve = ServeConfig::look_up(&mut lookup);
        let (Some(store), Some(serve), Some(secret)) = (store, serve, secret) else {
            return Err(lookup.into_error());
        };
        let effective = lookup.finish()?;
        Ok(Resolved { effective, store, serve, secret })
    }
}

/// Works out where `serve` listens, for those who only want to reach it.
pub fn listen_address(
    flags: &Settings,
    environment: &Environment,
) -> Result<SocketAddr, ConfigError> {
    let mut lookup = Lookup::start(&flags.flags, environment)?;
    let mode = lookup.mode;
    let listen =
        lookup.value(&table::LISTEN, |text| values::listen(text, mode), ToString::to_string);
    match listen {
        Some(address) => lookup.finish().map(|_| address),
        None => Err(lookup.into_error()),
    }
}

impl StoreConfig {
    /// Works out what a command such as `migrate` or `seed` needs, or tells what is wrong.
    pub fn resolve(flags: &StoreSettings, environment: &Environment) -> Result<Self, ConfigError> {
        let mut lookup = Lookup::start(&flags.flags, environment)?;
        let Some(store) = Self::look_up(&mut lookup) else {
            return Err(lookup.into_error());
        };
        lookup.finish().map(|_| store)
    }

    /// Makes the folders that are missing.
    pub fn prepare(&self) -> Result<(), ConfigError> {
        if let Target::Sqlite(options) = &self.database.target
            && options.get_filename().starts_with(&self.data_dir)
        {
            make_folder(&self.data_dir, "--data-dir (GRAPHBOOK_DATA_DIR)")?;
        }
        match &self.uploads {
            Uploads::Folder(folder) => make_folder(folder, "--uploads (GRAPHBOOK_UPLOADS)"),
            Uploads::S3 { .. } => Ok(()),
        }
    }

    fn look_up(lookup: &mut Lookup<'_>) -> Option<Self> {
        let mode = lookup.mode;
        let shown = |path: &PathBuf| path.display().to_string();
        let data_dir = lookup.value(&table::DATA_DIR, values::folder, shown);
        let target = database::resolve(lookup, data_dir.as_deref());
        let connections = lookup.value(
            &table::DATABASE_CONNECTIONS,
            |text| number(text, 1..=1000),
            ToString::to_string,
        );
        let uploads = uploads::resolve(lookup, data_dir.as_deref());
        let filter = lookup.value(
            &table::LOG,
            |text| crate::telemetry::check_filter(text).map(|()| text.to_owned()),
            Clone::clone,
        );
        let format = lookup.value(&table::LOG_FORMAT, LogFormat::parse, ToString::to_string);
        let database = DatabaseConfig { target: target?, connections: connections? };
        let log = LogConfig { filter: filter?, format: format? };
        Some(Self { mode, data_dir: data_dir?, database, uploads: uploads?, log })
    }
}

impl ServeConfig {
    fn look_up(lookup: &mut Lookup<'_>) -> Option<Self> {
        let mode = lookup.mode;
        let listen =
            lookup.value(&table::LISTEN, |text| values::listen(text, mode), ToString::to_string);
        let mut switch = |setting| lookup.value(setting, on_off, |on| show_on_off(*on));
        let migrate = switch(&table::MIGRATE);
        let insecure_cookies = switch(&table::INSECURE_COOKIES);
        let introspection = switch(&table::INTROSPECTION);
        let no_demo = lookup.value(
            &table::NO_DEMO,
            |text| match on_off(text)? {
                false if mode == Mode::Production => {
                    Err("cannot be used in production: the passwords of the demo users are public"
                        .to_owned())
                }
                no_demo => Ok(no_demo),
            },
            |on| show_on_off(*on),
        );
        let proxies = lookup.value(
            &table::TRUSTED_PROXIES,
            |text| number(text, 0..=100),
            ToString::to_string,
        );
        let valkey = valkey::resolve(lookup);
        Some(Self {
            listen: listen?,
            migrate: migrate?,
            demo: !no_demo?,
            secure_cookies: !insecure_cookies?,
            introspection: introspection?,
            trusted_proxies: proxies? as usize,
            valkey: valkey.ok()?,
        })
    }
}

impl Resolved {
    /// Makes the folders and the signing key that are missing, which completes the configuration.
    pub fn prepare(self, random: Random) -> Result<Config, ConfigError> {
        self.store.prepare()?;
        let jwt_secret = match self.secret {
            SecretSource::Given(secret) => secret,
            SecretSource::KeptIn(file) => {
                make_folder(&self.store.data_dir, "--data-dir (GRAPHBOOK_DATA_DIR)")?;
                secrets::load_or_create(&file, random)?
            }
        };
        let StoreConfig { mode, data_dir, database, uploads, log } = self.store;
        let ServeConfig {
            listen,
            migrate,
            demo,
            secure_cookies,
            introspection,
            trusted_proxies,
            valkey,
        } = self.serve;
        Ok(Config {
            mode,
            listen,
            data_dir,
            database,
            jwt_secret,
            uploads,
            demo,
            migrate,
            linger: if mode == Mode::Production { LINGER } else { Duration::ZERO },
            secure_cookies,
            introspection,
            trusted_proxies,
            valkey,
            log,
        })
    }
}

/// Makes a folder that only its owner can look into: there are addresses and password hashes.
fn make_folder(folder: &Path, setting: &str) -> Result<(), ConfigError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        ConfigError::new(format!(
            "cannot make the folder {}: {error}; choose another with {setting}",
            folder.display()
        ))
    })
}
