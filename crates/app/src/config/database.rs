//! Which database: one URL, or the parts of a MySQL address, or a file of our own.

use std::path::Path;

use migrate::Target;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use url::Url;

use super::{
    Mode,
    lookup::{Lookup, Source},
    secrets, table, values,
};

/// The file of the default database, in the data folder.
const FILE: &str = "graphbook.db";

/// What a PEM file with a certificate holds.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Works out the database. `None` means that problems have been kept.
pub(super) fn resolve(lookup: &mut Lookup<'_>, data_dir: Option<&Path>) -> Option<Target> {
    let target = match lookup.given(&table::DATABASE_URL) {
        Some((text, source)) => from_url(lookup, &text, source),
        // One of these names alone may stand in an environment for reasons of its own.
        None => match (lookup.given(&table::DATABASE_HOST), lookup.given(&table::DATABASE_NAME)) {
            (Some(host), Some(name)) => from_parts(lookup, host, name),
            (Some(_), None) => by_default(lookup, data_dir, " (host is set, but database is not)"),
            (None, Some(_)) => by_default(lookup, data_dir, " (database is set, but host is not)"),
            (None, None) => by_default(lookup, data_dir, ""),
        },
    };
    with_authority(lookup, target)
}

/// The URL itself never gets into a message: it may hold a password.
fn from_url(lookup: &mut Lookup<'_>, text: &str, source: Source) -> Option<Target> {
    let setting = &table::DATABASE_URL;
    let parsed = Target::parse(text).map_err(|error| error.to_string());
    match parsed.and_then(|target| check_files(lookup, text).map(|()| target)) {
        Ok(target) => {
            lookup.note(setting, target.to_string(), source);
            Some(target)
        }
        Err(why) => {
            lookup.problem(format!("{}: {why}", source.of(setting)));
            None
        }
    }
}

/// Reads the certificate files that the URL of a MySQL server names, to see that they are there:
/// the driver would tell only on the first connection, and without the name.
fn check_files(lookup: &Lookup<'_>, text: &str) -> Result<(), String> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() != "sqlite");
    for (key, file) in url.iter().flat_map(Url::query_pairs) {
        if matches!(&*key, "ssl-ca" | "sslca" | "ssl-cert" | "sslcert" | "ssl-key" | "sslkey") {
            lookup.read(Path::new(&*file)).map_err(|error| {
                format!("the database URL's {key} is {file:?}, which cannot be read: {error}")
            })?;
        }
    }
    Ok(())
}

fn from_parts(
    lookup: &mut Lookup<'_>,
    (host, host_source): (String, Source),
    (name, name_source): (String, Source),
) -> Option<Target> {
    lookup.note(&table::DATABASE_HOST, host.clone(), host_source);
    let port = lookup.value(
        &table::DATABASE_PORT,
        |text| values::number(text, 1..=65_535).map(|port| port as u16),
        ToString::to_string,
    );
    lookup.note(&table::DATABASE_NAME, name.clone(), name_source);
    let Some((user, source)) = lookup.given(&table::DATABASE_USER) else {
        lookup.problem(
            "username is not set, though host and database are: set all three (and password, if \
             there is one), or DATABASE_URL instead"
                .to_owned(),
        );
        return None;
    };
    lookup.note(&table::DATABASE_USER, user.clone(), source);
    // Built from parts rather than as a URL, so that no character of a password means anything.
    let mut options =
        MySqlConnectOptions::new().host(&host).port(port?).username(&user).database(&name);
    if let Some((password, source)) = lookup.given(&table::DATABASE_PASSWORD) {
        lookup.note(&table::DATABASE_PASSWORD, secrets::size(password.len()), source);
        options = options.password(&password);
    }
    Some(Target::MySql(options))
}

fn by_default(lookup: &mut Lookup<'_>, data_dir: Option<&Path>, hint: &str) -> Option<Target> {
    if lookup.mode == Mode::Production {
        lookup.problem(format!(
            "DATABASE_URL is not set{hint}: production needs a database; set DATABASE_URL (or \
             --database-url), or host, username, password and database"
        ));
        return None;
    }
    let path = data_dir?.join(FILE);
    // Parsed for the options that go with every SQLite URL; the path is put in afterwards, as it
    // may hold characters that mean something in a URL.
    match Target::parse(&format!("sqlite://{FILE}")) {
        Ok(Target::Sqlite(options)) => {
            let target = Target::Sqlite(options.filename(path));
            lookup.note(&table::DATABASE_URL, target.to_string(), Source::Default);
            Some(target)
        }
        Ok(target) => Some(target),
        Err(error) => {
            lookup.problem(format!("the default database: {error}"));
            None
        }
    }
}

/// Adds the certificate authority, if one was given: then the server must prove who it is.
fn with_authority(lookup: &mut Lookup<'_>, target: Option<Target>) -> Option<Target> {
    let setting = &table::DATABASE_CA;
    let Some((file, source)) = lookup.given(setting) else {
        return target;
    };
    let path = Path::new(&file);
    let checked = match lookup.read(path) {
        Err(error) => Err(format!("cannot be read: {error}")),
        Ok(pem) if !pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE) => {
            Err("holds no certificate (expected a PEM file with BEGIN CERTIFICATE)".to_owned())
        }
        Ok(_) if matches!(target, Some(Target::Sqlite(_))) => {
            Err("is for MySQL, but the database is SQLite; leave it out".to_owned())
        }
        Ok(_) => Ok(()),
    };
    lookup.accept(setting, &file, source, |_| checked.clone(), |()| file.clone())?;
    match target? {
        // The driver reads the file for each connection: a renewed authority needs no restart.
        Target::MySql(options) => {
            let options = options.ssl_mode(MySqlSslMode::VerifyIdentity).ssl_ca(path);
            let target = Target::MySql(options);
            let url = table::DATABASE_URL.name();
            for shown in lookup.effective.iter_mut().filter(|shown| shown.name == url) {
                shown.value = target.to_string();
            }
            Some(target)
        }
        target @ Target::Sqlite(_) => Some(target),
    }
}
