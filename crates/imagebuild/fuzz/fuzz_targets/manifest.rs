//! Any bytes at all as the manifest of an image, or as the index of a layout.

#![no_main]

use imagebuild::blobs::Blobs;
use imagebuild::read::{Platforms, find, read};
use serde_json::json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index.json");
    std::fs::write(&index, bytes).unwrap();
    let _ = find(folder.path(), None, Platforms::All);
    let blobs = Blobs::open(&folder.path().join("blobs/sha256")).unwrap();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let digest = blobs.put(bytes).unwrap();
    let entry = json!({ "mediaType": kind, "digest": digest, "size": bytes.len() });
    let text = json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    std::fs::write(&index, text).unwrap();
    read(folder.path(), &find(folder.path(), None, Platforms::This).unwrap().top);
});
