//! What reading another tool's history found, for people to read.

use std::fmt;

/// How many names a list shows before it only counts.
const SHOWN: usize = 5;

/// What a person must decide before anything is taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The tool began it and it failed.
    #[error(
        "{record} is recorded as failed, so part of it may have taken effect. Compare the database \
         with the file, and complete or undo it by hand; then set success = 1 in its row if it is \
         complete, or delete the row if it is undone"
    )]
    Failed {
        /// The row.
        record: String,
    },
    /// Recorded, and there is no such file. Should the file turn up later, it would be applied a
    /// second time.
    #[error(
        "{record} was applied here and has no file. Is this folder older than the database? Add the \
         file; or, if it is gone for good, delete its row"
    )]
    NoFile {
        /// The row.
        record: String,
    },
    /// Versions of files are whole numbers, and the record has none.
    #[error(
        "{record} cannot be matched with a file: {reason}. Name its file <version>_<name>.up.sql, \
         and change its row to match"
    )]
    NoVersion {
        /// The row.
        record: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two records with one version.
    #[error(
        "{} and {} are two migrations with the version {version}, which only one file can have. \
         Put both into that file and delete one of the rows; or give one a version of its own, in \
         the row too", .records[0], .records[1]
    )]
    SameVersion {
        /// Both rows.
        records: [String; 2],
        /// The version they share.
        version: i64,
    },
    /// A record that is found by its name, and several files have that name.
    #[error(
        "{record} could be any of {}: its version is no whole number, so its file is found by the \
         name. Give these files different names, and in the history the same ones", list(.files)
    )]
    SeveralFiles {
        /// The row.
        record: String,
        /// The files with its name.
        files: Vec<String>,
    },
    /// A baseline whose version cannot be compared with the files' versions.
    #[error(
        "{record} says that everything up to it was there already, and its version, or \
         that of a later row, is no whole number, so it cannot be told which files that is. \
         Delete the row, and afterwards name the newest file it covers with `baseline`"
    )]
    Baseline {
        /// The row.
        record: String,
    },
}

/// What a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// Recorded, without a file, and older than every file: the beginning of the history is not in
    /// the folder any more.
    CutOff {
        /// The rows.
        records: Vec<String>,
    },
    /// Matched by version, and called differently.
    Renamed {
        /// The row.
        record: String,
        /// Our file.
        file: String,
    },
    /// The text is not the one that was applied.
    Edited {
        /// The row.
        record: String,
        /// Our file.
        file: String,
    },
    /// Files that are older than the newest that was applied, and were not applied themselves.
    Gaps {
        /// Our files.
        files: Vec<String>,
        /// The newest recorded version.
        newest: i64,
    },
    /// Files were applied in another order than their versions now have.
    OtherOrder {
        /// The row that came second.
        record: String,
        /// The file of the row before it.
        first: String,
        /// Its own file, which has the lower version.
        second: String,
    },
    /// Everything up to a version counts as applied.
    Baseline {
        /// The version.
        version: i64,
        /// The files that this covers.
        files: Vec<String>,
    },
    /// A migration without a version, which is applied again whenever it changes.
    Repeatable {
        /// The row.
        record: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff { records } => {
                write!(f, "older than every file, and so not taken over: {}", list(records))
            }
            Self::Renamed { record, file } => {
                write!(
                    f,
                    "{record} is taken to be {file}, which has the same version and another name"
                )
            }
            Self::Edited { record, file } => write!(
                f,
                "{file} is not the text that was applied as {record}: its checksum differs. What \
                 is in the file now is taken for what was applied; compare them"
            ),
            Self::Gaps { files, newest } => write!(
                f,
                "not applied, although version {newest} was: {}. They stay pending, and out of \
                 order: give them newer versions, or apply them with `up --out-of-order allow`",
                list(files)
            ),
            Self::OtherOrder { record, first, second } => write!(
                f,
                "{record} was applied after {first}, and its file {second} comes before: a new \
                 database would get them in the other order. Check the files' versions"
            ),
            Self::Baseline { version, files } if files.is_empty() => {
                write!(f, "everything up to version {version} counts as applied: no file here")
            }
            Self::Baseline { version, files } => {
                write!(f, "everything up to version {version} counts as applied: {}", list(files))
            }
            Self::Repeatable { record } => write!(
                f,
                "{record} is applied again whenever it changes, which is not known here, and is \
                 not taken over. Put its next change into a new migration"
            ),
        }
    }
}

/// The first few, and how many more.
fn list(names: &[String]) -> String {
    let shown = names.get(..SHOWN).unwrap_or(names).join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_counted() {
        let names: Vec<String> = (1..=7).map(|name| name.to_string()).collect();
        assert_eq!(list(&names), "1, 2, 3, 4, 5 and 2 more");
        assert_eq!(list(&names[..5]), "1, 2, 3, 4, 5");
        assert_eq!(list(&names[..1]), "1");
    }
}
