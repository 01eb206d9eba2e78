//! What can be done.

use std::sync::Arc;

use async_graphql::{Context, Object};

use super::{caller, session, state, viewer};
use crate::{
    accounts::{SignedIn, names::written},
    events::Event,
    graphql::{
        UploadedFile,
        errors::{ApiError, Result},
        types::{
            Auth, ChatInput, ChatNode, FileInfo, MAX_CHAT_MEMBERS, MessageInput, MessageNode,
            PostInput, PostNode, Response, Upload,
        },
    },
    http::cookies,
    state::SharedState,
    store::{Added, NewChat, StoreError},
};

const MAX_POST_CHARS: usize = 10_000;
const MAX_MESSAGE_CHARS: usize = 2_000;
/// As the column has it.
const MAX_KEY_CHARS: usize = 64;

/// The root of all mutations.
pub(in crate::graphql) struct RootMutation;

/// What can be done. Everything but `login` and `signup` needs a signed-in user.
#[Object]
impl RootMutation {
    /// Makes an account and signs it in.
    async fn signup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "3 to 32 letters, digits, `_`, `.` and `-`; unique in any case.")]
        username: String,
        #[graphql(desc = "Unique in any case; nobody else sees it.")] email: String,
        #[graphql(desc = "8 to 128 characters.")] password: String,
    ) -> Result<Auth> {
        let signed_in = state(ctx)?.accounts.sign_up(&username, &email, &password).await?;
        signed_in_reply(ctx, signed_in)
    }

    /// Signs in. After too many failures the account and the client's address have to wait.
    async fn login(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The address that the account was made with.")] email: String,
        #[graphql(desc = "The account's password.")] password: String,
    ) -> Result<Auth> {
        let address = caller(ctx)?.address;
        let signed_in = state(ctx)?.accounts.sign_in(&email, &password, address).await?;
        signed_in_reply(ctx, signed_in)
    }

    /// Signs out: the token that this was asked with is worthless from now on.
    async fn logout(&self, ctx: &Context<'_>) -> Result<Response> {
        let session = session(ctx)?.clone();
        to_the_end(ctx, |state| async move { state.accounts.sign_out(&session).await }).await?;
        forget_cookie(ctx)?;
        Ok(Response { success: true })
    }

    /// Signs out on every device: all of the viewer's tokens are worthless from now on.
    async fn logout_everywhere(&self, ctx: &Context<'_>) -> Result<Response> {
        let viewer = viewer(ctx)?.clone();
        to_the_end(ctx, |state| async move { state.accounts.sign_out_everywhere(&viewer).await })
            .await?;
        forget_cookie(ctx)?;
        Ok(Response { success: true })
    }

    /// Sets another password, signs out on every device and signs in here anew.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password until now.")] current_password: String,
        #[graphql(desc = "The password from now on: 8 to 128 characters.")] new_password: String,
    ) -> Result<Auth> {
        let viewer = viewer(ctx)?.clone();
        let signed_in = to_the_end(ctx, |state| async move {
            state.accounts.change_password(&viewer, &current_password, &new_password).await
        })
        .await?;
        signed_in_reply(ctx, signed_in)
    }

    /// Writes a post.
    async fn add_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post to be written.")] post: PostInput,
    ) -> Result<PostNode> {
        let viewer = viewer(ctx)?.clone();
        let text = written("text", &post.text, MAX_POST_CHARS)?;
        let key = key(post.key)?;
        let post = to_the_end(ctx, |state| async move {
            let now = state.clock.now();
            let post = match state.store.add_post(&viewer, &text, now, key.as_deref()).await? {
                Added::Now(post) => post,
                // It was told then.
                Added::Before(post) => return Ok(post),
            };
            state.events.publish(Event::PostAdded(post.clone().into()));
            Ok::<_, StoreError>(post)
        });
        Ok(PostNode(post.await?))
    }

    /// Deletes a post of the viewer's own. Not a success if there is no such post.
    async fn delete_post(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The post's id.")] post_id: i64,
    ) -> Result<Response> {
        let viewer = viewer(ctx)?;
        let store = &state(ctx)?.store;
        if store.delete_post(post_id, viewer.id).await? {
            return Ok(Response { success: true });
        }
        match store.post_author(post_id).await? {
            Some(author) if author != viewer.id => {
                Err(ApiError::Forbidden("Only its author deletes a post."))
            }
            _ => Ok(Response { success: false }),
        }
    }

    /// Starts a chat, or finds the one that these two people have already.
    async fn add_chat(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The chat to be started.")] chat: ChatInput,
    ) -> Result<ChatNode> {
        let viewer = viewer(ctx)?;
        let state = state(ctx)?;
        let mut member_ids: Vec<i64> = chat.users.into_iter().flatten().flatten().collect();
        member_ids.push(viewer.id);
        member_ids.sort_unstable();
        member_ids.dedup();
        if member_ids.len() > MAX_CHAT_MEMBERS {
            let message = format!("A chat has {MAX_CHAT_MEMBERS} members at most.");
            return Err(ApiError::bad_input("users", message));
        }
        let known = state.store.users_by_id(&member_ids).await?;
        let unknown = member_ids.iter().find(|id| !known.iter().any(|user| user.id == **id));
        if let Some(id) = unknown {
            let message = format!("There is nobody with the id {id}.");
            return Err(ApiError::bad_input("users", message));
        }
        let new = NewChat { member_ids, created_at: state.clock.now() };
        Ok(ChatNode(state.store.create_chat(&new).await?))
    }

    /// Says something in a chat; its other members hear of it at once.
    async fn add_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to be sent.")] message: MessageInput,
    ) -> Result<MessageNode> {
        let viewer = viewer(ctx)?.clone();
        let text = written("text", &message.text, MAX_MESSAGE_CHARS)?;
        let key = key(message.key)?;
        let member_ids = members(ctx, message.chat_id).await?;
        let message = to_the_end(ctx, |state| async move {
            let now = state.clock.now();
            let chat_id = message.chat_id;
            let added =
                state.store.add_message(chat_id, &viewer, &text, now, key.as_deref()).await?;
            let message = match added {
                Added::Now(message) => message,
                // It was told then.
                Added::Before(message) => return Ok(message),
            };
            state.events.publish(Event::MessageAdded {
                message: message.clone().into(),
                member_ids: member_ids.into(),
            });
            Ok::<_, StoreError>(message)
        });
        Ok(MessageNode { message: message.await?, chat: None })
    }

    /// Notes that the viewer has read a chat up to a message. Of a chat that is not theirs, nothing is.
    async fn mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The chat, which the viewer must be a member of.")] chat_id: i64,
        #[graphql(desc = "The last message that was read.")] message_id: i64,
    ) -> Result<Response> {
        let viewer = viewer(ctx)?;
        state(ctx)?.store.mark_read(chat_id, viewer.id, message_id).await?;
        Ok(Response { success: true })
    }

    /// Makes a picture the viewer's: PNG, JPEG, WebP or GIF, 5 MiB at most. It is cut square
    /// and kept in two sizes, without whatever else was in the file.
    async fn upload_avatar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The picture, in a multipart request.")] file: Upload,
    ) -> Result<FileInfo> {
        let viewer = viewer(ctx)?;
        let state = state(ctx)?;
        let uploaded = ctx
            .data_opt::<UploadedFile>()
            .filter(|uploaded| uploaded.key == file.0)
            .ok_or_else(|| {
                let message = "There is no file in this request: send it as multipart/form-data.";
                ApiError::bad_input("file", message)
            })?;
        let name = state.avatars.save(uploaded.bytes.clone()).await?;
        state.store.set_avatar(viewer.id, name.as_str()).await?;
        let filename = name.file(512);
        Ok(FileInfo {
            url: format!("/uploads/{filename}"),
            mimetype: name.content_type().to_owned(),
            encoding: "binary".to_owned(),
            filename,
        })
    }
}

