//! Every setting, once: its flag, variables, default and meaning.
//!
//! The command line, the look-up of values, `--print-config` and the README's table are all made
//! from this list, so that they cannot drift apart.

use super::setting::{Fallback, Flag, Scope, Setting};

const STORE: Setting = Setting {
    flag: None,
    variables: &[],
    default: Fallback::Described("none"),
    meaning: "",
    secret: false,
    scope: Scope::Store,
};
const SERVE: Setting = Setting { scope: Scope::Serve, ..STORE };

macro_rules! settings {
    ($($name:ident = $setting:expr;)*) => {
        $(pub(super) static $name: Setting = $setting;)*
        /// Every setting, in the order in which it is shown.
        pub static SETTINGS: &[&Setting] = &[$(&$name),*];
    };
}

settings! {
    ENV = Setting {
        flag: Some(Flag::new("env", "MODE")),
        variables: &["GRAPHBOOK_ENV", "NODE_ENV"],
        default: Fallback::Text("development"),
        meaning: "Mode: `development` or `production`; not read from `.env`",
        ..STORE
    };
    LISTEN = Setting {
        flag: Some(Flag::new("listen", "ADDR")),
        variables: &["GRAPHBOOK_LISTEN"],
        default: Fallback::PerMode { development: "127.0.0.1:8000", production: "0.0.0.0:8000" },
        meaning: "Address to listen on; a port alone keeps the mode's own address",
        ..SERVE
    };
    DATA_DIR = Setting {
        flag: Some(Flag::new("data-dir", "DIR")),
        variables: &["GRAPHBOOK_DATA_DIR"],
        default: Fallback::Text(".graphbook"),
        meaning: "Folder for what Graphbook keeps on disk",
        ..STORE
    };
    DATABASE_URL = Setting {
        flag: Some(Flag::new("database-url", "URL")),
        variables: &["DATABASE_URL"],
        default: Fallback::Described("SQLite in the data folder; in production required"),
        meaning: "Database, `mysql://USER:PASSWORD@HOST/NAME` or `sqlite://FILE`",
        secret: true,
        ..STORE
    };
    DATABASE_HOST = Setting {
        variables: &["host"],
        meaning: "MySQL host, when there is no URL; wants `database` and `username` too",
        ..STORE
    };
    DATABASE_PORT = Setting {
        variables: &["port"],
        default: Fallback::Text("3306"),
        meaning: "MySQL port, with `host`",
        ..STORE
    };
    DATABASE_NAME = Setting {
        variables: &["database"],
        meaning: "MySQL database, with `host`",
        ..STORE
    };
    DATABASE_USER = Setting {
        variables: &["username"],
        meaning: "MySQL user, with `host`",
        ..STORE
    };
    DATABASE_PASSWORD = Setting {
        variables: &["password"],
        default: Fallback::Described("empty"),
        meaning: "MySQL password, with `host`; taken as it is, without percent-encoding",
        secret: true,
        ..STORE
    };
    DATABASE_CA = Setting {
        flag: Some(Flag::new("database-ca", "FILE")),
        variables: &["GRAPHBOOK_DATABASE_CA"],
        meaning: "PEM file of the authority that MySQL's certificate must come from",
        ..STORE
    };
    DATABASE_CONNECTIONS = Setting {
        flag: Some(Flag::new("database-connections", "N")),
        variables: &["GRAPHBOOK_DATABASE_CONNECTIONS"],
        default: Fallback::Text("10"),
        meaning: "Most database connections to hold open, 1 to 1000",
        ..STORE
    };
    MIGRATE = Setting {
        flag: Some(Flag::switch("migrate")),
        variables: &["GRAPHBOOK_MIGRATE"],
        default: Fallback::PerMode { development: "on", production: "off" },
        meaning: "Apply pending migrations at start",
        ..SERVE
    };
    NO_DEMO = Setting {
        flag: Some(Flag::switch("no-demo")),
        variables: &["GRAPHBOOK_NO_DEMO"],
        default: Fallback::PerMode { development: "off", production: "on" },
        meaning: "Leave a new database empty, without demo data",
        ..SERVE
    };
    VALKEY_URL = Setting {
        variables: &["GRAPHBOOK_VALKEY_URL"],
        meaning: "Valkey or Redis, by which several servers share what is live: `redis://USER:PASSWORD@HOST:PORT`, or `rediss://` for TLS",
        secret: true,
        ..SERVE
    };
    VALKEY_PASSWORD = Setting {
        variables: &["GRAPHBOOK_VALKEY_PASSWORD"],
        meaning: "Password of Valkey, if its URL has none; taken as it is, without percent-encoding",
        secret: true,
        ..SERVE
    };
    JWT_SECRET = Setting {
        variables: &["JWT_SECRET"],
        default: Fallback::Described("made once, in the data folder; in production required"),
        meaning: "Key that signs sign-ins; at least 32 bytes in production",
        secret: true,
        ..SERVE
    };
    INSECURE_COOKIES = Setting {
        flag: Some(Flag::switch("insecure-cookies")),
        variables: &["GRAPHBOOK_INSECURE_COOKIES"],
        default: Fallback::PerMode { development: "on", production: "off" },
        meaning: "Let cookies travel over plain HTTP",
        ..SERVE
    };
    INTROSPECTION = Setting {
        flag: Some(Flag::switch("introspection")),
        variables: &["GRAPHBOOK_INTROSPECTION"],
        default: Fallback::PerMode { development: "on", production: "off" },
        meaning: "Answer GraphQL queries about the schema itself",
        ..SERVE
    };
    TRUSTED_PROXIES = Setting {
        flag: Some(Flag::new("trusted-proxies", "N")),
        variables: &["GRAPHBOOK_TRUSTED_PROXIES"],
        default: Fallback::Text("0"),
        meaning: "Proxies in front that append to X-Forwarded-For; the client is N-th from the right",
        ..SERVE
    };
    UPLOADS = Setting {
        flag: Some(Flag::new("uploads", "PLACE")),
        variables: &["GRAPHBOOK_UPLOADS"],
        default: Fallback::Described("uploads in the data folder"),
        meaning: "Where uploads are kept: a folder, or `s3://BUCKET/PREFIX`",
        ..STORE
    };
    AWS_REGION = Setting {
        variables: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        meaning: "Region of the uploads' bucket",
        ..STORE
    };
    AWS_ENDPOINT_URL = Setting {
        variables: &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
        default: Fallback::Described("Amazon's own"),
        meaning: "Address of another service that speaks S3",
        secret: true,
        ..STORE
    };
    AWS_ACCESS_KEY_ID = Setting {
        variables: &["AWS_ACCESS_KEY_ID"],
        default: Fallback::Described("the cloud's own credentials"),
        meaning: "Access key for the uploads' bucket",
        ..STORE
    };
    AWS_SECRET_ACCESS_KEY = Setting {
        variables: &["AWS_SECRET_ACCESS_KEY"],
        meaning: "Secret of that access key",
        secret: true,
        ..STORE
    };
    AWS_SESSION_TOKEN = Setting {
        variables: &["AWS_SESSION_TOKEN"],
        meaning: "Session token of that access key, if it is a temporary one",
        secret: true,
        ..STORE
    };
    LOG = Setting {
        flag: Some(Flag::new("log", "FILTER")),
        variables: &["GRAPHBOOK_LOG", "RUST_LOG"],
        default: Fallback::Text("info"),
        meaning: "What is logged, such as `debug` or `info,app=trace`; libraries in detail only when named",
        ..STORE
    };
    LOG_FORMAT = Setting {
        flag: Some(Flag::new("log-format", "FORMAT")),
        variables: &["GRAPHBOOK_LOG_FORMAT"],
        default: Fallback::PerMode { development: "text", production: "json" },
        meaning: "`text` on standard error, or `json` on standard output, one event a line",
        ..STORE
    };
}

/// The Markdown table of every setting, as the README has it.
pub fn reference_table() -> String {
    let head = "| Flag | Variable | Default | Meaning |\n| --- | --- | --- | --- |\n";
    SETTINGS.iter().fold(head.to_owned(), |table, setting| {
        let flag = match &setting.flag {
            Some(flag) if flag.switch => format!("`--{}`", flag.name),
            Some(flag) => format!("`--{} {}`", flag.name, flag.value),
            None => String::new(),
        };
        let variables: Vec<_> =
            setting.variables.iter().map(|variable| format!("`{variable}`")).collect();
        let cells = [flag, variables.join(", "), setting.default.summary(), setting.meaning.into()];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        table + "| " + &cells.join(" | ") + " |\n"
    })
}
