//! Who depends on whom.

use std::collections::BTreeSet;

use cargo_metadata::{Dependency, DependencyKind, Package};

use crate::workspace::{assert_none, members};

/// Each member: its floor, and exactly what it depends on (`?`: optional). Dependencies of its tests
/// are its own affair.
///
/// A new dependency is a new word here, argued in the commit that adds it. A new crate is a new row.
const ROWS: &[(&str, u8, &str)] = &[
    (
        "outrigger-core",
        1,
        "fastrand h2? http http-body httpdate hyper? hyper-util? pin-project-lite tokio",
    ),
    (
        "outrigger-backoff",
        2,
        "fastrand http outrigger-core pin-project-lite tokio tower-layer tower-service",
    ),
    (
        "outrigger-breaker",
        2,
        "fastrand http http-body outrigger-core pin-project-lite tokio tower-layer tower-service",
    ),
    (
        "outrigger-rate-limit",
        2,
        "fastrand http http-body outrigger-core pin-project-lite tokio tower-layer tower-service",
    ),
    (
        "outrigger-timeout",
        2,
        "http http-body outrigger-core pin-project-lite tokio tower-layer tower-service",
    ),
    (
        "outrigger-retry",
        2,
        "bytes fastrand http http-body outrigger-core pin-project-lite tokio tower-layer \
         tower-service",
    ),
    (
        "outrigger-request-id",
        2,
        "bytes http outrigger-core pin-project-lite rand tower-layer tower-service",
    ),
    (
        "outrigger-idempotency",
        2,
        "bytes http outrigger-core pin-project-lite rand tower-layer tower-service",
    ),
    (
        "outrigger-connector",
        2,
        "bytes fastrand http http-body hyper hyper-rustls? hyper-util outrigger-core rustls? \
         rustls-platform-verifier? tokio tower-service",
    ),
    (
        "outrigger",
        3,
        "http outrigger-backoff? outrigger-breaker? outrigger-connector? outrigger-core \
         outrigger-idempotency? outrigger-rate-limit? outrigger-request-id? outrigger-retry? \
         outrigger-timeout? pin-project-lite tokio tower",
    ),
    (
        "outrigger-testkit",
        3,
        "bytes fastrand h2 http http-body http-body-util hyper hyper-util \
         loona-hpack pin-project-lite tokio tokio-rustls? tower-layer tower-service",
    ),
    (
        "outrigger-cli",
        4,
        "bytes clap fastrand http http-body http-body-util hyper-util indicatif outrigger \
         outrigger-testkit rustls serde serde_json tokio tower",
    ),
    ("outrigger-examples", 4, ""),
    (
        "outrigger-tests",
        4,
        "outrigger-core pin-project-lite prost protox tonic tonic-prost tonic-prost-build tower-layer \
         tower-service",
    ),
];

fn floor(name: &str) -> Option<u8> {
    let row = ROWS.iter().find(|(member, ..)| *member == name);
    row.map(|(_, floor, _)| *floor)
}

/// Where the arrows of a member end that end in the workspace.
fn arrows(package: &Package) -> impl Iterator<Item = (&Dependency, u8)> {
    let floors = package.dependencies.iter();
    floors.filter_map(|dependency| Some((dependency, floor(&dependency.name)?)))
}

#[test]
fn every_crate_depends_on_what_its_row_says_and_on_nothing_else() {
    let mut faults = Vec::new();
    for package in members() {
        let Some((.., row)) = ROWS.iter().find(|(name, ..)| *name == *package.name) else {
            faults.push(format!("{} has no row", package.name));
            continue;
        };
        let row: BTreeSet<_> = row.split_whitespace().map(str::to_owned).collect();
        let found: BTreeSet<_> = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development)
            .map(|dependency| {
                format!(
                    "{}{}",
                    dependency.name,
                    ["", "?"][usize::from(dependency.optional)]
                )
            })
            .collect();
        let extra = found
            .difference(&row)
            .map(|name| format!("{} depends on {name}", package.name));
        let gone = row
            .difference(&found)
            .map(|name| format!("{} no longer depends on {name}", package.name));
        faults.extend(extra.chain(gone));
    }
    let rows_without_member = ROWS
        .iter()
        .filter(|(name, ..)| !members().any(|package| *package.name == *name))
        .map(|(name, ..)| format!("the row of {name} has no crate"));
    assert_none(faults.into_iter().chain(rows_without_member));
}

#[test]
fn arrows_point_down_and_never_to_a_sibling() {
    assert_none(members().flat_map(|package| {
        let own = floor(&package.name).unwrap_or(0);
        arrows(package)
            .filter(move |(dependency, floor)| {
                let prover = dependency.kind == DependencyKind::Development
                    && dependency.name == "outrigger-testkit";
                *floor >= own && !prover
            })
            .map(move |(dependency, floor)| {
                format!(
                    "{} (floor {own}) must not know {} (floor {floor})",
                    package.name, dependency.name
                )
            })
    }));
}

#[test]
fn the_client_is_the_only_library_that_knows_layers() {
    assert_none(members().flat_map(|package| {
        let library = floor(&package.name) < Some(4) && *package.name != "outrigger";
        arrows(package)
            .filter(move |(_, floor)| library && *floor == 2)
            .map(move |(dependency, _)| {
                format!("{} must not know {}", package.name, dependency.name)
            })
    }));
}

#[test]
fn no_crate_below_the_client_needs_tower_itself() {
    assert_none(members().flat_map(|package| {
        let below = floor(&package.name) < Some(3);
        let needed = package.dependencies.iter().filter(move |dependency| {
            below && dependency.name == "tower" && dependency.kind != DependencyKind::Development
        });
        needed.map(|_| format!("{} needs tower outside its tests", package.name))
    }));
}
