//! What is to be known of a server before anything is changed on it, and who else is at work there.

use sqlx::{MySqlConnection, Row as _};

use crate::error::Context;
use crate::event::{Holder, Report, summary};
use crate::{Event, MigrateError};

/// Refuses a server that may not be written to, and says what an operator should know of others.
pub(super) async fn check(
    connection: &mut MySqlConnection,
    context: &Context,
    report: &mut Report<'_>,
) -> Result<(), MigrateError> {
    let settings = sqlx::raw_sql(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
         ('read_only', 'super_read_only', 'innodb_read_only', 'wsrep_on')",
    );
    let settings = settings.fetch_all(connection).await;
    let settings = settings.map_err(context.journal("ask for the server's settings"))?;
    let settings = settings
        .iter()
        .map(|row| (row.try_get(0).unwrap_or_default(), row.try_get(1).unwrap_or_default()));
    judge(settings, context, report)
}

/// What a server's settings mean for a run.
fn judge(
    settings: impl Iterator<Item = (String, String)>,
    context: &Context,
    report: &mut Report<'_>,
) -> Result<(), MigrateError> {
    // MariaDB 12 names what it does not let through instead of saying ON.
    for (setting, _) in settings.filter(|(_, value)| !matches!(value.as_str(), "OFF" | "0" | "")) {
        if setting != "wsrep_on" {
            return Err(MigrateError::ReadOnly { target: context.target.clone(), setting });
        }
        report(Event::Notice {
            message:
                "this server is a node of a Galera cluster, where the lock of one node is not \
                 seen on another: run migrations against the same node always"
                    .to_owned(),
        });
    }
    Ok(())
}

/// What can be seen of a connection. Without the right to see others' there is only its number.
pub(super) async fn holder(connection: &mut MySqlConnection, id: u64) -> Holder {
    let mut holder = Holder { connection: id, who: None, seconds: None, statement: None };
    let Ok(rows) = sqlx::raw_sql("SHOW FULL PROCESSLIST").fetch_all(connection).await else {
        return holder;
    };
    let same = |row: &&sqlx::mysql::MySqlRow| {
        row.try_get_unchecked::<u64, _>("Id").is_ok_and(|found| found == id)
    };
    if let Some(row) = rows.iter().find(same) {
        let user: Option<String> = row.try_get_unchecked("User").ok();
        let host: Option<String> = row.try_get_unchecked("Host").ok();
        holder.who = user.zip(host).map(|(user, host)| format!("{user}@{host}"));
        let seconds: Option<i64> = row.try_get_unchecked("Time").ok();
        holder.seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let statement: Option<String> = row.try_get_unchecked("Info").unwrap_or_default();
        holder.statement = statement.map(|text| summary(&text, 100));
    }
    holder
}

/// Who has been in a transaction for longest, as the end of an error's text; empty where nobody
/// is, or where it can't be seen.
pub(super) async fn blockers(connection: &mut MySqlConnection) -> String {
    let oldest = sqlx::raw_sql(
        "SELECT CAST(trx_mysql_thread_id AS UNSIGNED), \
         CAST(TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS SIGNED) \
         FROM information_schema.innodb_trx \
         WHERE trx_mysql_thread_id <> CONNECTION_ID() ORDER BY trx_started LIMIT 1",
    );
    let Ok(Some(row)) = oldest.fetch_optional(&mut *connection).await else {
        return String::new();
    };
    let (Ok(id), Ok(seconds)) = (row.try_get::<u64, _>(0), row.try_get::<i64, _>(1)) else {
        return String::new();
    };
    let who = holder(connection, id).await.who.map(|who| format!(" ({who})")).unwrap_or_default();
    format!(
        ". The oldest transaction is that of connection {id}{who}, open for {seconds} s: end it, \
         or let it end, and run again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    fn judged(settings: &[(&str, &str)]) -> (Result<(), MigrateError>, usize) {
        let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let context = Context { target: "mysql://u@h/d".to_owned(), dialect: Dialect::MySql };
        let mut notices = 0;
        let result = judge(settings, &context, &mut |_| notices += 1);
        (result, notices)
    }

    #[test]
    fn a_server_that_takes_no_writes_is_refused_with_the_setting_that_says_so() {
        for setting in ["read_only", "super_read_only", "innodb_read_only"] {
            for value in ["ON", "1", "NO_LOCK_NO_ADMIN"] {
                let error = judged(&[("wsrep_on", "OFF"), (setting, value)]).0.unwrap_err();
                let text = error.to_string();
                assert!(text.starts_with("mysql://u@h/d is read-only"), "{text}");
                assert!(text.contains(setting), "{text}");
            }
        }
        let writable =
            [("read_only", "OFF"), ("super_read_only", "OFF"), ("innodb_read_only", "0")];
        assert!(matches!(judged(&writable), (Ok(()), 0)));
    }

    #[test]
    fn a_node_of_a_cluster_is_told_about() {
        assert!(matches!(judged(&[("wsrep_on", "ON"), ("read_only", "OFF")]), (Ok(()), 1)));
    }
}
