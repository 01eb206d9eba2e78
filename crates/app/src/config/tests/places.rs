//! Databases, uploads and folders.

use secrecy::ExposeSecret;
use sqlx::mysql::MySqlSslMode;

use super::*;
use crate::avatars::S3Settings;

#[test]
fn parts_of_an_address_make_a_database() {
    let parts = [("host", "db"), ("username", "ann"), ("database", "app"), ("port", "3307")];
    let with = |more: &[(&str, &str)]| resolve(&[], &[&parts, more].concat()).unwrap();
    let resolved = with(&[("password", "p@/:#?%s")]);
    assert_eq!(resolved.store.database.target.to_string(), "mysql://ann@db:3307/app");
    assert_eq!(shown(&resolved, "password"), "<8 bytes> (environment password)");
    assert_eq!(shown(&resolved, "database-url"), "");
    let Target::MySql(options) = &resolved.store.database.target else { panic!() };
    assert!(format!("{options:?}").contains("p@/:#?%s"), "the password is taken as it is");
    // A URL wins, and no password is fine.
    let url = with(&[("DATABASE_URL", "sqlite://a.db")]).store.database.target;
    assert_eq!(url.to_string(), "sqlite://a.db");
    assert_eq!(shown(&with(&[]), "password"), "");

    let refused = problems(resolve(&[], &[parts[0], parts[2]]));
    assert!(refused.concat().starts_with("username is not set, though host and database are"));
    let hint = problems(resolve(&["--env=production"], &[parts[0], ("JWT_SECRET", KEY)])).concat();
    assert!(hint.contains("(host is set, but database is not)"), "{hint}");
}

#[test]
fn an_authority_makes_the_server_prove_itself() {
    let ssl = |arguments: &[&str], more: &[(&str, &str)]| match production(arguments, more)
        .unwrap()
        .store
        .database
        .target
    {
        Target::MySql(options) => options.get_ssl_mode(),
        Target::Sqlite(_) => panic!("MySQL was asked for"),
    };
    assert!(matches!(ssl(&[], &[]), MySqlSslMode::Preferred));
    assert!(matches!(ssl(&["--database-ca=ca.pem"], &[]), MySqlSslMode::VerifyIdentity));
    let url = ("DATABASE_URL", "mysql://u@db/app?ssl-mode=VERIFY_CA&ssl-ca=ca.pem");
    assert!(matches!(ssl(&[], &[url]), MySqlSslMode::VerifyCa));
    // What is shown is what is in force.
    let url_shown = |arguments: &[&str], more: &[(&str, &str)]| {
        shown(&production(arguments, more).unwrap(), "database-url")
    };
    assert!(url_shown(&[], &[]).starts_with("mysql://u@db:3306/app ("));
    assert!(url_shown(&[], &[url]).contains("/app?ssl-mode=verify_ca ("));
    let verified = url_shown(&["--database-ca=ca.pem"], &[url]);
    assert!(verified.contains("/app?ssl-mode=verify_identity ("), "{verified}");
}

#[test]
fn uploads_go_to_a_folder_or_a_bucket() {
    let to = |place: &str, more: &[(&str, &str)]| {
        resolve(&[], &[&[("GRAPHBOOK_UPLOADS", place)], more].concat())
    };
    let folder = to("/srv/uploads", &[]).unwrap().store.uploads;
    assert!(matches!(folder, Uploads::Folder(path) if path == Path::new("/srv/uploads")));
    let keys = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://minio:9000/"),
    ];
    let resolved = to("s3://pictures/of/ours/", &keys).unwrap();
    let Uploads::S3 { bucket, prefix, settings } = &resolved.store.uploads else {
        panic!("a bucket was asked for")
    };
    assert_eq!((bucket.as_str(), prefix.as_str()), ("pictures", "of/ours"));
    let S3Settings { region, endpoint, access_key_id, session_token, .. } = settings;
    assert_eq!(endpoint.as_deref(), Some("http://minio:9000"));
    assert_eq!((region.as_deref(), access_key_id.as_deref()), (Some("eu-west-1"), Some("id")));
    assert!(session_token.is_none());
    assert_eq!(
        shown(&resolved, "uploads"),
        "s3://pictures/of/ours (environment GRAPHBOOK_UPLOADS)"
    );
    assert!(!format!("{:?}", resolved.store).contains("s3cret"));
    // Without a bucket, credentials that stand around are none of ours.
    assert!(resolve(&[], &keys[..1]).is_ok());

    for (place, more, expected) in [
        ("s3://", &keys[..0], "names no bucket"),
        ("gs://bucket", &keys[..0], "neither a folder nor"),
        ("s3://id:s3cret@bucket", &keys[..0], "credentials do not belong"),
        ("s3://bucket", &keys[..1], "AWS_SECRET_ACCESS_KEY is not set"),
        ("s3://bucket", &[("AWS_ENDPOINT_URL_S3", "minio:9000")], "not an http://"),
        ("s3://bucket", &[("AWS_ENDPOINT_URL", "http://id:s3cret@minio")], "holds credentials"),
    ] {
        let refused = problems(to(place, more)).concat();
        assert!(refused.contains(expected) && !refused.contains("s3cret"), "{place}: {refused}");
    }
}

#[test]
fn preparing_makes_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("a ?#%").join("data");
    let start = || {
        let variables = [("GRAPHBOOK_DATA_DIR", data_dir.to_str().unwrap())];
        resolve(&["--no-demo"], &variables).unwrap().prepare(getrandom::fill).unwrap()
    };
    let first = start();
    assert!(data_dir.join("uploads").is_dir() && !first.demo);
    let Target::Sqlite(options) = &first.database.target else { panic!("SQLite is the default") };
    assert_eq!(options.get_filename(), data_dir.join("graphbook.db"));
    assert_eq!(first.jwt_secret.expose_secret(), start().jwt_secret.expose_secret());
    assert!(!format!("{first:?}").contains(&format!("{:?}", first.jwt_secret.expose_secret())));

    std::fs::write(folder.path().join("file"), "").unwrap();
    let blocked = folder.path().join("file").join("data");
    let resolved = resolve(&[], &[("GRAPHBOOK_DATA_DIR", blocked.to_str().unwrap())]).unwrap();
    let error = resolved.prepare(getrandom::fill).unwrap_err().to_string();
    assert!(error.contains("cannot make the folder") && error.contains("--data-dir"), "{error}");
}
