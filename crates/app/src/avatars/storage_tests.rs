use std::time::Instant;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::*;
use crate::avatars::SIZES;

fn upload() -> Bytes {
    let picture = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, 90]));
    let mut file = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner().into()
}

async fn round_trip(avatars: &Avatars) {
    let name = avatars.save(upload()).await.unwrap();
    assert_eq!(avatars.save(upload()).await.unwrap(), name, "saving again changes nothing");
    for size in SIZES {
        let file = avatars.open(&name.file(size)).await.unwrap().unwrap();
        assert_eq!(file.content_type, "image/jpeg");
        assert_eq!(image::load_from_memory(&file.bytes).unwrap().width(), size);
    }
    let missing = name.file(512).replace(".jpg", ".png");
    assert!(avatars.open(&missing).await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_keeps_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let avatars = Avatars::folder(&dir.path().join("new/avatars")).unwrap();
    round_trip(&avatars).await;
    let again = Avatars::folder(&dir.path().join("new/avatars")).unwrap();
    round_trip(&again).await;
    assert_eq!(std::fs::read_dir(dir.path().join("new/avatars")).unwrap().count(), 2);
}

#[tokio::test]
async fn only_our_own_names_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret.txt"), "secret").unwrap();
    let avatars = Avatars::folder(&dir.path().join("avatars")).unwrap();
    for name in ["../secret.txt", "secret.txt", "", "/", "%2e%2e/secret.txt"] {
        assert!(avatars.open(name).await.unwrap().is_none(), "{name:?}");
    }
}

#[tokio::test]
async fn bad_uploads_are_the_uploaders_fault() {
    let dir = tempfile::tempdir().unwrap();
    let avatars = Avatars::folder(dir.path()).unwrap();
    let error = avatars.save(Bytes::from_static(b"hello")).await.unwrap_err();
    assert!(matches!(error, AvatarError::Picture(PictureError::NotAPicture)), "{error}");
    let error = avatars.save(vec![0; MAX_UPLOAD_BYTES + 1].into()).await.unwrap_err();
    assert!(matches!(error, AvatarError::Picture(PictureError::TooLarge { .. })), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn unusable_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Avatars::folder(&file.join("avatars")).unwrap_err().to_string();
    assert!(error.contains(file.join("avatars").to_str().unwrap()), "{error}");

    // A folder that stops being one while the program runs.
    let gone = dir.path().join("gone");
    let avatars = Avatars::folder(&gone).unwrap();
    std::fs::remove_dir(&gone).unwrap();
    std::fs::write(&gone, "").unwrap();
    let error = avatars.save(upload()).await.unwrap_err();
    assert!(matches!(error, AvatarError::Storage { action: "save", .. }), "{error}");
    assert!(error.to_string().contains("-512.jpg") || error.to_string().contains("-128.jpg"));
}

#[test]
fn bucket_settings_are_checked() {
    let half = S3Settings { access_key_id: Some("id".to_owned()), ..S3Settings::default() };
    let error = Avatars::s3("pictures", "", half).unwrap_err();
    assert!(matches!(error, SetupError::HalfACredential { .. }), "{error}");
    let error = Avatars::s3("pictures", "a//b", S3Settings::default()).unwrap_err();
    assert!(error.to_string().contains("\"pictures\""), "{error}");
}

fn test_settings(endpoint: String) -> S3Settings {
    S3Settings {
        region: None,
        endpoint: Some(endpoint),
        access_key_id: Some("test".to_owned()),
        session_token: None,
        secret_access_key: Some("test".to_owned().into()),
    }
}

#[tokio::test]
async fn an_unreachable_bucket_is_an_error_in_time() {
    // Port 9 (discard) refuses connections everywhere that tests run.
    let avatars = Avatars::s3("b", "", test_settings("http://127.0.0.1:9".to_owned())).unwrap();
    let started = Instant::now();
    let error = avatars.save(upload()).await.unwrap_err();
    assert!(matches!(error, AvatarError::Storage { .. }), "{error}");
    assert!(!error.to_string().contains("Secret"), "{error}");
    assert!(started.elapsed() < TOTAL_TIMEOUT + Duration::from_secs(1));
}

/// Against any S3 look-alike: `TEST_S3_ENDPOINT=http://127.0.0.1:5000`.
#[tokio::test]
async fn a_bucket_keeps_pictures() {
    let Ok(endpoint) = std::env::var("TEST_S3_ENDPOINT") else {
        assert!(std::env::var("TEST_NO_SKIP").is_err(), "TEST_S3_ENDPOINT must be set");
        println!("skipped: set TEST_S3_ENDPOINT to test pictures in a bucket");
        return;
    };
    ensure_tls_provider();
    let bucket = format!("avatars-{}", std::process::id());
    let url = format!("{endpoint}/{bucket}");
    reqwest::Client::new().put(&url).send().await.unwrap().error_for_status().unwrap();

    for prefix in ["", "some/folder"] {
        let settings = test_settings(endpoint.clone());
        round_trip(&Avatars::s3(&bucket, prefix, settings).unwrap()).await;
    }
    let nowhere = Avatars::s3("no-such-bucket-here", "", test_settings(endpoint)).unwrap();
    let error = nowhere.save(upload()).await.unwrap_err();
    assert!(matches!(error, AvatarError::Storage { .. }), "{error}");
}
