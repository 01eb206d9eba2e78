//! Small types that several operations use, and how lists are cut into pages.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use chrono::{DateTime, Utc};

use crate::{
    clock::Micros,
    graphql::errors::{ApiError, Result},
};

/// Whether it worked.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Response {
    /// True when what was asked was done.
    pub(in crate::graphql) success: bool,
}

/// Proof of being signed in.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Auth {
    /// A JSON Web Token for the `Authorization` header, with or without `Bearer` before it. Ends
    /// a day after its last use. Browsers also get it as an `HttpOnly` cookie.
    pub(in crate::graphql) token: String,
}

/// A file that was uploaded and is served from now on.
#[derive(SimpleObject)]
#[graphql(name = "File")]
pub(in crate::graphql) struct FileInfo {
    /// Its name here, made from its content.
    pub(in crate::graphql) filename: String,
    /// Its media type here: pictures are always encoded anew.
    pub(in crate::graphql) mimetype: String,
    /// Always `binary`.
    pub(in crate::graphql) encoding: String,
    /// Where it is served.
    pub(in crate::graphql) url: String,
}

/// The name of the part that holds the file; `http` puts it into the variables in the place
/// where the file belongs.
pub(in crate::graphql) struct Upload(pub(in crate::graphql) String);

/// A file in a multipart request
/// ([specification](https://github.com/jaydenseric/graphql-multipart-request-spec)).
#[Scalar]
impl ScalarType for Upload {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(key) => Ok(Self(key)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::Null
    }
}

/// How many of a list are wanted: `requested` as far as there is that much, `default` when
/// nothing is said, and all that `max` allows for 0, which meant "no limit" in the first
/// Graphbook.
pub(in crate::graphql) fn page_size(
    field: &'static str,
    requested: Option<i64>,
    default: i64,
    max: i64,
) -> Result<i64> {
    match requested {
        None => Ok(default),
        Some(0) => Ok(max),
        Some(size) if size > 0 => Ok(size.min(max)),
        Some(_) => Err(ApiError::bad_input(field, format!("`{field}` can't be negative."))),
    }
}

/// What a list of that many entries costs, each of which costs `child`. Bounded, because the
/// library adds the costs of fields up without looking.
pub(in crate::graphql) fn list_cost(size: i64, child: usize) -> usize {
    const MOST: usize = 1_000_000;
    let size = usize::try_from(size).unwrap_or(0);
    size.saturating_mul(child).saturating_add(1).min(MOST)
}

/// Rows beyond this one are not reached by page and limit; `feed` reaches all.
const MAX_OFFSET: i64 = 100_000;

/// Part of a list by page number, counted from 0.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::graphql) struct Page {
    pub(in crate::graphql) limit: i64,
    pub(in crate::graphql) offset: i64,
}

impl Page {
    /// Page `page` of `limit` entries each.
    pub(in crate::graphql) fn new(
        page: Option<i64>,
        limit: Option<i64>,
        default: i64,
        max: i64,
    ) -> Result<Self> {
        let limit = page_size("limit", limit, default, max)?;
        let page = page.unwrap_or(0);
        if page < 0 {
            return Err(ApiError::bad_input("page", "`page` can't be negative."));
        }
        let offset = page.saturating_mul(limit);
        if offset > MAX_OFFSET {
            let message = format!("Pages reach {MAX_OFFSET} entries; `feed` goes on by cursor.");
            return Err(ApiError::bad_input("page", message));
        }
        Ok(Self { limit, offset })
    }
}

/// An instant as clients see it.
pub(in crate::graphql) fn instant(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_from_zero_and_have_a_largest_size() {
        let page = |page, limit| Page::new(page, limit, 10, 100).ok();
        assert_eq!(page(None, None), Some(Page { limit: 10, offset: 0 }));
        assert_eq!(page(Some(2), Some(5)), Some(Page { limit: 5, offset: 10 }));
        assert_eq!(page(Some(1), Some(0)), Some(Page { limit: 100, offset: 100 }));
        assert_eq!(page(Some(0), Some(i64::MAX)), Some(Page { limit: 100, offset: 0 }));
        for (wrong_page, wrong_limit) in [
            (Some(-1), None),
            (None, Some(-1)),
            (Some(i64::MAX), Some(100)),
            (Some(1_001), Some(100)),
        ] {
            assert_eq!(page(wrong_page, wrong_limit), None);
        }
    }
}
