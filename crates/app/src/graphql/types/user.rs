//! People.

use async_graphql::{Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::common::instant;
use crate::{avatars::AvatarName, store::User};

/// The size of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(in crate::graphql) enum AvatarSize {
    /// 128 pixels square.
    Small,
    /// 512 pixels square.
    Large,
}

/// A person.
pub(in crate::graphql) struct UserNode(pub(in crate::graphql) User);

/// A person.
#[Object(name = "User")]
impl UserNode {
    /// Unique among people, never given twice.
    async fn id(&self) -> i64 {
        self.0.id
    }

    /// The address of their picture on this server; null as long as they have none.
    async fn avatar(
        &self,
        #[graphql(desc = "Which of the stored sizes.", default_with = "AvatarSize::Large")]
        size: AvatarSize,
    ) -> Option<String> {
        let name = AvatarName::parse(self.0.avatar.as_deref()?)?;
        let pixels = match size {
            AvatarSize::Small => 128,
            AvatarSize::Large => 512,
        };
        Some(format!("/uploads/{}", name.file(pixels)))
    }

    /// What they are called: unique, whatever the case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// When they signed up.
    async fn created_at(&self) -> DateTime<Utc> {
        instant(self.0.created_at)
    }
}

/// People that a search found.
#[derive(SimpleObject)]
pub(in crate::graphql) struct UsersSearch {
    /// One page of them, the newest first.
    pub(in crate::graphql) users: Vec<UserNode>,
}
