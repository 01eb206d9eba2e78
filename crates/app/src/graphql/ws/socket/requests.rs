//! What the client asks, and what it is answered.

use super::{
    super::{
        operations::{MAX_LIVE, Step},
        protocol::{Close, Dialect, ServerMessage},
    },
    End, Flow, Phase, Socket,
};
use crate::graphql::{Caller, Operation, Reply, errors::RATE_LIMITED};

impl Socket {
    pub(super) async fn start(&mut self, id: String, operation: Operation) -> Flow {
        match self.phase {
            Phase::Open => {}
            Phase::Waiting => {
                if self.dialect == Dialect::Legacy {
                    let message = "connection_init comes first";
                    self.send(&ServerMessage::Invalid { id: Some(id), message }).await?;
                }
                return Err(End::Close(Close::UNAUTHORIZED));
            }
            Phase::Leaving => return Ok(()),
        }
        if self.operations.contains(&id) {
            match self.dialect {
                Dialect::Modern => return Err(End::Close(Close::id_taken(&id))),
                Dialect::Legacy => self.operations.stop(&id),
            };
        }
        self.asked += 1;
        let request_id = format!("{}-{}", self.caller.request_id, self.asked);
        if self.operations.is_full() {
            let message = format!("A socket has {MAX_LIVE} operations under way at most.");
            let reply = Reply::refused(&message, RATE_LIMITED, &request_id);
            return self.refuse(id, &reply).await;
        }
        let caller = Caller { request_id: request_id.clone(), ..self.caller.clone() };
        match self.graph.prepare(operation, caller) {
            Ok(prepared) => {
                self.operations.start(id, &self.graph, prepared, request_id);
                Ok(())
            }
            Err(reply) => self.refuse(id, &reply).await,
        }
    }

    /// Passes on what an operation reports.
    pub(super) async fn report(&mut self, id: String, step: Step) -> Flow {
        match step {
            Step::Next(reply) => {
                let response = String::from_utf8_lossy(&reply.to_json()).into_owned();
                self.send(&ServerMessage::Next { id, response }).await?;
            }
            Step::Error(reply) => self.refuse(id, &reply).await?,
            Step::Done => self.send(&ServerMessage::Complete { id }).await?,
        }
        self.leave_if_done()
    }

    /// Answers an operation that is not executed.
    async fn refuse(&mut self, id: String, reply: &Reply) -> Flow {
        let errors = serde_json::to_string(reply.errors()).unwrap_or_else(|error| {
            tracing::error!(%error, "errors can't be written as JSON");
            "[]".to_owned()
        });
        self.send(&ServerMessage::Refused { id: id.clone(), errors }).await?;
        match self.dialect {
            Dialect::Modern => Ok(()),
            Dialect::Legacy => self.send(&ServerMessage::Complete { id }).await,
        }
    }
}
