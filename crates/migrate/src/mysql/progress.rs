//! How far a statement is that takes long, asked over a second connection.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection};

/// What the stages of an `ALTER TABLE` have done and how much there is, where the server counts it
/// (MySQL manual, "Monitoring ALTER TABLE Progress Using Performance Schema").
const STAGES: &str = "SELECT CAST(s.work_completed AS DOUBLE) / NULLIF(s.work_estimated, 0) \
     FROM performance_schema.events_stages_current s \
     JOIN performance_schema.threads t ON t.thread_id = s.thread_id \
     WHERE t.processlist_id = ?";

/// MariaDB counts stages, and per cent within one.
const PROCESSLIST: &str = "SELECT CAST((stage - 1 + progress / 100) / NULLIF(max_stage, 0) AS DOUBLE) \
     FROM information_schema.processlist WHERE id = ?";

/// A second connection, opened when it is first needed.
#[derive(Default)]
pub(super) struct Monitor {
    connection: Option<MySqlConnection>,
}

impl Monitor {
    /// How much of its work a connection has done, from 0 to 1, if the server knows. That it does
    /// not, or can't be asked, is no reason to disturb the statement.
    pub(super) async fn fraction(
        &mut self,
        options: &MySqlConnectOptions,
        connection_id: u64,
    ) -> Option<f64> {
        if self.connection.is_none() {
            self.connection = Some(options.connect().await.ok()?);
        }
        let connection = self.connection.as_mut()?;
        for sql in [STAGES, PROCESSLIST] {
            let asked: sqlx::Result<Option<Option<f64>>> =
                sqlx::query_scalar(sql).bind(connection_id).fetch_optional(&mut *connection).await;
            if let Ok(Some(Some(fraction))) = asked {
                return Some(fraction.clamp(0.0, 1.0));
            }
        }
        None
    }

    /// Closes the connection.
    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}
