//! The schema: its three roots, and what their resolvers start from.

mod mutation;
mod query;
mod subscription;

use async_graphql::{Context, SDLExportOptions, Schema, SchemaBuilder};
use chrono::{DateTime, Utc};

use self::{mutation::RootMutation, query::RootQuery, subscription::RootSubscription};
use super::{
    Caller,
    errors::{ApiError, Result},
    loaders::Loaders,
};
use crate::{
    state::SharedState,
    store::{Session, User},
};

/// The schema, ready to execute.
pub(super) type GraphSchema = Schema<RootQuery, RootMutation, RootSubscription>;

/// What the fields of a response may cost: a field costs one, a text more, a list its size times
/// its fields. Keeps the largest answer at some 40 MB.
const MAX_COMPLEXITY: usize = 100_000;

/// The schema over this state.
pub(super) fn build(state: SharedState) -> GraphSchema {
    builder().data(state).finish()
}

/// The schema in GraphQL's schema definition language, sorted.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .prefer_single_line_descriptions()
        .sorted_arguments()
        .sorted_enum_items()
        .sorted_fields();
    let sdl = builder().finish().sdl_with_options(options);
    let lines: Vec<&str> = sdl.trim().lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

fn builder() -> SchemaBuilder<RootQuery, RootMutation, RootSubscription> {
    // `guard` bounds depth and size before this; only what lists multiply is left to bound.
    Schema::build(RootQuery, RootMutation, RootSubscription)
        .limit_complexity(MAX_COMPLEXITY)
        .override_output_type_description::<DateTime<Utc>>(
        "An instant in UTC as RFC 3339 writes it, such as `2026-11-23T09:15:00.123456+00:00`.",
    )
}

/// What the requests share.
pub(super) fn state<'a>(ctx: &Context<'a>) -> Result<&'a SharedState> {
    ctx.data().map_err(|error| ApiError::Internal(error.message))
}

/// The loaders of this request.
pub(super) fn loaders<'a>(ctx: &Context<'a>) -> Result<&'a Loaders> {
    ctx.data().map_err(|error| ApiError::Internal(error.message))
}

/// Who asks.
pub(super) fn caller<'a>(ctx: &Context<'a>) -> Result<&'a Caller> {
    ctx.data().map_err(|error| ApiError::Internal(error.message))
}

/// The person who asks; an error for somebody who is not signed in.
pub(super) fn viewer<'a>(ctx: &Context<'a>) -> Result<&'a User> {
    Ok(&session(ctx)?.user)
}

/// The session of the person who asks; an error for somebody who is not signed in.
fn session<'a>(ctx: &Context<'a>) -> Result<&'a Session> {
    caller(ctx)?.session()
}
