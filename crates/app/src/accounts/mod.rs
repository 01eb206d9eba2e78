//! Who somebody is: sign-up, sign-in, sessions.
//!
//! A signed-in client holds a JWT that names a row of `sessions`; the token is worth something
//! only while the row is there, so signing out really ends it. A session ends a day after its
//! last use and thirty days after its start, whichever comes first.

pub mod attempts;
pub mod names;
mod passwords;
mod tokens;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use self::{
    attempts::Attempts,
    names::{Email, Invalid, NewPassword, Username},
    passwords::Passwords,
    tokens::{Claims, Tokens},
};
use crate::{
    clock::{Clock, Micros, micros},
    events::{Events, SessionsEnded},
    store::{Credentials, NewUser, Session, Store, StoreError, User},
};

/// A session ends this long after its last use.
pub const SESSION_IDLE: Duration = Duration::from_hours(24);
/// A session ends this long after its start, however much it is used; its token says so too.
pub const SESSION_LIFE: Duration = Duration::from_hours(720);
/// A session in use is renewed at most this often, so that most requests only read.
const RENEW_EVERY: Duration = Duration::from_hours(1);

/// Failed sign-ins allowed per account before it has to wait, and how long one more takes to
/// come back.
const PER_ACCOUNT: (u32, Duration) = (10, Duration::from_mins(1));
/// The same per client address, which many people may share.
const PER_ADDRESS: (u32, Duration) = (60, Duration::from_secs(10));

