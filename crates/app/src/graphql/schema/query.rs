//! What can be asked.

use async_graphql::{
    Context, Object,
    connection::{CursorType as _, OpaqueCursor, PageInfo},
};

use super::{session, state, viewer};
use crate::{
    accounts::names::username_key,
    graphql::{
        errors::{ApiError, Result},
        types::{
            ChatNode, Page, PostConnection, PostEdge, PostFeed, PostNode, UserNode, UsersSearch,
            list_cost, page_size,
        },
    },
    store::{Membership, PostFilter},
};

const DEFAULT_POSTS: i64 = 50;
const MAX_POSTS: i64 = 100;
const DEFAULT_FEED: i64 = 20;
const DEFAULT_CHATS: i64 = 50;
const MAX_CHATS: i64 = 100;
const DEFAULT_USERS: i64 = 20;
const MAX_USERS: i64 = 100;

/// The root of all queries.
pub(in crate::graphql) struct RootQuery;

/// What can be asked. Everything needs a signed-in user.
#[Object]
impl RootQuery {
    /// Whoever asks.
    async fn current_user(&self, ctx: &Context<'_>) -> Result<UserNode> {
        Ok(UserNode(viewer(ctx)?.clone()))
    }

    /// The person of that name; null if there is none.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In any case.")] username: String,
    ) -> Result<Option<UserNode>> {
        viewer(ctx)?;
        let user = state(ctx)?.store.user_by_username(&username_key(&username)).await?;
        Ok(user.map(UserNode))
    }

    /// The newest posts of everybody, the newest first.
    #[graphql(complexity = "cost(limit, DEFAULT_POSTS, MAX_POSTS, child_complexity)")]
    async fn posts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 50 if nothing is said, 100 at most and for 0.")] limit: Option<
            i64,
        >,
    ) -> Result<Vec<PostNode>> {
        viewer(ctx)?;
        let limit = page_size("limit", limit, DEFAULT_POSTS, MAX_POSTS)?;
        let posts = state(ctx)?.store.posts(PostFilter::default(), limit, 0).await?;
        Ok(posts.into_iter().map(PostNode).collect())
    }

    /// A page of posts by number, the newest first. New posts move the pages; `feed` does not
    /// have that trouble.
    #[graphql(complexity = "cost(limit, DEFAULT_POSTS, MAX_POSTS, child_complexity)")]
    async fn posts_feed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which page, counted from 0.")] page: Option<i64>,
        #[graphql(desc = "Posts on a page: 50 if nothing is said, 100 at most and for 0.")]
        limit: Option<i64>,
        #[graphql(desc = "Only posts of the person of this name.")] username: Option<String>,
    ) -> Result<PostFeed> {
        viewer(ctx)?;
        let Page { limit, offset } = Page::new(page, limit, DEFAULT_POSTS, MAX_POSTS)?;
        let key = username.as_deref().map(username_key);
        let filter = PostFilter { username_key: key.as_deref(), before: None };
        let posts = state(ctx)?.store.posts(filter, limit, offset).await?;
        Ok(PostFeed { posts: posts.into_iter().map(PostNode).collect() })
    }

    /// Posts by cursor, the newest first: going on after the last one neither repeats nor skips
    /// any, however many are written meanwhile.
    #[graphql(complexity = "cost(first, DEFAULT_FEED, MAX_POSTS, child_complexity)")]
    async fn feed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 20 if nothing is said, 100 at most and for 0.")] first: Option<
            i64,
        >,
        #[graphql(desc = "Only posts after this `cursor` or `endCursor`.")] after: Option<String>,
        #[graphql(desc = "Only posts of the person of this name.")] username: Option<String>,
    ) -> Result<PostConnection> {
        viewer(ctx)?;
        let first = page_size("first", first, DEFAULT_FEED, MAX_POSTS)?;
        let before = after
            .as_deref()
            .map(|cursor| {
                OpaqueCursor::<i64>::decode_cursor(cursor)
                    .map(|cursor| cursor.0)
                    .map_err(|_| ApiError::bad_input("after", "`after` is not a cursor of a feed."))
            })
            .transpose()?;
        let key = username.as_deref().map(username_key);
        let filter = PostFilter { username_key: key.as_deref(), before };
        // One more than asked tells whether there is a next page.
        let mut posts = state(ctx)?.store.posts(filter, first + 1, 0).await?;
        let has_next_page = posts.len() as i64 > first;
        posts.truncate(first as usize);
        let edges: Vec<PostEdge> = posts.into_iter().map(PostEdge::from).collect();
        let page_info = PageInfo {
            has_previous_page: before.is_some(),
            has_next_page,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Ok(PostConnection { edges, page_info })
    }

    /// The viewer's chats (the 10,000 that were started last), the one with the latest message first.
    #[graphql(complexity = "cost(limit, DEFAULT_CHATS, MAX_CHATS, child_complexity)")]
    async fn chats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which page, counted from 0.")] page: Option<i64>,
        #[graphql(desc = "Chats on a page: 50 if nothing is said, 100 at most and for 0.")]
        limit: Option<i64>,
    ) -> Result<Vec<ChatNode>> {
        let viewer = viewer(ctx)?;
        let Page { limit, offset } = Page::new(page, limit, DEFAULT_CHATS, MAX_CHATS)?;
        let chats = state(ctx)?.store.chats_of(viewer.id, limit, offset).await?;
        Ok(chats.into_iter().map(ChatNode).collect())
    }

    /// A chat that the viewer is a member of; null if there is no such chat.
    async fn chat(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The chat's id; null finds none.")] chat_id: Option<i64>,
    ) -> Result<Option<ChatNode>> {
        let viewer = &session(ctx)?.user;
        let Some(chat_id) = chat_id else { return Ok(None) };
        match state(ctx)?.store.chat_for(chat_id, viewer.id).await? {
            Membership::NoChat => Ok(None),
            Membership::Stranger => Err(ApiError::Forbidden("You are not a member of this chat.")),
            Membership::Member(chat) => Ok(Some(ChatNode(chat))),
        }
    }

    /// People whose name contains a text, in any case, the newest first. Of more than 10,000 people
    /// only some are found.
    #[graphql(complexity = "cost(limit, DEFAULT_USERS, MAX_USERS, child_complexity)")]
    async fn users_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which page, counted from 0.")] page: Option<i64>,
        #[graphql(desc = "People on a page: 20 if nothing is said, 100 at most and for 0.")]
        limit: Option<i64>,
        #[graphql(desc = "Fewer than 3 characters find nobody.")] text: String,
    ) -> Result<UsersSearch> {
        viewer(ctx)?;
        let Page { limit, offset } = Page::new(page, limit, DEFAULT_USERS, MAX_USERS)?;
        let users = state(ctx)?.store.search_users(&username_key(&text), limit, offset).await?;
        Ok(UsersSearch { users: users.into_iter().map(UserNode).collect() })
    }
}

/// What a list costs.
fn cost(size: Option<i64>, default: i64, max: i64, child: usize) -> usize {
    list_cost(page_size("", size, default, max).unwrap_or(max), child)
}
