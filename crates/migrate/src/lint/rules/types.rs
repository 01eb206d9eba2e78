//! Whether every value of one type fits another.

use crate::sql::column::Type;

/// What becomes of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Every value fits, or another rule speaks of it.
    Wider,
    Narrower,
    /// It is another kind of value.
    Other,
    Unknown,
}

const INTEGERS: [(&str, u32); 5] =
    [("tinyint", 8), ("smallint", 16), ("mediumint", 24), ("int", 32), ("bigint", 64)];
const TEXTS: [(&str, u64); 5] = [
    ("varchar", 0),
    ("tinytext", 255),
    ("text", 65_535),
    ("mediumtext", 16_777_215),
    ("longtext", 4_294_967_295),
];
const BLOBS: [(&str, u64); 5] = [
    ("varbinary", 0),
    ("tinyblob", 255),
    ("blob", 65_535),
    ("mediumblob", 16_777_215),
    ("longblob", 4_294_967_295),
];

/// What becomes of a type.
pub(super) fn change(old: &Type, new: &Type) -> Change {
    if let (Some(from), Some(to)) = (integer(old), integer(new)) {
        return wider(to.0 <= from.0 && to.1 >= from.1);
    }
    for sizes in [TEXTS, BLOBS] {
        if let (Some(from), Some(to)) = (size(&sizes, old), size(&sizes, new)) {
            // Of a shorter VARCHAR speaks BC12.
            return wider(to >= from || old.name == new.name);
        }
    }
    match (old.name.as_str(), new.name.as_str()) {
        ("decimal", "decimal") => {
            let digits = |kind: &Type| {
                let whole = kind.arguments.first().map_or(Some(10), |text| text.parse().ok())?;
                let part = kind.arguments.get(1).map_or(Some(0), |text| text.parse().ok())?;
                Some((i64::from(u16::saturating_sub(whole, part)), i64::from(part)))
            };
            match (digits(old), digits(new)) {
                (Some(from), Some(to)) => wider(to.0 >= from.0 && to.1 >= from.1),
                _ => Change::Unknown,
            }
        }
        ("float", "double") | ("char", "varchar") | ("date", "datetime") => Change::Wider,
        ("double", "float") => Change::Narrower,
        ("datetime" | "timestamp" | "time", _) if old.name == new.name => {
            wider(new.length().unwrap_or(0) >= old.length().unwrap_or(0))
        }
        (from, to) if from == to => Change::Wider,
        ("", _) | (_, "") => Change::Unknown,
        _ => Change::Other,
    }
}

fn wider(is: bool) -> Change {
    if is { Change::Wider } else { Change::Narrower }
}

/// The least and the greatest value.
fn integer(kind: &Type) -> Option<(i128, i128)> {
    let (_, bits) = INTEGERS.iter().find(|(name, _)| *name == kind.name)?;
    Some(if kind.unsigned {
        (0, (1_i128 << bits) - 1)
    } else {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    })
}

/// How many bytes fit.
fn size(sizes: &[(&str, u64)], kind: &Type) -> Option<u64> {
    let (name, size) = sizes.iter().find(|(name, _)| *name == kind.name)?;
    Some(if name.starts_with("var") { kind.length()? } else { *size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;
    use crate::sql::act::{Act, Clause, act};

    fn kind(text: &str) -> Type {
        let act = act(Dialect::MySql, &format!("ALTER TABLE t MODIFY c {text}"));
        let Act::AlterTable { clauses, .. } = act else { panic!("{text}") };
        let [Clause::Modify(column)] = clauses.as_slice() else { panic!("{text}") };
        column.kind.clone()
    }

    #[test]
    fn a_type_is_wider_when_every_value_fits() {
        for (old, new, expected) in [
            ("INT", "BIGINT", Change::Wider),
            ("INTEGER", "INT(11)", Change::Wider),
            ("INT", "INT UNSIGNED", Change::Narrower),
            ("INT UNSIGNED", "BIGINT", Change::Wider),
            ("BIGINT UNSIGNED", "BIGINT", Change::Narrower),
            ("BIGINT", "SMALLINT", Change::Narrower),
            ("VARCHAR(300)", "TINYTEXT", Change::Narrower),
            ("VARCHAR(300)", "TEXT", Change::Wider),
            ("LONGTEXT", "TEXT", Change::Narrower),
            ("VARBINARY(16)", "BLOB", Change::Wider),
            ("DECIMAL(10,2)", "DECIMAL(12,2)", Change::Wider),
            ("DECIMAL(10,2)", "DECIMAL(10,4)", Change::Narrower),
            ("DECIMAL", "DECIMAL(10)", Change::Wider),
            ("DOUBLE PRECISION", "FLOAT", Change::Narrower),
            ("DATETIME(6)", "DATETIME", Change::Narrower),
            ("INT", "VARCHAR(20)", Change::Other),
        ] {
            assert_eq!(change(&kind(old), &kind(new)), expected, "{old} to {new}");
        }
    }
}
