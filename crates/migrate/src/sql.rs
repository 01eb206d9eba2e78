//! SQL texts: taken apart into statements, and what each of them means. Pure; knows no database.

pub(crate) mod act;
pub(crate) mod classify;
pub(crate) mod column;
pub(crate) mod directive;
pub(crate) mod lexer;
pub(crate) mod meaning;
pub(crate) mod name;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod properties;
pub(crate) mod split;

mod alter;
mod blocks;
mod create;
mod words;
