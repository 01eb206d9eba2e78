//! Any bytes at all are a program, or are none.

#![no_main]

use imagebuild::elf::Elf;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Elf::parse(bytes);
});
