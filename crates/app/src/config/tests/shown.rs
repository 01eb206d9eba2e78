//! What people get to see: the effective settings and the reference.

use super::*;

#[test]
fn the_effective_settings_can_be_shown_without_secrets() {
    let resolved =
        production(&["--log=info\nforged = 1"], &[]).err().map(|error| error.to_string());
    assert!(resolved.is_some_and(|text| !text.contains("\nforged")));
    let resolved = production(&[], &[]).unwrap();
    let text = |format, terminal| render(&resolved.effective, format, terminal);
    let plain = text(PrintFormat::Text, false);
    assert!(plain.contains("JWT_SECRET = <32 bytes> (environment JWT_SECRET)\n"), "{plain}");
    assert!(plain.contains("database-url = mysql://u@db:3306/app ("), "{plain}");
    let table = text(PrintFormat::Text, true);
    assert!(table.starts_with("SETTING   ") && table.contains("listen  "), "{table}");
    let json: serde_json::Value = serde_json::from_str(&text(PrintFormat::Json, true)).unwrap();
    assert_eq!(json["listen"], serde_json::json!({ "value": "0.0.0.0:8000", "source": "default" }));
    for text in [plain, table, json.to_string(), format!("{:?}", resolved.store)] {
        assert!(!text.contains("s3cret") && !text.contains(KEY), "{text}");
    }
    let format = |arguments: &[&str]| flags::<Settings>(arguments).print_config;
    assert_eq!(format(&["--print-config"]), Some(PrintFormat::Text));
    assert_eq!(format(&["--print-config=json"]), Some(PrintFormat::Json));
    assert_eq!(format(&[]), None);
}

#[test]
fn settings_are_defined_once() {
    let mut names: Vec<_> = SETTINGS.iter().flat_map(|setting| setting.variables).collect();
    let flags = SETTINGS.iter().filter_map(|setting| setting.flag.as_ref());
    let flags: Vec<_> = flags.map(|flag| flag.name).collect();
    names.extend(&flags);
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    for setting in SETTINGS {
        assert!(!setting.name().is_empty() && !setting.meaning.is_empty(), "{setting:?}");
        let on_the_command_line = matches!(setting.name(), "database-url");
        assert!(!setting.secret || setting.flag.is_none() || on_the_command_line, "{setting:?}");
    }
    Settings::augment_args(clap::Command::new("serve")).debug_assert();
    StoreSettings::augment_args(clap::Command::new("migrate")).debug_assert();
}

#[test]
fn the_readme_has_the_table() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let readme = readme.unwrap_or_default();
    let section = readme.split_once("<!-- configuration:start -->").and_then(|(_, rest)| {
        rest.split_once("<!-- configuration:end -->").map(|(section, _)| section.trim())
    });
    let table = reference_table();
    assert!(
        section == Some(table.trim()),
        "README.md should have this between <!-- configuration:start --> and \
         <!-- configuration:end -->:\n\n{table}"
    );
}

#[test]
fn the_help_says_where_else_a_value_can_come_from() {
    let mut command = Settings::augment_args(clap::Command::new("serve"));
    let help = command.render_help().to_string();
    for part in ["--listen <ADDR>", "--migrate[=<on|off>]", "[env: GRAPHBOOK_LOG, RUST_LOG]"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    let flags: Settings = flags(&["--database-url=mysql://u:s3cret@h/d"]);
    assert!(!format!("{flags:?}").contains("s3cret"));
}
