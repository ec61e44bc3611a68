//! What a crate brings along.

use std::collections::{BTreeSet, HashMap};

use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, PackageId};

use crate::workspace::{METADATA, assert_none, cargo, crates};

/// Every package compiled for someone who depends on this crate and on nothing else.
fn compiled_for_a_consumer_of(name: &str) -> BTreeSet<String> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        name,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let packages = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned());
    packages.filter(|package| !package.is_empty()).collect()
}

/// The most crates that a consumer of one layer, and of nothing else, compiles.
const WEIGHTS: &[(&str, usize)] = &[
    ("outrigger-backoff", 20),
    ("outrigger-breaker", 20),
    ("outrigger-rate-limit", 20),
    ("outrigger-timeout", 20),
    ("outrigger-retry", 30),
    ("outrigger-request-id", 25),
    ("outrigger-idempotency", 25),
];

#[test]
fn a_layer_used_alone_stays_light() {
    for (name, most) in WEIGHTS {
        let compiled = compiled_for_a_consumer_of(name);
        let count = compiled.len();
        assert!(
            compiled
                .iter()
                .any(|package| package.starts_with("tower-layer "))
        );
        assert!(
            count <= *most,
            "{name} compiles {count} crates, more than {most}: {compiled:#?}"
        );
    }
}

/// Everything that a crate's own code, its build scripts or macros are compiled with.
fn closure(of: &PackageId) -> BTreeSet<&PackageId> {
    let nodes = METADATA.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let nodes: HashMap<_, _> = nodes.map(|node| (&node.id, node)).collect();
    let mut found = BTreeSet::new();
    let mut open = vec![of];
    while let Some(node) = open.pop().and_then(|id| nodes.get(id)) {
        for dependency in &node.deps {
            let kinds = &dependency.dep_kinds;
            let compiled = kinds
                .iter()
                .any(|dep| dep.kind != DependencyKind::Development);
            if compiled && found.insert(&dependency.pkg) {
                open.push(&dependency.pkg);
            }
        }
    }
    found
}

#[test]
fn no_dependency_needs_a_newer_rust_than_we_promise() {
    let mut faults = Vec::new();
    for package in crates() {
        let ours: Option<&Version> = package.rust_version.as_ref();
        let ours = ours.unwrap();
        let closure = closure(&package.id);
        assert!(!closure.is_empty(), "{} depends on nothing", package.name);
        for dependency in closure {
            if let Some(theirs) = &METADATA[dependency].rust_version
                && theirs > ours
            {
                let theirs = format!("{} needs Rust {theirs}", METADATA[dependency].name);
                faults.push(format!("{} promises Rust {ours}, {theirs}", package.name));
            }
        }
    }
    assert_none(faults);
}
