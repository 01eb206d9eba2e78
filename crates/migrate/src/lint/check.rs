//! Asks every rule about every statement.

use super::Finding;
use super::file::LintFile;
use super::look::{Look, Release, Seen};
use super::rule::{Check, Hit, Rule, Ways};
use super::rules::{ALL, lt01};
use super::schema::Schema;
use super::suppress::{self, Allowances};
use crate::Dialect;
use crate::sql::act::{Act, Clause, act};
use crate::sql::classify::meaning;
use crate::sql::lexer::{Kind, Lexer};
use crate::sql::meaning::{Effect, Meaning};
use crate::sql::split::{Statement, split};

/// What all rules find. `together` says that all new files are one release; else each is its own.
pub(super) fn check(files: &[LintFile], together: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dialect in [Dialect::MySql, Dialect::Sqlite] {
        // A file for both is judged as MySQL reads it; that SQLite reads it too is a rule's matter.
        let judged = |file: &&LintFile| match dialect {
            Dialect::MySql => file.is_for(dialect),
            Dialect::Sqlite => file.dialect == Some(dialect),
        };
        if files.iter().any(|file| judged(&file)) {
            let all: Vec<&LintFile> = files.iter().filter(|file| file.is_for(dialect)).collect();
            findings.extend(check_dialect(dialect, &all, &judged, together));
        }
    }
    findings
}

fn check_dialect(
    dialect: Dialect,
    files: &[&LintFile],
    judged: &dyn Fn(&&LintFile) -> bool,
    together: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let split_files: Vec<(&LintFile, Result<Vec<Statement<'_>>, _>)> =
        files.iter().map(|file| (*file, split(dialect, &file.text))).collect();
    let mut schema = Schema::default();
    let parts: Vec<(&LintFile, &[Statement<'_>], Vec<Seen<'_>>)> = split_files
        .iter()
        .filter_map(|(file, split)| match split {
            Ok(statements) => Some((*file, statements.as_slice(), seen(dialect, statements))),
            Err(error) => {
                findings.push(lt01::unreadable(file, error.line, &error.to_string()));
                None
            }
        })
        .collect();
    let all: Vec<(&LintFile, &[Seen<'_>])> =
        parts.iter().map(|(file, _, seen)| (*file, seen.as_slice())).collect();
    let of_all = together.then(|| release(&all));
    for (file, statements, seen) in &parts {
        let of_file = of_all.is_none().then(|| release(&[(*file, seen.as_slice())]));
        let Some(release) = of_all.as_ref().or(of_file.as_ref()) else { continue };
        let report = file.is_new && judged(file);
        let (mut allowances, problems) = suppress::read(file, dialect, statements);
        if report {
            findings.extend(problems);
        }
        for statement in seen {
            if report {
                let look =
                    Look { file, dialect, statement, statements: seen, schema: &schema, release };
                judge(&look, &mut allowances, &mut findings);
            }
            if !file.down {
                schema.apply(&statement.act);
            }
        }
        if report {
            findings.extend(allowances.unused(file));
        }
    }
    findings
}

/// Asks the rules about one statement.
fn judge(look: &Look<'_>, allowances: &mut Allowances, findings: &mut Vec<Finding>) {
    let first = look.statement.number == look.statements.first().map_or(1, |first| first.number);
    for rule in ALL {
        if !rule.on.includes(look.dialect) || (rule.ways == Ways::Up && look.file.down) {
            continue;
        }
        let hits = match rule.check {
            Check::Statement(check) => check(look),
            Check::File(check) if first => check(look),
            _ => continue,
        };
        for hit in hits {
            let by_file = matches!(rule.check, Check::File(_));
            let finding = found(look, rule, hit, by_file);
            if !allowances.allow(rule.id, finding.statement) {
                findings.push(finding);
            }
        }
    }
}

fn found(look: &Look<'_>, rule: &Rule, hit: Hit, by_file: bool) -> Finding {
    let place = hit.statement.or((!by_file).then(|| look.statement.place()));
    Finding {
        rule: rule.id,
        severity: hit.severity.unwrap_or(rule.severity),
        file: look.file.file.clone(),
        line: place.map_or(1, |(_, line)| line),
        statement: place.map(|(number, _)| number),
        message: hit.message,
    }
}

/// Takes statements apart for the rules.
pub(super) fn seen<'a>(dialect: Dialect, statements: &'a [Statement<'a>]) -> Vec<Seen<'a>> {
    let one = |statement: &'a Statement<'a>| Seen {
        number: statement.number,
        line: statement.line,
        text: statement.text,
        tokens: tokens(dialect, statement.text),
        meaning: meaning(dialect, statement),
        act: act(dialect, statement.text),
    };
    statements.iter().map(one).collect()
}

fn tokens(dialect: Dialect, text: &str) -> Vec<String> {
    Lexer::new(dialect, text)
        .filter(|token| token.says_something())
        .map(|token| match token.kind {
            Kind::Word => token.text.to_lowercase(),
            _ => token.text.to_owned(),
        })
        .collect()
}

/// What the new ones among these files make.
fn release(files: &[(&LintFile, &[Seen<'_>])]) -> Release {
    let mut release = Release::default();
    for (file, statements) in files.iter().filter(|(file, _)| file.is_new && !file.down) {
        for statement in *statements {
            match &statement.act {
                Act::CreateTable(table) => {
                    release.tables.insert(table.name.to_lowercase());
                }
                Act::AlterTable { table, clauses } => {
                    let added = clauses.iter().filter_map(|clause| match clause {
                        Clause::AddColumn { column, .. } => Some(&column.name),
                        _ => None,
                    });
                    for column in added {
                        let place = (table.name.clone(), column.clone(), file.file.clone());
                        release.columns.push(place);
                    }
                }
                _ => {}
            }
            if let Meaning::Ddl(ddl) = &statement.meaning {
                // What replaces something makes nothing new.
                if !statement.begins("create or replace") {
                    release.others.extend(ddl.effects.iter().filter_map(made));
                }
            }
        }
    }
    // Dropped and made again in the same release: it was there before.
    for (file, statements) in files.iter().filter(|(file, _)| file.is_new && !file.down) {
        let _ = file;
        for statement in *statements {
            if let Meaning::Ddl(ddl) = &statement.meaning
                && statement.begins("drop")
            {
                for gone in ddl.effects.iter().filter_map(gone) {
                    release.others.remove(&gone);
                }
            }
        }
    }
    release
}

fn made(effect: &Effect) -> Option<String> {
    match effect {
        Effect::ViewExists { view: name }
        | Effect::TriggerExists { trigger: name }
        | Effect::RoutineExists { routine: name, .. }
        | Effect::EventExists { event: name } => Some(name.name.to_lowercase()),
        _ => None,
    }
}

fn gone(effect: &Effect) -> Option<String> {
    match effect {
        Effect::ViewGone { view: name }
        | Effect::TriggerGone { trigger: name }
        | Effect::RoutineGone { routine: name, .. }
        | Effect::EventGone { event: name } => Some(name.name.to_lowercase()),
        _ => None,
    }
}
