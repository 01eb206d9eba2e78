//! Runs the statements of one file.

use futures_util::{Stream, StreamExt as _};

/// Which statement of a text failed, and why.
#[derive(Debug)]
pub(crate) struct StatementError {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) reason: sqlx::Error,
}

/// Runs a text to its end. Both drivers give one result per statement and report a later
/// statement's error as a later item, so stopping after the first would miss it.
pub(crate) async fn run_all<T>(
    mut results: impl Stream<Item = sqlx::Result<T>> + Unpin,
) -> Result<(), StatementError> {
    let mut number = 1;
    while let Some(result) = results.next().await {
        result.map_err(|reason| StatementError { number, reason })?;
        number += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn the_failing_statement_is_counted_from_one() {
        let results = stream::iter([Ok(()), Ok(()), Err(sqlx::Error::RowNotFound)]);
        assert_eq!(run_all(results).await.unwrap_err().number, 3);
        assert!(run_all(stream::iter([Ok(()), Ok(())])).await.is_ok());
    }
}
