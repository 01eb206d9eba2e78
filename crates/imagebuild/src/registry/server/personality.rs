//! How registries differ, as data; and what goes wrong with them.

use std::time::Duration;

/// How a registry behaves where others behave otherwise.
#[derive(Clone, Debug, Default)]
pub struct Personality {
    /// Who may do anything; everybody, if nothing is said.
    pub credentials: Option<Credentials>,
    /// A tag that is there can't be put again, not even for the same image (aws/containers-roadmap#2179).
    pub immutable_tags: bool,
    /// `PATCH` is answered with 201, and what comes in a second one is lost
    /// (aws/containers-roadmap#2831).
    pub patch_loses_data: bool,
    /// A manifest that was put has no `Location`.
    pub no_location: bool,
    /// An upload to another repository ends the connection (CircleCI-Public/aws-ecr-orb#259).
    pub only_repositories: Option<Vec<String>>,
    /// Which blobs are mounted.
    pub mounts: Mounts,
    /// Whether it keeps what refers to an image (distribution-spec 1.1).
    pub referrers: bool,
    /// Whether the `Location` of an upload is a path instead of an address.
    pub relative_location: bool,
}

/// Which blobs a registry mounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mounts {
    /// All.
    #[default]
    Always,
    /// Those that a manifest of the source refers to (aws/containers-roadmap#2860).
    Referenced,
    /// None.
    Never,
}

/// Who may do anything.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Name and password with each request.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token, which is got with name and password.
    Bearer {
        /// The name.
        user: String,
        /// The password.
        password: String,
        /// For how many requests a token is good.
        uses: u32,
    },
}

impl Personality {
    /// A registry after the specification's heart.
    pub fn plain() -> Self {
        Self { referrers: true, ..Self::default() }
    }

    /// Amazon ECR, as of 2026.
    pub fn ecr(password: &str) -> Self {
        let (user, password) = ("AWS".to_owned(), password.to_owned());
        Self {
            credentials: Some(Credentials::Basic { user, password }),
            patch_loses_data: true,
            no_location: true,
            mounts: Mounts::Referenced,
            referrers: true,
            ..Self::default()
        }
    }
}

/// Something that goes wrong, so many times, with requests that fit.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The method.
    pub method: &'static str,
    /// What is in path and query.
    pub path: &'static str,
    /// How often.
    pub times: usize,
    /// What happens.
    pub what: What,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum What {
    /// An answer with this status, and perhaps when to come again.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// The code of the error.
        code: &'static str,
    },
    /// The connection ends without an answer; nothing was done.
    Close,
    /// The connection ends when this much of the request's body was read, in bytes.
    CloseAfter(u64),
    /// There is never an answer.
    Hang,
    /// It is done, and the connection ends without an answer.
    LoseAnswer,
    /// The answer has other bytes, as many of them.
    OtherBytes,
    /// The answer's body ends too early.
    Cut,
    /// The answer has this `Location`.
    Location(String),
    /// It is done this much later.
    Late(Duration),
}
