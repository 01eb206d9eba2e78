//! A step as a row of the database.

use super::{Decision, Images, StepRow, StepState};
use crate::direction::Direction;

/// A row of `_migration_steps` as the database has it.
#[derive(sqlx::FromRow)]
pub(crate) struct StepRecord {
    version: i64,
    direction: String,
    number: i64,
    checksum: String,
    state: String,
    statement: Option<String>,
    images: Option<String>,
    started_at: i64,
    finished_at: Option<i64>,
    error: Option<String>,
    decided_by: Option<String>,
    reason: Option<String>,
}

impl TryFrom<StepRecord> for StepRow {
    type Error = sqlx::Error;

    fn try_from(record: StepRecord) -> sqlx::Result<Self> {
        let decode = |what: String| sqlx::Error::Decode(what.into());
        let images = record.images.as_deref().map(serde_json::from_str::<Images>).transpose();
        Ok(Self {
            version: record.version,
            direction: match record.direction.as_str() {
                "up" => Direction::Up,
                "down" => Direction::Down,
                other => return Err(decode(format!("the direction {other:?} is unknown"))),
            },
            number: usize::try_from(record.number).map_err(|error| decode(error.to_string()))?,
            checksum: record.checksum,
            state: StepState::parse(&record.state),
            statement: record.statement,
            images: images.map_err(|error| decode(error.to_string()))?.unwrap_or_default(),
            started_at: record.started_at,
            finished_at: record.finished_at,
            error: record.error,
            decision: record
                .decided_by
                .map(|by| Decision { by, reason: record.reason.unwrap_or_default() }),
        })
    }
}
