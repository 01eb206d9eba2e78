//! SQ04: money as a floating-point number.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ04",
    severity: Severity::Warning,
    title: "money as a floating-point number",
    why: "FLOAT and DOUBLE can't hold 0.10: sums are off by cents, and equal amounts compare as \
        different.",
    bad: "ALTER TABLE orders ADD COLUMN price DOUBLE NULL;",
    safe: "Keep cents in a BIGINT, or use DECIMAL (which SQLite keeps as a float as well).",
    good: "ALTER TABLE orders ADD COLUMN price_cents BIGINT NULL;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

const MONEY: [&str; 16] = [
    "price", "amount", "total", "cost", "balance", "money", "salary", "fee", "tax", "discount",
    "payment", "revenue", "budget", "credit", "debit", "vat",
];

fn check(look: &Look<'_>) -> Vec<Hit> {
    defined(look)
        .filter(|column| matches!(column.kind.name.as_str(), "float" | "double"))
        .filter(|column| column.name.to_lowercase().split('_').any(|word| MONEY.contains(&word)))
        .map(|column| {
            Hit::new(format!("{} looks like money and is a floating-point number", column.name))
        })
        .collect()
}
