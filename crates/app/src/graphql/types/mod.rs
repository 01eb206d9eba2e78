//! The schema's types: what stands behind each field.

mod chat;
mod common;
mod message;
mod post;
mod user;

pub(super) use self::{
    chat::{ChatInput, ChatNode, MAX_CHAT_MEMBERS},
    common::{Auth, FileInfo, Page, Response, Upload, list_cost, page_size},
    message::{MessageInput, MessageNode},
    post::{PostConnection, PostEdge, PostFeed, PostInput, PostNode},
    user::{UserNode, UsersSearch},
};
