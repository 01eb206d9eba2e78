//! Whose socket it is, and whether it still is.

use std::time::Duration;

use tokio::{sync::broadcast::error::RecvError, time::timeout};

use super::{
    super::protocol::{Close, Dialect, ServerMessage},
    End, Flow, Phase, Socket,
};
use crate::{events::SessionsEnded, graphql::Graph, store::StoreError};

impl Socket {
    pub(super) async fn init(&mut self, token: Option<String>) -> Flow {
        match self.phase {
            Phase::Waiting => {}
            Phase::Open => return Err(End::Close(Close::SECOND_INIT)),
            Phase::Leaving => return Ok(()),
        }
        let accounts = &self.graph.state().accounts;
        let patience = self.timings.patience;
        let given = token.is_some();
        // Nothing is under way yet, so nothing waits while the database is asked.
        let session = match (token, self.offered.take()) {
            (Some(token), _) => ask(&self.graph, patience, accounts.authenticate(&token)).await?,
            // It was good when the request came; `ended` tells of what happened since, but not
            // of what other processes did.
            (None, Some(session)) => {
                let goes_on = ask(&self.graph, patience, accounts.goes_on(&session)).await?;
                goes_on.map(|goes_on| goes_on.then_some(session))
            }
            (None, None) => Some(None),
        };
        let Some(session) = session else { return Err(End::Close(Close::TRY_LATER)) };
        if session.is_none() && self.dialect == Dialect::Legacy {
            let message = "Missing auth token!";
            self.send(&ServerMessage::ConnectionError { message }).await?;
            return Err(End::Close(Close::LEGACY_REFUSED));
        }
        if session.is_none() && given {
            return Err(End::Close(Close::FORBIDDEN));
        }
        self.caller.session = session;
        self.phase = Phase::Open;
        self.deadline = None;
        self.send(&ServerMessage::Ack).await?;
        if self.dialect == Dialect::Legacy {
            // Its clients watch for these only once they have seen one.
            self.send(&ServerMessage::Beat).await?;
        }
        Ok(())
    }

    pub(super) async fn sessions_ended(&mut self, ended: Result<SessionsEnded, RecvError>) -> Flow {
        let Some(session) = &self.caller.session else { return Ok(()) };
        match ended {
            // Asked again, because the news may be older than the session: a person who signs
            // out everywhere may be back before this is read.
            Ok(ended) if ended.concerns(session) => self.check_session(true).await,
            Ok(_) => Ok(()),
            Err(RecvError::Lagged(_)) => self.check_session(false).await,
            // Not while the state is there, and the graph holds it.
            Err(RecvError::Closed) => self.leave(Close::GOING_AWAY),
        }
    }

    /// Closes the socket if its session is over, and also if that can't be known and there is
    /// reason to think so.
    pub(super) async fn check_session(&mut self, suspect: bool) -> Flow {
        let Some(session) = &self.caller.session else { return Ok(()) };
        let question = self.graph.state().accounts.goes_on(session);
        match ask(&self.graph, self.timings.patience, question).await? {
            Some(true) => Ok(()),
            None if !suspect => Ok(()),
            Some(false) | None => self.leave(Close::SESSION_ENDED),
        }
    }
}

/// Asks about a session, with an end to patience. Gives nothing if there is no answer, and gives
/// up at once when the server stops.
async fn ask<T>(
    graph: &Graph,
    patience: Duration,
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<Option<T>, End> {
    let answer = tokio::select! {
        answer = timeout(patience, question) => answer,
        () = graph.state().lifecycle.stopping() => return Err(End::Close(Close::GOING_AWAY)),
    };
    match answer {
        Ok(Ok(answer)) => return Ok(Some(answer)),
        Ok(Err(error)) => tracing::error!(%error, "can't look up a session"),
        Err(_elapsed) => tracing::error!("can't look up a session: no answer in time"),
    }
    Ok(None)
}
