//! A private, empty database for each test, on every engine.
//!
//! SQLite needs nothing. MySQL and MariaDB are taken from `TEST_MYSQL_URL` and `TEST_MARIADB_URL`,
//! servers on which the user may create databases. Without them such a test prints a line and
//! passes, unless `TEST_NO_SKIP` is set.

mod server;
mod template;

#[doc(hidden)]
pub use crate::sql::properties::hold as sql_properties_hold;

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;

use crate::Target;
pub use template::Template;

/// What to run a test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file in a temporary folder.
    Sqlite,
    /// A database on the server `TEST_MYSQL_URL`.
    MySql,
    /// A database on the server `TEST_MARIADB_URL`.
    MariaDb,
}

/// A database that exists, is empty, and belongs to one test.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// What it runs on.
    pub engine: Engine,
    /// How to connect.
    pub target: Target,
    /// The same as a URL, for programs that read `DATABASE_URL`.
    pub url: String,
}

/// Makes a database, runs the test and removes the database again, also when the test panics; the
/// panic then goes on.
///
/// # Panics
///
/// When the database cannot be made, or when its server is not named and `TEST_NO_SKIP` is set.
pub async fn with_database<F, Fut>(engine: Engine, test: F)
where
    F: FnOnce(TestDatabase) -> Fut,
    Fut: Future<Output = ()>,
{
    match engine {
        Engine::Sqlite => with_file(test).await,
        Engine::MySql => with_server(engine, "TEST_MYSQL_URL", test).await,
        Engine::MariaDb => with_server(engine, "TEST_MARIADB_URL", test).await,
    }
}

/// [`with_database`], with a copy of a template instead of an empty database.
pub async fn with_database_from<F, Fut>(template: &Template, engine: Engine, test: F)
where
    F: FnOnce(TestDatabase) -> Fut,
    Fut: Future<Output = ()>,
{
    with_database(engine, async |database: TestDatabase| {
        template.fill(&database).await;
        test(database).await;
    })
    .await;
}

async fn with_file<F, Fut>(test: F)
where
    F: FnOnce(TestDatabase) -> Fut,
    Fut: Future<Output = ()>,
{
    // Its Drop removes it, which a panic runs as well.
    let folder = tempfile::tempdir().expect("a temporary folder for the test's database");
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    test(TestDatabase::new(Engine::Sqlite, url)).await;
}

async fn with_server<F, Fut>(engine: Engine, variable: &str, test: F)
where
    F: FnOnce(TestDatabase) -> Fut,
    Fut: Future<Output = ()>,
{
    let Some(server) = server_url(variable) else {
        return;
    };
    let name = server::create(&server).await;
    let database = TestDatabase::new(engine, server::url_of(&server, &name));
    // The call is inside as well: a test may panic before its first await.
    let result = AssertUnwindSafe(async { test(database).await }).catch_unwind().await;
    server::remove(&server, &name).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// `None` to skip the test.
fn server_url(variable: &str) -> Option<String> {
    let is_set = |variable| std::env::var(variable).ok().filter(|value| !value.is_empty());
    let url = is_set(variable);
    if url.is_none() {
        assert!(
            is_set("TEST_NO_SKIP").is_none(),
            "{variable} is not set, and TEST_NO_SKIP forbids to skip the test: run dev/test, which \
             starts a server"
        );
        skipped(variable);
    }
    url
}

#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test's name")]
fn skipped(variable: &str) {
    eprintln!("skipped: {variable} is not set (dev/test starts a server)");
}

impl TestDatabase {
    fn new(engine: Engine, url: String) -> Self {
        let target = Target::parse(&url).expect("a URL of a test's database");
        Self { engine, target, url }
    }
}

/// Runs tests, written as `async fn name(database: TestDatabase)`, on every engine, as
/// `sqlite::name`, `mysql::name` and `mariadb::name`: each with an empty database, or, with
/// `from TEMPLATE:` in front of their names, with a copy of that [`Template`]. Attributes before a
/// name (`#[ignore]`) are kept. Once per module; the caller depends on tokio with its test macro.
#[macro_export]
macro_rules! on_every_database {
    (from $template:ident: $($(#[$attribute:meta])* $test:ident),+ $(,)?) => {
        mod sqlite {
            $($crate::__test_on!(Sqlite, $(#[$attribute])* $test, $template);)+
        }
        mod mysql {
            $($crate::__test_on!(MySql, $(#[$attribute])* $test, $template);)+
        }
        mod mariadb {
            $($crate::__test_on!(MariaDb, $(#[$attribute])* $test, $template);)+
        }
    };
    ($($(#[$attribute:meta])* $test:ident),+ $(,)?) => {
        mod sqlite {
            $($crate::__test_on!(Sqlite, $(#[$attribute])* $test);)+
        }
        mod mysql {
            $($crate::__test_on!(MySql, $(#[$attribute])* $test);)+
        }
        mod mariadb {
            $($crate::__test_on!(MariaDb, $(#[$attribute])* $test);)+
        }
    };
}

/// One test of [`on_every_database!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __test_on {
    ($engine:ident, $(#[$attribute:meta])* $test:ident) => {
        $(#[$attribute])*
        #[::tokio::test]
        async fn $test() {
            $crate::testing::with_database($crate::testing::Engine::$engine, super::$test).await;
        }
    };
    ($engine:ident, $(#[$attribute:meta])* $test:ident, $template:ident) => {
        $(#[$attribute])*
        #[::tokio::test]
        async fn $test() {
            let engine = $crate::testing::Engine::$engine;
            $crate::testing::with_database_from(&super::$template, engine, super::$test).await;
        }
    };
}
