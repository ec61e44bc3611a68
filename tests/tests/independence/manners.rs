//! The manners every crate keeps.

use std::fs;
use std::path::Path;

use crate::workspace::{assert_none, crates, folder, members, root, sources, without_tests};

/// The most lines of a manifest, not counting its dependencies, which have their row in `arrows`.
const MANIFEST: usize = 30;
/// The most lines of an example.
const EXAMPLE: usize = 80;
/// The most lines of the README.
const README: usize = 150;
/// The most lines of a source file without its tests.
const SOURCE: usize = 300;
/// The source files that may have more, and why.
const TALL: &[(&str, usize)] = &[
    // One state machine: an attempt, the pause after it, and the next.
    ("crates/retry/src/future.rs", 350),
];
/// The most lines of code in core.
const CORE: usize = 1_760;

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The lines of a manifest, each with the table it stands in.
fn tabled(manifest: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut table = "";
    manifest.lines().map(move |line| {
        if line.starts_with('[') {
            table = line;
        }
        (table, line)
    })
}

fn is_of_dependencies(table: &str) -> bool {
    table.trim_matches(['[', ']']).ends_with("dependencies")
}

#[test]
fn every_manifest_inherits_from_the_workspace() {
    let mut faults = Vec::new();
    for package in members() {
        let manifest = read(package.manifest_path.as_std_path());
        for (table, inherited) in [
            ("[package]", "version.workspace = true"),
            ("[package]", "edition.workspace = true"),
            ("[package]", "rust-version.workspace = true"),
            ("[package]", "license.workspace = true"),
            ("[lints]", "workspace = true"),
        ] {
            if !tabled(&manifest).any(|found| found == (table, inherited)) {
                faults.push(format!("{}: {table} lacks {inherited}", package.name));
            }
        }
        let own_version = tabled(&manifest).filter(|(table, line)| {
            is_of_dependencies(table) && line.contains('=') && !line.contains("workspace = true")
        });
        faults.extend(own_version.map(|(_, line)| format!("{}: {line}", package.name)));
    }
    assert_none(faults);
}

#[test]
fn the_workspace_takes_dependencies_without_their_default_features() {
    let manifest = read(&root().join("Cargo.toml"));
    let dependencies: Vec<_> = tabled(&manifest)
        .filter(|(table, line)| *table == "[workspace.dependencies]" && line.contains(" = "))
        .collect();
    assert!(dependencies.len() > 20);
    let careless = dependencies
        .iter()
        .filter(|(_, line)| !line.contains("default-features = false"));
    assert_none(careless.map(|(_, line)| (*line).to_owned()));
}

#[test]
fn unsafe_code_is_forbidden_and_no_lint_is_silenced_without_a_reason() {
    let manifest = read(&root().join("Cargo.toml"));
    let forbidden = ("[workspace.lints.rust]", r#"unsafe_code = "forbid""#);
    assert!(tabled(&manifest).any(|line| line == forbidden));
    assert_none(crates().flat_map(|package| {
        let sources = sources(&folder(package).join("src")).into_iter();
        let silenced = sources.filter(|(_, text)| {
            let code = without_tests(text).lines().map(str::trim_start);
            let mut attributes = code.filter(|line| line.starts_with('#'));
            attributes.any(|line| {
                let unargued = line.contains("expect(") && !line.contains("reason = ");
                line.contains("allow(") || unargued
            })
        });
        silenced.map(|(path, _)| format!("{} silences a lint without a reason", path.display()))
    }));
}

#[test]
fn pages_manifests_sources_and_examples_stay_small() {
    let mut faults = Vec::new();
    let mut measure = |path: &Path, lines: usize, most: usize| {
        if lines > most {
            faults.push(format!(
                "{} has {lines} lines, more than {most}",
                path.display()
            ));
        }
    };
    let readme = root().join("README.md");
    measure(&readme, read(&readme).lines().count(), README);
    for package in members() {
        let path = package.manifest_path.as_std_path();
        let manifest = read(path);
        let lines = tabled(&manifest).filter(|(table, _)| !is_of_dependencies(table));
        measure(path, lines.count(), MANIFEST);
    }
    for package in crates() {
        let sources = sources(&folder(package).join("src"));
        assert!(!sources.is_empty(), "{} has no sources", package.name);
        for (path, text) in sources {
            let most = TALL.iter().find(|(tall, _)| path.ends_with(tall));
            let most = most.map_or(SOURCE, |(_, most)| *most);
            if !path.ends_with("tests.rs") {
                measure(&path, without_tests(&text).lines().count(), most);
            }
        }
    }
    for (path, text) in sources(&root().join("examples")) {
        measure(&path, text.lines().count(), EXAMPLE);
    }
    assert_none(faults);
}

#[test]
fn core_stays_small() {
    let sources = sources(&root().join("crates/core/src"));
    let code = sources
        .iter()
        .flat_map(|(_, text)| without_tests(text).lines());
    let code = code.map(str::trim_start);
    let code = code.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let lines = code.count();
    assert!(
        (1..=CORE).contains(&lines),
        "core has {lines} lines of code"
    );
}
