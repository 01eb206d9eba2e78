//! Any text at all goes through the lexer, the splitter and what follows them.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| migrate::testing::sql_properties_hold(text));
