//! Compares what a tool recorded with the files. Pure.

use std::collections::BTreeMap;

use super::checksums::Checksum;
use super::findings::{Note, Problem};
use super::{Adopted, Adoption};
use crate::{Dialect, Migration, Migrations};

/// What a tool recorded, with its own meaning already given to it.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// In the tool's order.
    pub(super) records: Vec<Record>,
    /// Everything up to this version was there before the tool came.
    pub(super) baseline: Option<Baseline>,
    /// What is known without the files.
    pub(super) notes: Vec<Note>,
    pub(super) problems: Vec<Problem>,
}

/// One migration as a tool recorded it.
#[derive(Debug)]
pub(super) struct Record {
    /// As the table has it, for messages.
    pub(super) shown: String,
    pub(super) key: Key,
    /// What the tool calls it, without the version, where it says so.
    pub(super) name: Option<String>,
    /// Microseconds of Unix time.
    pub(super) applied_at: Option<i64>,
    pub(super) failed: bool,
    pub(super) checksum: Checksum,
}

/// How its file is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Version(i64),
    /// By the record's name, because our versions are whole numbers and its version is not.
    Name,
    /// Not at all, and why.
    Nothing(&'static str),
}

#[derive(Debug)]
pub(super) struct Baseline {
    pub(super) version: i64,
    pub(super) applied_at: Option<i64>,
}

impl Key {
    /// Of digits; anything else, or what does not fit our versions, finds nothing.
    pub(super) fn of_digits(digits: &str) -> Self {
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Nothing("it does not begin with a version of digits");
        }
        digits.parse().map_or(Self::Nothing("its version does not fit 63 bits"), Self::Version)
    }
}

/// Seconds of Unix time, as tables give them, in microseconds.
pub(super) fn micros(seconds: Option<i64>) -> Option<i64> {
    seconds.and_then(|seconds| seconds.checked_mul(1_000_000))
}

/// What the records say about the files.
pub(super) fn adoption(recorded: Recorded, migrations: &Migrations, dialect: Dialect) -> Adoption {
    let files = Files::new(migrations, dialect);
    let Recorded { records, baseline, notes, problems } = recorded;
    let mut found = Matching { files: &files, notes, problems, matched: BTreeMap::new() };
    for record in &records {
        found.take(record);
    }
    found.look_at_order(&records);
    if let Some(baseline) = baseline {
        found.cover(&baseline);
    }
    found.finish()
}

/// The files, to be found by version and by name.
struct Files<'a> {
    by_version: BTreeMap<i64, &'a Migration>,
    by_words: BTreeMap<String, Vec<&'a Migration>>,
    dialect: Dialect,
}

impl<'a> Files<'a> {
    fn new(migrations: &'a Migrations, dialect: Dialect) -> Self {
        let by_version = migrations.iter().map(|file| (file.version(), file)).collect();
        let mut by_words: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for file in migrations.iter() {
            by_words.entry(words(file.name())).or_default().push(file);
        }
        Self { by_version, by_words, dialect }
    }

    /// Every file that a record may be about.
    fn of(&self, record: &Record) -> Vec<&'a Migration> {
        match &record.key {
            Key::Version(version) => self.by_version.get(version).copied().into_iter().collect(),
            Key::Name => {
                let words = words(record.name.as_deref().unwrap_or_default());
                self.by_words.get(&words).cloned().unwrap_or_default()
            }
            Key::Nothing(_) => Vec::new(),
        }
    }

    fn oldest(&self) -> Option<i64> {
        self.by_version.first_key_value().map(|(version, _)| *version)
    }
}

/// Letters and digits of a name; what stands between them differs between the tools.
fn words(name: &str) -> String {
    let parts = name.split(|letter: char| !letter.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_").to_lowercase()
}

/// The comparison under way.
struct Matching<'a> {
    files: &'a Files<'a>,
    notes: Vec<Note>,
    problems: Vec<Problem>,
    /// By version: the record that was first, and whether it counts as applied.
    matched: BTreeMap<i64, (String, Option<Adopted>)>,
}

