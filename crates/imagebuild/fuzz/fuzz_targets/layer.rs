//! Any bytes at all as the archive of a layer: what is read of it stays inside of the image.

#![no_main]

use std::path::Path;

use imagebuild::blobs::Blobs;
use imagebuild::digest::Digest;
use imagebuild::read::{Platforms, find, read};
use serde_json::json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(&folder.path().join("blobs/sha256")).unwrap();
    let put = |kind: &str, bytes: &[u8]| {
        let kind = format!("application/vnd.oci.image.{kind}");
        json!({ "mediaType": kind, "digest": blobs.put(bytes).unwrap(), "size": bytes.len() })
    };
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(bytes)] },
    });
    let manifest = json!({
        "schemaVersion": 2,
        "config": put("config.v1+json", config.to_string().as_bytes()),
        "layers": [put("layer.v1.tar", bytes)],
    });
    let manifest = put("manifest.v1+json", manifest.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    std::fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    let named = find(folder.path(), None, Platforms::This).unwrap();
    for (path, _) in read(folder.path(), &named.top).entries.iter() {
        assert!(path.starts_with('/') && !Path::new(path).iter().any(|part| part == ".."));
    }
});