/// A key that a sender chose, if it is one.
fn key(key: Option<String>) -> Result<Option<String>> {
    match &key {
        Some(it) if it.is_empty() || it.chars().count() > MAX_KEY_CHARS => {
            let what = format!("A key has 1 to {MAX_KEY_CHARS} characters.");
            Err(ApiError::bad_input("key", what))
        }
        _ => Ok(key),
    }
}

/// Does what is written and then told to others, a new message or a session's end: they must hear of
/// it also when the client hangs up between the two. Not for work that waits in a queue without
/// bounds, such as signing up: there a client that is gone makes room.
async fn to_the_end<T, E, F>(ctx: &Context<'_>, work: impl FnOnce(SharedState) -> F) -> Result<T>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let state = state(ctx)?;
    state.lifecycle.see_through(work(Arc::clone(state))).await.map_err(Into::into)
}

/// The members of a chat that the viewer is one of.
pub(super) async fn members(ctx: &Context<'_>, chat_id: i64) -> Result<Vec<i64>> {
    let viewer = viewer(ctx)?;
    let member_ids = state(ctx)?.store.member_ids(chat_id).await?;
    if member_ids.is_empty() {
        return Err(ApiError::NotFound("There is no such chat."));
    }
    if !member_ids.contains(&viewer.id) {
        return Err(ApiError::Forbidden("You are not a member of this chat."));
    }
    Ok(member_ids)
}

fn signed_in_reply(ctx: &Context<'_>, signed_in: SignedIn) -> Result<Auth> {
    let cookie = cookies::sign_in(&signed_in.token, state(ctx)?.secure_cookies);
    ctx.append_http_header("set-cookie", cookie);
    Ok(Auth { token: signed_in.token })
}

fn forget_cookie(ctx: &Context<'_>) -> Result<()> {
    ctx.append_http_header("set-cookie", cookies::sign_out(state(ctx)?.secure_cookies));
    Ok(())
}
