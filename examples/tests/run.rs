//! Runs every example to its end: each asserts what it shows.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

#[test]
fn every_example_runs_to_its_end() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let names: Vec<_> = fs::read_dir(sources)
        .unwrap()
        .map(|entry| entry.unwrap().path().with_extension(""))
        .map(|path| path.file_name().unwrap().to_owned())
        .collect();
    assert!(!names.is_empty());

    // `cargo test` has built them beside the folder of its own tests.
    let tests = env::current_exe().unwrap();
    let programs = tests.ancestors().nth(2).unwrap().join("examples");
    for name in names {
        let program = programs
            .join(&name)
            .with_extension(env::consts::EXE_EXTENSION);
        let run = Command::new(program).output().unwrap_or_else(|error| {
            panic!("{name:?}: {error}; `cargo test -p outrigger-examples` builds it")
        });
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{name:?}: {}\n{said}", run.status);
    }
}
