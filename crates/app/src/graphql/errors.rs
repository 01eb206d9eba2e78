//! What clients are told when something does not work. Each error has a code; an internal cause
//! is logged here, once, and never leaves the server.

use std::time::Duration;

use async_graphql::ErrorExtensionValues;

use crate::{
    accounts::{AccountError, names::Invalid},
    avatars::AvatarError,
    store::StoreError,
};

/// The document can't be parsed.
pub(super) const PARSE_FAILED: &str = "GRAPHQL_PARSE_FAILED";
/// The document does not fit the schema or a limit.
pub(super) const VALIDATION_FAILED: &str = "GRAPHQL_VALIDATION_FAILED";
/// A value is not acceptable.
pub(super) const BAD_USER_INPUT: &str = "BAD_USER_INPUT";
/// Something went wrong here.
pub(super) const INTERNAL_SERVER_ERROR: &str = "INTERNAL_SERVER_ERROR";
/// Too many attempts.
pub(super) const RATE_LIMITED: &str = "RATE_LIMITED";

/// Why a field has no value.
///
/// Deliberately without `Display`: async-graphql turns everything that has one into a client's
/// message, and an internal cause must not become that.
#[derive(Debug)]
pub(super) enum ApiError {
    Unauthenticated,
    /// Signing in failed; says why.
    SignInFailed(String),
    Forbidden(&'static str),
    NotFound(&'static str),
    BadUserInput {
        field: &'static str,
        message: String,
    },
    Conflict {
        field: &'static str,
        message: String,
    },
    RateLimited {
        retry_after: Duration,
        message: String,
    },
    /// The text is for the log.
    Internal(String),
    /// The log has heard why.
    Logged,
}

/// What resolvers return.
pub(super) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// An argument that is not acceptable.
    pub(super) fn bad_input(field: &'static str, message: impl Into<String>) -> Self {
        Self::BadUserInput { field, message: message.into() }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated | Self::SignInFailed(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::NotFound(_) => "NOT_FOUND",
            Self::BadUserInput { .. } => BAD_USER_INPUT,
            Self::Conflict { .. } => "CONFLICT",
            Self::RateLimited { .. } => RATE_LIMITED,
            Self::Internal(_) | Self::Logged => INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(error: ApiError) -> Self {
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", error.code());
        match &error {
            ApiError::BadUserInput { field, .. } | ApiError::Conflict { field, .. } => {
                extensions.set("field", *field);
            }
            ApiError::RateLimited { retry_after, .. } => {
                extensions.set("retryAfter", retry_after.as_secs());
            }
            _ => {}
        }
        let message = match error {
            ApiError::Unauthenticated => "You need to be logged in.".to_owned(),
            ApiError::Forbidden(message) | ApiError::NotFound(message) => message.to_owned(),
            ApiError::SignInFailed(message)
            | ApiError::BadUserInput { message, .. }
            | ApiError::Conflict { message, .. }
            | ApiError::RateLimited { message, .. } => message,
            ApiError::Internal(cause) => {
                log(&cause);
                INTERNAL_MESSAGE.to_owned()
            }
            ApiError::Logged => INTERNAL_MESSAGE.to_owned(),
        };
        Self { message, source: None, extensions: Some(extensions) }
    }
}

/// All that a client is told of an internal error, beside its request id.
pub(super) const INTERNAL_MESSAGE: &str = "Something went wrong on our side. Try again.";

/// Logs what went wrong here.
pub(super) fn log(cause: &str) {
    tracing::error!(cause, "internal error");
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<Invalid> for ApiError {
    fn from(error: Invalid) -> Self {
        Self::bad_input(error.field, error.reason)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Invalid(invalid) => invalid.into(),
            AccountError::UsernameTaken => Self::Conflict { field: "username", message },
            AccountError::EmailTaken => Self::Conflict { field: "email", message },
            AccountError::WrongCredentials => Self::SignInFailed(message),
            AccountError::WrongPassword => Self::bad_input("currentPassword", message),
            AccountError::TooManyAttempts { retry_after } => {
                Self::RateLimited { retry_after, message }
            }
            AccountError::Store(error) => error.into(),
            AccountError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<AvatarError> for ApiError {
    fn from(error: AvatarError) -> Self {
        match error {
            AvatarError::Picture(error) => Self::bad_input("file", error.to_string()),
            other => {
                let source = std::error::Error::source(&other).map(ToString::to_string);
                Self::Internal(format!("{other}: {}", source.unwrap_or_default()))
            }
        }
    }
}
