//! What a program needs, compared with what the loader loads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use imagebuild::closure::{Closure, ClosureError, Folder, closure};
use imagebuild::elf::Elf;

use crate::support::{IMAGEBUILD, compile, succeeds};

fn found(program: &Path) -> Result<Closure, ClosureError> {
    let elf = Elf::open(std::fs::File::open(program).unwrap()).unwrap();
    closure(&Folder("/".into()), program, elf)
}

/// Name and real path of everything but the loader, which goes by its path.
fn by_name(closure: &Closure) -> BTreeMap<String, PathBuf> {
    let libraries = closure.libraries.iter().filter(|library| !library.name.contains('/'));
    libraries.map(|library| (library.name.clone(), real(&library.path))).collect()
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap()
}

/// What the loader itself says (ld.so(8), `LD_TRACE_LOADED_OBJECTS`).
fn loaded(program: &Path) -> BTreeMap<String, PathBuf> {
    let text = succeeds(Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1"));
    let pair = |line: &str| {
        let (name, rest) = line.trim().split_once(" => ")?;
        let (path, _) = rest.rsplit_once(" (")?;
        (!name.contains('/')).then(|| (name.to_owned(), real(Path::new(path))))
    };
    text.lines().filter_map(pair).collect()
}

#[test]
fn it_is_what_the_loader_loads() {
    let mut compared = 0;
    for program in [IMAGEBUILD, "/bin/bash", "/usr/bin/git", "/usr/bin/openssl", "/usr/bin/curl"] {
        let program = Path::new(program);
        if program.exists() {
            assert_eq!(by_name(&found(program).unwrap()), loaded(program), "{}", program.display());
            compared += 1;
        }
    }
    assert!(compared >= 2);
}

/// A program in `bin` that needs `outer`, which needs `inner`, both in `lib`.
fn three(folder: &Path, program_path: &str, outer_path: &str) {
    for name in ["bin", "lib"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let inner = ["-shared", "-fPIC", "-Wl,-soname,libinner.so.1", "-o", "lib/libinner.so.1"];
    compile(folder, "int inner(void) { return 1; }", &inner);
    let outer = ["-shared", "-fPIC", "lib/libinner.so.1", "-o", "lib/libouter.so", outer_path];
    compile(folder, "int inner(void); int outer(void) { return inner(); }", &outer);
    let arguments =
        ["-o", "bin/program", "-Llib", "-louter", "-Wl,--allow-shlib-undefined", program_path];
    compile(folder, "int outer(void); int main(void) { return outer() - 1; }", &arguments);
}

#[test]
fn paths_of_programs_and_libraries_are_followed_as_the_loader_follows_them() {
    for (program, outer) in [
        // An RPATH is for all that follows, a RUNPATH for one's own needs only.
        ("-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib", "-Wl,-z,now"),
        ("-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib", "-Wl,--enable-new-dtags,-rpath,$ORIGIN"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        three(folder.path(), program, outer);
        let program = real(&folder.path().join("bin/program"));
        let closure = found(&program).unwrap();
        assert_eq!(by_name(&closure), loaded(&program));
        let inner = closure.libraries.iter().find(|it| it.name == "libinner.so.1").unwrap();
        assert!(inner.by_own_path);
        assert!(inner.needed_by.ends_with("libouter.so"), "{}", inner.needed_by.display());
    }
}

#[test]
fn what_is_missing_is_told_with_who_needs_it_and_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    three(
        folder.path(),
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib",
        // So that the program's own path does not help.
        "-Wl,-z,now",
    );
    let error = found(&real(&folder.path().join("bin/program"))).unwrap_err();
    assert!(matches!(error, ClosureError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("libouter.so needs libinner.so.1, which is not there"), "{text}");
    assert!(text.contains("/usr/lib/libinner.so.1"), "{text}");
}

#[test]
fn a_library_that_is_too_old_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let library = |version: &str| {
        let script = folder.path().join("versions");
        std::fs::write(&script, format!("{version} {{ global: f; }};")).unwrap();
        let arguments = ["-shared", "-fPIC", "-Wl,--version-script,versions", "-o", "libf.so"];
        compile(folder.path(), "int f(void) { return 1; }", &arguments);
    };
    library("F_2");
    let arguments = ["-o", "program", "-L.", "-lf", "-Wl,-rpath,$ORIGIN"];
    compile(folder.path(), "int f(void); int main(void) { return f() - 1; }", &arguments);
    let program = real(&folder.path().join("program"));
    found(&program).unwrap();
    library("F_1");
    let text = found(&program).unwrap_err().to_string();
    assert!(text.contains("needs F_2 of"), "{text}");
    assert!(text.contains("libf.so, which offers no such version"), "{text}");
}

#[test]
fn a_static_program_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = "void _start(void) { for (;;) {} }";
    compile(folder.path(), source, &["-static", "-nostdlib", "-o", "program"]);
    let closure = found(&folder.path().join("program")).unwrap();
    assert_eq!(closure.libraries, []);
}
