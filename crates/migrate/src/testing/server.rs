//! Makes and removes databases on a server. Each call has a connection of its own for as long as
//! it takes: hundreds of tests run at once.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Makes an empty database and gives its name.
pub(super) async fn create(server: &str) -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("random bytes for the name of the test's database");
    let name = format!("gb_test_{}_{:016x}", std::process::id(), u64::from_ne_bytes(random));
    let create = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4");
    if let Err(error) = run(server, create).await {
        panic!("the test's database could not be made: {error}");
    }
    name
}

/// Removes a database. A failure is only told: it must not hide the test's own, and the server is
/// thrown away.
#[expect(clippy::print_stderr, reason = "the test harness shows it beside the test's name")]
pub(super) async fn remove(server: &str, name: &str) {
    // The limit is for a test that left a transaction open.
    let remove = format!("SET SESSION lock_wait_timeout = 10; DROP DATABASE `{name}`");
    if let Err(error) = run(server, remove).await {
        eprintln!("the test's database {name} was not removed: {error}");
    }
}

async fn run(server: &str, sql: String) -> sqlx::Result<()> {
    let options: MySqlConnectOptions = server.parse()?;
    let mut connection = options.connect().await?;
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
    connection.close().await?;
    result.map(drop)
}

/// The server's URL with the database in its path; parameters stay.
pub(super) fn url_of(server: &str, name: &str) -> String {
    let (base, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, rest) = base.split_once("://").unwrap_or(("mysql", base));
    let authority = rest.split('/').next().unwrap_or(rest);
    let separator = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}/{name}{separator}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::url_of;

    #[test]
    fn the_database_is_put_into_the_path() {
        for (server, url) in [
            ("mysql://root@127.0.0.1:3307/", "mysql://root@127.0.0.1:3307/x"),
            ("mysql://root@127.0.0.1:3307", "mysql://root@127.0.0.1:3307/x"),
            ("mariadb://u:p@h/other?ssl-mode=disabled", "mariadb://u:p@h/x?ssl-mode=disabled"),
        ] {
            assert_eq!(url_of(server, "x"), url);
        }
    }
}
