//! JSON Web Tokens (RFC 7519), HS256 only.
//!
//! jsonwebtoken decouples its cryptography. Its own back ends bring every algorithm there is
//! (among them `rsa`, which has an open timing advisory, or a C library); we give it HMAC with
//! SHA-256 and nothing else, so that a token of another algorithm can't even be computed.

use std::sync::Once;

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result, new_error},
};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Signer, Verifier};

use crate::clock::Micros;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// What a token says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    /// The session's id.
    pub(super) sid: String,
    /// The person's id.
    pub(super) sub: String,
    /// Issued at, in seconds since the Unix epoch.
    iat: i64,
    /// Expires at the latest, in seconds since the Unix epoch; the session may end before.
    exp: i64,
}

impl Claims {
    pub(super) fn new(sid: &str, user_id: i64, issued: Micros, expires: Micros) -> Self {
        Self {
            sid: sid.to_owned(),
            sub: user_id.to_string(),
            iat: issued / MICROS_PER_SECOND,
            exp: expires / MICROS_PER_SECOND,
        }
    }
}

/// Signs and verifies tokens with one secret.
pub(super) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Tokens {
    pub(super) fn new(secret: &[u8]) -> Self {
        static INSTALL: Once = Once::new();
        // Fails only if some other provider was there before, and there is no other.
        INSTALL.call_once(|| {
            let _ = HS256_ONLY.install_default();
        });
        let mut validation = Validation::new(Algorithm::HS256);
        // The library reads the machine's clock; ours is injected, and `verify` compares.
        validation.validate_exp = false;
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
        }
    }

    pub(super) fn sign(&self, claims: &Claims) -> Result<String> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing)
    }

    /// What a genuine, unexpired token says.
    pub(super) fn verify(&self, token: &str, now: Micros) -> Option<Claims> {
        let claims: Claims =
            jsonwebtoken::decode(token, &self.verifying, &self.validation).ok()?.claims;
        (claims.exp > now / MICROS_PER_SECOND).then_some(claims)
    }
}

static HS256_ONLY: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(new_error(ErrorKind::InvalidAlgorithm));
        }
        let mac = Hmac::new_from_slice(key).map_err(|_| new_error(ErrorKind::InvalidKeyFormat))?;
        Ok(Self(mac))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(
        &self,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> std::result::Result<(), signature::Error> {
        // Compares in constant time.
        let mac = self.0.clone().chain_update(message);
        mac.verify_slice(signature).map_err(signature::Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Micros = MICROS_PER_SECOND;

    #[test]
    fn the_signature_is_that_of_rfc_7515_appendix_a1() {
        let key = [
            3, 35, 53, 75, 43, 15, 165, 188, 131, 126, 6, 101, 119, 123, 166, 143, 90, 179, 40,
            230, 240, 84, 201, 40, 169, 15, 132, 178, 210, 80, 46, 191, 211, 251, 90, 146, 210, 6,
            71, 239, 150, 138, 180, 195, 119, 98, 61, 34, 61, 46, 33, 114, 5, 46, 79, 8, 192, 205,
            154, 245, 103, 208, 128, 163,
        ];
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        drop(Tokens::new(b""));
        let signature = jsonwebtoken::crypto::sign(
            input.as_bytes(),
            &EncodingKey::from_secret(&key),
            Algorithm::HS256,
        );
        assert_eq!(signature.unwrap(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_holds_until_it_expires_and_only_for_its_secret() {
        let tokens = Tokens::new(&[1; 32]);
        let claims = Claims::new("abc", 7, 100 * SECOND, 200 * SECOND);
        let token = tokens.sign(&claims).unwrap();
        assert_eq!(tokens.verify(&token, 199 * SECOND), Some(claims));
        assert_eq!(tokens.verify(&token, 200 * SECOND), None);
        assert_eq!(Tokens::new(&[2; 32]).verify(&token, 150 * SECOND), None);
    }

    #[test]
    fn forged_tokens_are_refused() {
        let tokens = Tokens::new(&[1; 32]);
        let token = tokens.sign(&Claims::new("abc", 7, 0, 200 * SECOND)).unwrap();
        let (_, payload) = token.split_once('.').unwrap();
        let (payload, signature) = payload.split_once('.').unwrap();
        // {"alg":"none"}, {"alg":"HS512"}, {"alg":"RS256"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9", "eyJhbGciOiJSUzI1NiJ9"] {
            assert_eq!(tokens.verify(&format!("{header}.{payload}.{signature}"), 0), None);
            assert_eq!(tokens.verify(&format!("{header}.{payload}."), 0), None);
        }
        for token in ["", ".", "..", "a.b.c", &token[1..], &token[..token.len() - 1]] {
            assert_eq!(tokens.verify(token, 0), None, "{token}");
        }
    }
}
