//! One attempt at MySQL or MariaDB.

use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, Row as _};

use super::Refusal;
use super::classify::{Obstacle, Verdict, classify};

pub(super) async fn attempt(options: &MySqlConnectOptions) -> Result<(), Refusal> {
    let is_socket = options.get_socket().is_some();
    let refused = |error: sqlx::Error| Refusal::new(classify(&error, is_socket), &error);
    let mut connection = options.connect().await.map_err(refused)?;
    let result = ask(&mut connection).await.map_err(refused);
    let _ = connection.close().await;
    obstacle(&result?)
}

/// What a server says about itself, as names and values.
async fn ask(connection: &mut MySqlConnection) -> sqlx::Result<Vec<(String, String)>> {
    // Not as @@names: MySQL and MariaDB don't have the same.
    let settings = sqlx::raw_sql(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
         ('read_only', 'super_read_only', 'innodb_read_only', 'wsrep_on'); \
         SHOW GLOBAL STATUS LIKE 'wsrep_ready'",
    );
    let rows = settings.fetch_all(connection).await?;
    let pair = |row: &MySqlRow| Ok((row.try_get_unchecked(0)?, row.try_get_unchecked(1)?));
    rows.iter().map(pair).collect()
}

/// Whether one of the settings is against writing.
fn obstacle(settings: &[(String, String)]) -> Result<(), Refusal> {
    let is_off = |value: &str| matches!(value.to_ascii_uppercase().as_str(), "OFF" | "0");
    let is = |wanted: &str, name: &str| name.eq_ignore_ascii_case(wanted);
    // MariaDB says that Galera is not ready also where there is none.
    let is_cluster = settings.iter().any(|(name, value)| is("wsrep_on", name) && !is_off(value));
    for (name, value) in settings {
        let is_read_only = ["read_only", "super_read_only", "innodb_read_only"]
            .iter()
            .any(|setting| is(setting, name) && !is_off(value));
        let obstacle = if is_read_only {
            Obstacle::ReadOnly
        } else if is_cluster && is("wsrep_ready", name) && is_off(value) {
            Obstacle::Starting
        } else {
            continue;
        };
        return Err(Refusal::new(Verdict::Passes(obstacle), &format!("{name} is {value}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &[(&str, &str)]) -> Option<Verdict> {
        let settings: Vec<(String, String)> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        obstacle(&settings).err().map(|refusal| refusal.verdict)
    }

    #[test]
    fn a_server_that_can_not_be_written_to_says_so_in_several_ways() {
        for name in ["read_only", "super_read_only", "innodb_read_only"] {
            assert_eq!(of(&[(name, "OFF")]), None);
            assert_eq!(of(&[(name, "0")]), None);
            assert_eq!(of(&[(name, "ON")]), Some(Verdict::Passes(Obstacle::ReadOnly)));
            // MariaDB from 12 on.
            assert_eq!(
                of(&[(name, "NO_LOCK_NO_ADMIN")]),
                Some(Verdict::Passes(Obstacle::ReadOnly))
            );
        }
    }

    #[test]
    fn a_node_of_a_cluster_has_to_be_ready() {
        let starting = Some(Verdict::Passes(Obstacle::Starting));
        assert_eq!(of(&[("wsrep_on", "ON"), ("wsrep_ready", "OFF")]), starting);
        assert_eq!(of(&[("wsrep_on", "ON"), ("wsrep_ready", "ON")]), None);
        assert_eq!(of(&[("wsrep_on", "OFF"), ("wsrep_ready", "OFF")]), None, "no cluster");
        assert_eq!(of(&[("wsrep_ready", "OFF")]), None);
    }
}
