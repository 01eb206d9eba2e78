//! Posts.

use async_graphql::{
    InputObject, Object, SimpleObject,
    connection::{CursorType as _, OpaqueCursor, PageInfo},
};
use chrono::{DateTime, Utc};

use super::{UserNode, common::instant};
use crate::store::Post;

/// A post in the feed.
pub(in crate::graphql) struct PostNode(pub(in crate::graphql) Post);

/// A post in the feed.
#[Object(name = "Post")]
impl PostNode {
    /// Unique among posts, never given twice; newer posts have higher ids.
    async fn id(&self) -> i64 {
        self.0.id
    }

    /// What it says: 1 to 10,000 characters.
    // As much as a text may weigh against a number: answers must not grow without bound.
    #[graphql(complexity = 200)]
    async fn text(&self) -> &str {
        &self.0.text
    }

    /// Who wrote it.
    async fn user(&self) -> UserNode {
        UserNode(self.0.user.clone())
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        instant(self.0.created_at)
    }
}

/// A part of the feed, by cursor.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PostConnection {
    /// The posts, the newest first, each with its cursor.
    pub(in crate::graphql) edges: Vec<PostEdge>,
    /// Whether there are more, and where to go on.
    pub(in crate::graphql) page_info: PageInfo,
}

/// A post and its place in the feed.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PostEdge {
    /// Goes on after this post when it is given as `after`.
    pub(in crate::graphql) cursor: String,
    /// The post.
    node: PostNode,
}

impl From<Post> for PostEdge {
    fn from(post: Post) -> Self {
        Self { cursor: OpaqueCursor(post.id).encode_cursor(), node: PostNode(post) }
    }
}

/// A page of the feed.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PostFeed {
    /// The posts, the newest first.
    pub(in crate::graphql) posts: Vec<PostNode>,
}

/// A post to be written.
#[derive(InputObject)]
pub(in crate::graphql) struct PostInput {
    /// What it says: 1 to 10,000 characters, not counting white space around it.
    pub(in crate::graphql) text: String,
    /// A key of the sender's choice, 64 characters at most: a post that is sent again with the same
    /// one is written once, and answered as it was.
    pub(in crate::graphql) key: Option<String>,
}