/// Why somebody can't come in.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("{0}")]
    Invalid(#[from] Invalid),
    #[error("That username is taken.")]
    UsernameTaken,
    #[error("There is an account with that email address already.")]
    EmailTaken,
    #[error("Email or password is wrong.")]
    WrongCredentials,
    #[error("The current password is wrong.")]
    WrongPassword,
    #[error("Too many failed sign-ins. Try again in {} seconds.", retry_after.as_secs())]
    TooManyAttempts { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine failed us; the text is for the log.
    #[error("{0}")]
    Internal(String),
}

/// A session that has just begun, and the token that proves it.
#[derive(Debug)]
pub struct SignedIn {
    pub session: Session,
    pub token: String,
}

/// Sign-up, sign-in and sessions.
pub struct Accounts {
    store: Store,
    clock: Clock,
    tokens: Tokens,
    passwords: Passwords,
    by_account: Attempts<String>,
    /// For people who are signed in and show their password again.
    by_user: Attempts<i64>,
    by_address: Attempts<IpAddr>,
    events: Events,
}

impl Accounts {
    /// `secret` signs the tokens; 32 bytes or more. `events` tell of sessions that end before their
    /// time.
    pub fn new(store: Store, clock: Clock, events: Events, secret: &[u8]) -> Self {
        Self {
            tokens: Tokens::new(secret),
            passwords: Passwords::new(),
            by_account: Attempts::new(clock.clone(), PER_ACCOUNT.0, PER_ACCOUNT.1),
            by_user: Attempts::new(clock.clone(), PER_ACCOUNT.0, PER_ACCOUNT.1),
            by_address: Attempts::new(clock.clone(), PER_ADDRESS.0, PER_ADDRESS.1),
            events,
            store,
            clock,
        }
    }

    /// Makes an account and signs it in.
    pub async fn sign_up(
        &self,
        username: &str,
        email: &str,
        password: &str,
    ) -> Result<SignedIn, AccountError> {
        let username = Username::parse(username)?;
        let email = Email::parse(email)?;
        let password = NewPassword::parse(password)?;
        let new = NewUser {
            username: username.shown,
            username_key: username.key,
            email: email.shown,
            email_key: email.key,
            password_hash: self.hash(password).await?,
            avatar: None,
            created_at: self.clock.now(),
        };
        let user = self.store.create_user(&new).await.map_err(|error| {
            if error.is_duplicate("username_key") {
                AccountError::UsernameTaken
            } else if error.is_duplicate("email_key") {
                AccountError::EmailTaken
            } else {
                error.into()
            }
        })?;
        self.begin(user, &new.password_hash).await
    }

    /// Checks an address and a password. Takes the same time whether or not the address is
    /// known, and says the same.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        client: IpAddr,
    ) -> Result<SignedIn, AccountError> {
        let email_key = names::email_key(email);
        let limited = |retry_after| AccountError::TooManyAttempts { retry_after };
        let by_address = self.by_address.begin(network(client)).map_err(limited)?;
        let by_account = self.by_account.begin(email_key.clone()).map_err(limited)?;

        let credentials = self.store.credentials_by_email(&email_key).await?;
        let hash = credentials.as_ref().map(|known| known.password_hash.clone());
        let right = self.verify(password, hash).await?;
        let Some(Credentials { user, password_hash }) = credentials.filter(|_| right) else {
            by_address.count();
            by_account.count();
            return Err(AccountError::WrongCredentials);
        };
        self.begin(user, &password_hash).await
    }

    /// The session that a token stands for, if it is genuine and the session goes on.
    /// `Bearer` before the token, in any case, is allowed.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Session>, StoreError> {
        let Some(claims) = self.tokens.verify(bare(token), self.clock.now()) else {
            return Ok(None);
        };
        self.resume(&claims.sid).await
    }

    /// Whether a session, known from before, still goes on. Asking counts as using it: an open
    /// socket keeps its session.
    pub async fn goes_on(&self, session: &Session) -> Result<bool, StoreError> {
        Ok(self.resume(&session.id).await?.is_some())
    }

    async fn resume(&self, session_id: &str) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now();
        let Some(mut session) = self.store.session(session_id, now).await? else {
            return Ok(None);
        };
        let expires_at = expiry(session.created_at, now);
        if expires_at - session.expires_at >= micros(RENEW_EVERY) {
            self.store.renew_session(&session.id, expires_at).await?;
            session.expires_at = expires_at;
        }
        Ok(Some(session))
    }

    /// Ends this session.
    pub async fn sign_out(&self, session: &Session) -> Result<(), StoreError> {
        self.store.delete_session(&session.id).await?;
        self.events.end_sessions(SessionsEnded::One(session.id.clone()));
        Ok(())
    }

    /// Ends every session of this person.
    pub async fn sign_out_everywhere(&self, user: &User) -> Result<(), StoreError> {
        self.store.delete_sessions_of(user.id).await?;
        self.events.end_sessions(SessionsEnded::OfUser(user.id));
        Ok(())
    }

    /// Sets another password, ends every session of this person and begins a fresh one.
    pub async fn change_password(
        &self,
        user: &User,
        current: &str,
        new: &str,
    ) -> Result<SignedIn, AccountError> {
        let new = NewPassword::parse(new)?;
        let attempt = self
            .by_user
            .begin(user.id)
            .map_err(|retry_after| AccountError::TooManyAttempts { retry_after })?;
        let credentials = self.store.credentials_by_id(user.id).await?;
        let old = credentials.map(|known| known.password_hash);
        if !self.verify(current, old.clone()).await? {
            attempt.count();
            return Err(AccountError::WrongPassword);
        }
        let hash = self.hash(new).await?;
        let signed_in = self.fresh(user.clone())?;
        let old = old.unwrap_or_default();
        if !self.store.change_password(&old, &hash, &signed_in.session).await? {
            // Somebody else changed it in the meantime.
            return Err(AccountError::WrongPassword);
        }
        self.events.end_sessions(SessionsEnded::OfUser(user.id));
        Ok(signed_in)
    }

    /// Removes the rows of sessions that are over.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        self.store.delete_expired_sessions(self.clock.now()).await
    }

    /// The hash that a password is stored as.
    pub async fn hash(&self, password: NewPassword) -> Result<String, AccountError> {
        self.passwords.hash(password).await.map_err(AccountError::Internal)
    }

    async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, AccountError> {
        self.passwords.verify(password, hash).await.map_err(AccountError::Internal)
    }

    async fn begin(&self, user: User, password_hash: &str) -> Result<SignedIn, AccountError> {
        let signed_in = self.fresh(user)?;
        if self.store.create_session(&signed_in.session, password_hash).await? {
            Ok(signed_in)
        } else {
            // The password was changed while it was being checked.
            Err(AccountError::WrongCredentials)
        }
    }

    fn fresh(&self, user: User) -> Result<SignedIn, AccountError> {
        let now = self.clock.now();
        let id = random_id().map_err(|error| {
            AccountError::Internal(format!("the system gave no randomness for a session: {error}"))
        })?;
        let token =
            self.tokens
                .sign(&Claims::new(&id, user.id, now, now + micros(SESSION_LIFE)))
                .map_err(|error| AccountError::Internal(format!("can't sign a token: {error}")))?;
        let session = Session { id, created_at: now, expires_at: expiry(now, now), user };
        Ok(SignedIn { session, token })
    }
}

/// When a session ends that is used `now`.
fn expiry(created_at: Micros, now: Micros) -> Micros {
    (now + micros(SESSION_IDLE)).min(created_at + micros(SESSION_LIFE))
}

/// What counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that a
/// connection is given as a whole.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// A token without a `Bearer` before it.
fn bare(token: &str) -> &str {
    let token = token.trim();
    match token.split_at_checked(6) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ => token,
    }
}

/// 128 random bits in hexadecimal.
fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_come_with_or_without_bearer() {
        for token in ["abc", " abc ", "Bearer abc", "bearer abc", "BEARER   abc"] {
            assert_eq!(bare(token), "abc");
        }
        assert_eq!(bare("łłłł"), "łłłł");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let network = |address: &str| network(address.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
    }

    #[test]
    fn a_session_ends_a_day_after_its_use_and_thirty_days_after_its_start() {
        let day = micros(SESSION_IDLE);
        assert_eq!(expiry(0, 0), day);
        assert_eq!(expiry(0, 10 * day), 11 * day);
        assert_eq!(expiry(0, 29 * day + 1), 30 * day);
    }
}