impl Matching<'_> {
    /// Finds the file of one record, or says why there is none.
    fn take(&mut self, record: &Record) {
        let shown = || record.shown.clone();
        if let Key::Nothing(reason) = record.key {
            self.problems.push(Problem::NoVersion { record: shown(), reason });
            return;
        }
        let files = self.files.of(record);
        let version = match (&record.key, files.as_slice()) {
            (Key::Version(version), _) => *version,
            (_, [file]) => file.version(),
            (_, several) => {
                self.find_no_single_file(record, several);
                return;
            }
        };
        if let Some((first, adopted)) = self.matched.get_mut(&version) {
            // Which of the two it was cannot be told, so it is neither.
            *adopted = None;
            let records = [first.clone(), shown()];
            self.problems.push(Problem::SameVersion { records, version });
            return;
        }
        let adopted = match files.first() {
            _ if record.failed => {
                self.problems.push(Problem::Failed { record: shown() });
                None
            }
            Some(file) => Some(self.adopt(record, file)),
            None => {
                self.miss(record, version);
                None
            }
        };
        self.matched.insert(version, (shown(), adopted));
    }

    fn find_no_single_file(&mut self, record: &Record, files: &[&Migration]) {
        let record = record.shown.clone();
        self.problems.push(if files.is_empty() {
            Problem::NoFile { record }
        } else {
            let files = files.iter().map(|file| file.file(self.files.dialect)).collect();
            Problem::SeveralFiles { record, files }
        });
    }

    fn adopt(&mut self, record: &Record, file: &Migration) -> Adopted {
        let dialect = self.files.dialect;
        let note = |of: fn(String, String) -> Note| of(record.shown.clone(), file.file(dialect));
        if record.name.as_ref().is_some_and(|name| words(name) != words(file.name())) {
            self.notes.push(note(|record, file| Note::Renamed { record, file }));
        }
        // What can't be read any more is not what was applied.
        if !file.up(dialect).is_ok_and(|text| record.checksum.is_of(&text)) {
            self.notes.push(note(|record, file| Note::Edited { record, file }));
        }
        Adopted {
            version: file.version(),
            name: file.name().to_owned(),
            applied_at: record.applied_at,
        }
    }

    /// A record without a file. Older than every file, it belongs to a history that was cut off on
    /// purpose, and nobody will look for it again. Any other may come back with a branch that is
    /// merged, or with a newer checkout, and would then be applied a second time.
    fn miss(&mut self, record: &Record, version: i64) {
        let shown = record.shown.clone();
        if self.files.oldest().is_none_or(|oldest| version > oldest) {
            self.problems.push(Problem::NoFile { record: shown });
            return;
        }
        for note in &mut self.notes {
            if let Note::CutOff { records } = note {
                records.push(shown);
                return;
            }
        }
        self.notes.push(Note::CutOff { records: vec![shown] });
    }

    /// Renumbered by hand, files may have come into an order that was not theirs.
    fn look_at_order(&mut self, records: &[Record]) {
        let by_name = records.iter().filter(|record| record.key == Key::Name);
        let in_order: Vec<(&Record, &Migration)> = by_name
            .filter_map(|record| match self.files.of(record).as_slice() {
                [file] => Some((record, *file)),
                _ => None,
            })
            .collect();
        for pair in in_order.windows(2) {
            if let [(_, first), (record, second)] = pair
                && first.version() > second.version()
            {
                let (record, first) = (record.shown.clone(), first.file(self.files.dialect));
                self.notes.push(Note::OtherOrder {
                    record,
                    first,
                    second: second.file(self.files.dialect),
                });
            }
        }
    }

    /// Counts the files up to the baseline as applied, unless a record says more about them.
    fn cover(&mut self, baseline: &Baseline) {
        let &Baseline { version, applied_at } = baseline;
        let mut files = Vec::new();
        for (&covered, file) in self.files.by_version.range(..=version) {
            self.matched.entry(covered).or_insert_with(|| {
                files.push(file.file(self.files.dialect));
                let name = file.name().to_owned();
                (String::new(), Some(Adopted { version: covered, name, applied_at }))
            });
        }
        self.notes.push(Note::Baseline { version, files });
    }

    fn finish(mut self) -> Adoption {
        // What failed, or has no file, is a problem already and no gap.
        if let Some((&newest, _)) = self.matched.last_key_value() {
            let is_gap = |version: &&i64| !self.matched.contains_key(*version);
            let gaps = self.files.by_version.range(..newest).filter(|(version, _)| is_gap(version));
            let files: Vec<String> = gaps.map(|(_, file)| file.file(self.files.dialect)).collect();
            if !files.is_empty() {
                self.notes.push(Note::Gaps { files, newest });
            }
        }
        Adoption {
            applied: self.matched.into_values().filter_map(|(_, adopted)| adopted).collect(),
            notes: self.notes,
            problems: self.problems,
        }
    }
}

#[cfg(test)]
mod tests;
