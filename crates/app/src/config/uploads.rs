//! Where uploads are kept: a folder or a bucket.

use std::path::Path;

use secrecy::SecretString;
use url::Url;

use crate::avatars::S3Settings;

use super::{
    Uploads,
    lookup::{Lookup, Source},
    secrets, table, values,
};

/// Works out where uploads go. `None` means that problems have been kept.
pub(super) fn resolve(lookup: &mut Lookup<'_>, data_dir: Option<&Path>) -> Option<Uploads> {
    let setting = &table::UPLOADS;
    let Some((text, source)) = lookup.given(setting) else {
        let folder = data_dir?.join("uploads");
        lookup.note(setting, folder.display().to_string(), Source::Default);
        return Some(Uploads::Folder(folder));
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        let folder = lookup
            .accept(setting, &text, source, values::folder, |folder| folder.display().to_string());
        return folder.map(Uploads::Folder);
    };
    if rest.contains('@') {
        // Not repeated: what stands before the @ may be a key.
        lookup.problem(format!(
            "{}: credentials do not belong in the address; set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY",
            source.of(setting)
        ));
        return None;
    }
    let place = lookup.accept(
        setting,
        &text,
        source,
        |_| bucket(scheme, rest),
        |(bucket, prefix)| match prefix.as_str() {
            "" => format!("s3://{bucket}"),
            _ => format!("s3://{bucket}/{prefix}"),
        },
    );
    // The bucket's own settings are looked at even if the address is wrong, so that all problems
    // are told together; without a bucket they are none of ours.
    bucket_settings(lookup, place)
}

fn bucket(scheme: &str, rest: &str) -> Result<(String, String), String> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if scheme != "s3" {
        return Err("is neither a folder nor an s3:// address".to_owned());
    }
    if bucket.is_empty() || !bucket.bytes().all(allowed) {
        return Err("names no bucket (expected s3://BUCKET or s3://BUCKET/PREFIX)".to_owned());
    }
    Ok((bucket.to_owned(), prefix.trim_matches('/').to_owned()))
}

fn bucket_settings(lookup: &mut Lookup<'_>, place: Option<(String, String)>) -> Option<Uploads> {
    let region = lookup.given(&table::AWS_REGION).map(|(region, source)| {
        lookup.note(&table::AWS_REGION, region.clone(), source);
        region
    });
    let endpoint = match lookup.given(&table::AWS_ENDPOINT_URL) {
        Some((text, source)) => {
            Some(lookup.accept(&table::AWS_ENDPOINT_URL, &text, source, endpoint, Clone::clone)?)
        }
        None => None,
    };
    let access_key_id = lookup.given(&table::AWS_ACCESS_KEY_ID).map(|(id, source)| {
        lookup.note(&table::AWS_ACCESS_KEY_ID, id.clone(), source);
        id
    });
    let mut secret = |setting| {
        let (text, source) = lookup.given(setting)?;
        lookup.note(setting, secrets::size(text.len()), source);
        Some(SecretString::from(text))
    };
    let secret_access_key = secret(&table::AWS_SECRET_ACCESS_KEY);
    let session_token = secret(&table::AWS_SESSION_TOKEN);
    let missing = match (&access_key_id, &secret_access_key) {
        (Some(_), None) => Some(("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
        (None, Some(_)) => Some(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        _ => None,
    };
    if let Some((missing, given)) = missing {
        lookup.problem(format!(
            "{missing} is not set, though {given} is: set both, or neither to use the cloud's own \
             credentials"
        ));
    }
    let (bucket, prefix) = place?;
    Some(Uploads::S3 {
        bucket,
        prefix,
        settings: S3Settings { region, endpoint, access_key_id, secret_access_key, session_token },
    })
}

fn endpoint(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or("is not an http:// or https:// address")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
