//! Password hashes: Argon2id with the parameters of OWASP's Password Storage Cheat Sheet
//! (19 MiB, two passes, one lane), off the async threads and only a few at a time.

use std::sync::Arc;

use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash,
};
use tokio::sync::{OnceCell, Semaphore};

use super::names::NewPassword;
use crate::tasks::{blocking, outcome};

/// Hashes computed at once: half of the cores, so that the other half goes on serving, and four
/// at most, each of which holds 19 MiB.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).clamp(1, 4))
}

/// Computes and checks password hashes.
pub(super) struct Passwords {
    at_once: Arc<Semaphore>,
    /// What the passwords of unknown people are checked against, so that it takes as long.
    nobody: OnceCell<String>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self { at_once: Arc::new(Semaphore::new(at_once())), nobody: OnceCell::new() }
    }

    /// The hash of a password, as a PHC string with its parameters and salt.
    pub(super) async fn hash(&self, password: NewPassword) -> Result<String, String> {
        self.run(move || hash(&password.into_string())).await?
    }

    /// Whether a password is the one that was hashed. Without a hash the work is done all the
    /// same, and the answer is no.
    pub(super) async fn verify(
        &self,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, String> {
        let known = hash.is_some();
        // Made whoever asks first, so that the first unknown person does not take longer.
        let nobody = self.nobody().await?;
        let hash = hash.unwrap_or(nobody);
        // A password that could never have been set needs no more than this many bytes hashed.
        let password: String = password.chars().take(129).collect();
        let right = self.run(move || verify(&password, &hash)).await??;
        Ok(right && known)
    }

    async fn nobody(&self) -> Result<String, String> {
        self.nobody
            .get_or_try_init(|| async { self.run(|| hash("nobody's password")).await? })
            .await
            .cloned()
    }

    /// The permit moves into the closure: a client that hangs up does not stop the work, so it
    /// must not free the place either.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let permit = Arc::clone(&self.at_once)
            .acquire_owned()
            .await
            .map_err(|error| format!("can't queue for password hashing: {error}"))?;
        let work = blocking(move || {
            let _permit = permit;
            work()
        });
        Ok(outcome(work).await)
    }
}

fn hash(password: &str) -> Result<String, String> {
    // Argon2's default parameters are OWASP's; a test holds them to that.
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| format!("can't hash a password: {error}"))
}

fn verify(password: &str, hash: &str) -> Result<bool, String> {
    let hash = PasswordHash::new(hash)
        .map_err(|error| format!("a stored password hash is not readable: {error}"))?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_verifies_and_another_does_not() {
        let passwords = Passwords::new();
        let hash = passwords.hash(NewPassword::parse("correct horse").unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("wrong horse", Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody's password", None).await.unwrap());
    }
}
