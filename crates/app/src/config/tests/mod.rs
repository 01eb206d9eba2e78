//! The rules of the configuration, without a process environment.

use std::{collections::BTreeMap, io, path::Path};

use clap::{Args, FromArgMatches};
use secrecy::ExposeSecret;

use super::*;

mod places;
mod shown;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const PEM: &str = "-----BEGIN CERTIFICATE-----\n…";

fn flags<T: Args + FromArgMatches>(arguments: &[&str]) -> T {
    let command = T::augment_args(clap::Command::new("serve").no_binary_name(true));
    T::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
}

fn around(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Environment {
    let files: BTreeMap<_, _> =
        files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())).collect();
    Environment::new(variables.iter().copied(), move |path| {
        let text = path.to_str().and_then(|path| files.get(path));
        text.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn resolve(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Resolved, ConfigError> {
    Config::resolve(&flags(arguments), &around(variables, &[("ca.pem", PEM), ("text", "?")]))
}

fn production(arguments: &[&str], more: &[(&str, &str)]) -> Result<Resolved, ConfigError> {
    let mut variables = vec![
        ("GRAPHBOOK_ENV", "production"),
        ("DATABASE_URL", "mysql://u:s3cret@db/app"),
        ("JWT_SECRET", KEY),
    ];
    variables.extend(more);
    resolve(arguments, &variables)
}

fn problems(resolved: Result<Resolved, ConfigError>) -> Vec<String> {
    resolved.err().expect("a refusal").problems
}

fn shown(resolved: &Resolved, name: &str) -> String {
    let setting = resolved.effective.iter().find(|setting| setting.name == name);
    setting.map_or_else(String::new, |setting| format!("{} ({})", setting.value, setting.source))
}

#[test]
fn nothing_at_all_is_development() {
    let resolved = resolve(&[], &[]).unwrap();
    let StoreConfig { mode, data_dir, database, uploads, log } = &resolved.store;
    assert_eq!((*mode, data_dir.as_path()), (Mode::Development, Path::new(".graphbook")));
    assert_eq!(database.target.to_string(), "sqlite://.graphbook/graphbook.db");
    assert_eq!(database.connections, 10);
    assert!(matches!(uploads, Uploads::Folder(path) if path == Path::new(".graphbook/uploads")));
    assert_eq!((log.filter.as_str(), log.format), ("info", LogFormat::Text));
    let serve = &resolved.serve;
    assert_eq!(serve.listen.to_string(), "127.0.0.1:8000");
    assert!(serve.demo && serve.migrate && serve.introspection && !serve.secure_cookies);
    assert_eq!(serve.trusted_proxies, 0);
    assert!(matches!(&resolved.secret, SecretSource::KeptIn(file) if file.ends_with("jwt-secret")));
}

#[test]
fn production_is_careful() {
    for variable in ["GRAPHBOOK_ENV", "NODE_ENV"] {
        let resolved = resolve(
            &["--database-url=mysql://u:s3cret@db/app"],
            &[(variable, "production"), ("JWT_SECRET", KEY)],
        );
        let resolved = resolved.unwrap();
        let serve = &resolved.serve;
        assert_eq!(serve.listen.to_string(), "0.0.0.0:8000");
        assert!(!serve.demo && !serve.migrate && !serve.introspection && serve.secure_cookies);
        assert_eq!(resolved.store.log.format, LogFormat::Json);
        assert!(matches!(&resolved.secret, SecretSource::Given(_)));
    }
    let on = production(&["--migrate", "--introspection"], &[("GRAPHBOOK_INSECURE_COOKIES", "1")]);
    let on = on.unwrap().serve;
    assert!(on.migrate && on.introspection && !on.secure_cookies);
}

#[test]
fn production_names_all_that_is_missing() {
    let missing = problems(resolve(&["--env=production", "--listen=x"], &[]));
    for (problem, part) in missing.iter().zip(["DATABASE_URL is", "JWT_SECRET is", "--listen on"]) {
        assert!(problem.starts_with(part), "{problem}");
    }
    assert_eq!(missing.len(), 3);
    let text = ConfigError { problems: missing }.to_string();
    assert!(text.starts_with("3 settings cannot be used:\n  - DATABASE_URL"), "{text}");

    let short = problems(production(&[], &[("JWT_SECRET", "too-short")])).concat();
    assert!(short.contains("JWT_SECRET from the environment: the value is 9 bytes"), "{short}");
    assert!(!short.contains("too-short"), "{short}");
    let demo = problems(production(&["--no-demo=off"], &[])).concat();
    assert!(demo.contains("demo users are public"), "{demo}");
}

#[test]
fn the_commands_around_the_database_need_no_key() {
    let variables = [("NODE_ENV", "production"), ("DATABASE_URL", "sqlite://app.db")];
    let store = StoreConfig::resolve(&flags(&["--log=warn"]), &around(&variables, &[])).unwrap();
    assert_eq!(store.database.target.to_string(), "sqlite://app.db");
    assert_eq!(store.log.filter, "warn");
}

#[test]
fn valkey_is_reached_with_a_password_from_either_place() {
    assert!(resolve(&[], &[]).unwrap().serve.valkey.is_none());
    let (url, password) = ("GRAPHBOOK_VALKEY_URL", "GRAPHBOOK_VALKEY_PASSWORD");
    let in_url = production(&[], &[(url, "rediss://:s3cret@cache:6379")]).unwrap();
    assert_eq!(shown(&in_url, url), "rediss://cache:6379 (environment GRAPHBOOK_VALKEY_URL)");
    let beside = production(&[], &[(url, "redis://app@cache"), (password, "s3cret")]).unwrap();
    assert_eq!(shown(&beside, password), "<6 bytes> (environment GRAPHBOOK_VALKEY_PASSWORD)");
    for resolved in [in_url, beside] {
        let valkey = resolved.serve.valkey.as_ref().unwrap();
        assert!(valkey.has_password());
        assert!(!format!("{valkey:?} {:?}", resolved.effective).contains("s3cret"));
    }
    let both = [(url, "redis://:s3cret@cache"), (password, "s3cret")];
    for (variables, expected) in [
        (&both[..], "GRAPHBOOK_VALKEY_URL has a password already"),
        (&[(password, "s3cret")], "is for GRAPHBOOK_VALKEY_URL, which is not set"),
    ] {
        let refused = problems(resolve(&[], variables)).concat();
        assert!(refused.starts_with(password) && refused.ends_with(expected), "{refused}");
    }
}

#[test]
fn flags_go_before_the_environment_before_the_file() {
    let file = [(".env", "# mine\nGRAPHBOOK_LISTEN=3\nexport RUST_LOG=debug\nJWT_SECRET='a b'\n")];
    let listen = |arguments: &[&str], variables: &[(&str, &str)]| {
        shown(&Config::resolve(&flags(arguments), &around(variables, &file)).unwrap(), "listen")
    };
    let set = [("GRAPHBOOK_LISTEN", "2")];
    assert_eq!(listen(&["--listen=1"], &set), "127.0.0.1:1 (flag --listen)");
    assert_eq!(listen(&[], &set), "127.0.0.1:2 (environment GRAPHBOOK_LISTEN)");
    assert_eq!(
        listen(&[], &[("GRAPHBOOK_LISTEN", "")]),
        "127.0.0.1:3 (.env line 2 GRAPHBOOK_LISTEN)"
    );
    let resolved = Config::resolve(&Settings::default(), &around(&[], &file)).unwrap();
    assert_eq!(shown(&resolved, "log"), "debug (.env line 3 RUST_LOG)");
    assert!(matches!(&resolved.secret, SecretSource::Given(key) if key.expose_secret() == b"a b"));
}

#[test]
fn the_file_is_for_development() {
    let broken = [(".env", "A=1\nsecret words here\n")];
    let of = |variables: &[(&str, &str)], file: &[(&str, &str)]| {
        Config::resolve(&Settings::default(), &around(variables, file))
    };
    let refused = problems(of(&[], &broken)).concat();
    assert!(refused.starts_with("the file .env: line 2 ") && !refused.contains("secret"));
    // Production does not even look.
    let variables =
        [("NODE_ENV", "production"), ("DATABASE_URL", "sqlite://a.db"), ("JWT_SECRET", KEY)];
    assert!(of(&variables, &broken).is_ok());
    // Nor can the file choose production.
    let file = [(".env", "NODE_ENV=production")];
    assert!(problems(of(&[], &file)).concat().starts_with("NODE_ENV from .env line 1: "));
    assert!(of(&[("GRAPHBOOK_ENV", "development")], &file).is_ok());
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (variable, value, expected) in [
        (
            "GRAPHBOOK_LISTEN",
            "localhost:80a",
            "GRAPHBOOK_LISTEN from the environment: \"localhost:80a\" is not an address \
             (expected HOST:PORT such as 127.0.0.1:8000",
        ),
        ("NODE_ENV", "staging", "NODE_ENV from the environment: \"staging\" is not a mode"),
        ("GRAPHBOOK_NO_DEMO", "2", "GRAPHBOOK_NO_DEMO from the environment: \"2\" is neither on"),
        ("GRAPHBOOK_DATABASE_CONNECTIONS", "0", "\"0\" is not a whole number from 1 to 1000"),
        ("RUST_LOG", "app=loud", "RUST_LOG from the environment: \"app=loud\" is not a log filter"),
        ("GRAPHBOOK_LOG_FORMAT", "xml", "\"xml\" is not a log format"),
        ("GRAPHBOOK_DATABASE_CA", "gone.pem", "\"gone.pem\" cannot be read"),
        ("GRAPHBOOK_DATABASE_CA", "text", "\"text\" holds no certificate"),
        ("GRAPHBOOK_DATABASE_CA", "ca.pem", "the database is SQLite"),
        ("DATABASE_URL", "sqlite::memory:", "DATABASE_URL from the environment: the database URL"),
        ("DATABASE_URL", "mysql://u:s3cret@h/d?ssl-ca=gone.pem", "\"gone.pem\", which cannot be"),
        ("DATABASE_URL", "mysql://u:s3cret#1@h/d", "%23"),
        ("DATABASE_URL", "postgres://u:s3cret@h/d", "mysql://"),
        ("GRAPHBOOK_VALKEY_URL", "http://:s3cret@h", "the value is not the URL of a Valkey"),
        ("GRAPHBOOK_VALKEY_URL", "redis://:s3cret#1@h", "the value is not a URL"),
    ] {
        let refused = problems(resolve(&[], &[(variable, value)]));
        let [problem] = refused.as_slice() else { panic!("{variable}: {refused:?}") };
        assert!(problem.contains(expected) && problem.contains(variable), "{problem}");
        assert!(!problem.contains("s3cret"), "{problem}");
    }
}

#[cfg(unix)]
#[test]
fn values_that_are_not_text_are_refused() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let value = OsString::from_vec(vec![0xff]);
    let environment =
        Environment::new([("GRAPHBOOK_DATA_DIR", value)], |_| Err(io::ErrorKind::NotFound.into()));
    let refused = problems(Config::resolve(&Settings::default(), &environment));
    assert_eq!(refused, ["GRAPHBOOK_DATA_DIR from the environment is not UTF-8 text"]);
}
