//! What the tests ask of cargo and of the files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand, Package};

/// The workspace with all features, as resolved for this machine.
pub(crate) static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let host = cargo(&["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(["--locked", "--filter-platform", host.unwrap()].map(String::from))
        .exec()
        .unwrap()
});

/// Asks cargo, at the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> String {
    let output = Command::new(std::env::var_os("CARGO").unwrap())
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The members of the workspace.
pub(crate) fn members() -> impl Iterator<Item = &'static Package> {
    METADATA.workspace_packages().into_iter()
}

/// The members that people install: the crates, without the examples and the tests.
pub(crate) fn crates() -> impl Iterator<Item = &'static Package> {
    members().filter(|package| package.publish.is_none())
}

/// The folder of a member.
pub(crate) fn folder(package: &Package) -> &Path {
    package.manifest_path.parent().unwrap().as_std_path()
}

/// Every Rust file below a folder, with its text.
pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// A source file without the tests at its end. Tests in a file of their own end nothing.
pub(crate) fn without_tests(text: &str) -> &str {
    let mut tests = text.match_indices("\n#[cfg(test)]\nmod ");
    let inline = tests.find(|(at, mark)| {
        let module = text[at + mark.len()..].lines().next();
        module.is_some_and(|line| line.ends_with('{'))
    });
    inline.map_or(text, |(at, _)| &text[..at])
}

#[test]
fn tests_end_a_source_file_where_they_stand_in_it() {
    let beside = "a\n#[cfg(test)]\nmod tests;\nb";
    assert_eq!(without_tests(beside), beside);
    let inline = format!("{beside}\n#[cfg(test)]\nmod tests {{\nc\n}}\n");
    assert_eq!(without_tests(&inline), beside);
}

/// Fails with every fault at once.
#[track_caller]
pub(crate) fn assert_none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
}
