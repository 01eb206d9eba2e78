//! Signatures (AWS, "Signature Version 4 for API requests"), by `aws-sigv4`.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::credentials::Credentials;
use super::error::AwsError;

/// A request that is to be signed.
pub(super) struct Signed<'a> {
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'static str, String)],
    pub(super) body: &'a [u8],
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) time: SystemTime,
}

impl Signed<'_> {
    /// The headers that sign it.
    pub(super) fn by(&self, credentials: &Credentials) -> Result<Vec<(String, String)>, AwsError> {
        let refuse = |error: String| AwsError::Setup(format!("a request can't be signed: {error}"));
        let identity = credentials.identity();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| refuse(error.to_string()))?;
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let body = SignableBody::Bytes(self.body);
        let request = SignableRequest::new("POST", self.url, headers, body)
            .map_err(|error| refuse(error.to_string()))?;
        let signed =
            sign(request, &parameters.into()).map_err(|error| refuse(error.to_string()))?;
        let (instructions, _) = signed.into_parts();
        let headers = instructions.headers();
        Ok(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// The `post-vanilla` of AWS's own suite of test cases for this version of signatures.
    #[test]
    fn a_signature_is_as_aws_computes_it() {
        let signed = Signed {
            url: "https://example.amazonaws.com/",
            headers: &[],
            body: b"",
            service: "service",
            region: "us-east-1",
            time: SystemTime::UNIX_EPOCH + Duration::from_mins(24_015_636),
        };
        let key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let headers = signed.by(&Credentials::new("AKIDEXAMPLE", key, None, None)).unwrap();
        let authorization = headers.iter().find(|(name, _)| name == "authorization").unwrap();
        assert_eq!(
            authorization.1,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, \
             Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
    }
}
