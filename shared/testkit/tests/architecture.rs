//! Who may know whom, as the architecture says: a dependency that is not in these lists fails here.
#![expect(clippy::unwrap_used, reason = "tests")]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What a folder's crates may use of ours, in what they ship.
const MAY_USE: &[(&str, &[&str])] = &[
    ("shared/domain", &[]),
    ("shared/store", &["belfry-domain"]),
    ("shared/api", &["belfry-domain"]),
    ("shared/runtime", &["belfry-domain", "belfry-store", "belfry-api"]),
    ("functions", &["belfry-domain", "belfry-store", "belfry-api", "belfry-runtime"]),
    ("shared/testkit", &["belfry-domain", "belfry-store", "belfry-api", "belfry-runtime"]),
    // What runs the stack speaks its public interfaces only, and the demo's oracle shares no code
    // with what it judges.
    // The domain too: the code that the tool signs is the one that the functions read.
    ("infra/cli", &["belfry-demo", "belfry-domain"]),
    ("infra/demo", &[]),
    ("tests", &["belfry-demo"]),
];

/// What a folder's crates may not use of others, by the beginning of the name.
const MAY_NOT_USE: &[(&str, &[&str])] = &[
    ("shared/domain", &["tokio", "http", "hyper", "lambda_", "aws", "futures", "getrandom"]),
    ("shared/store", &["http", "hyper", "lambda_", "aws_lambda_events"]),
    ("shared/api", &["tokio", "hyper", "aws-sdk-", "lambda_runtime"]),
    ("functions", &["aws-sdk-", "aws-smithy-", "aws-config", "aws-credential-types"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked", "--offline"].map(str::to_owned))
        .exec()
        .unwrap()
}

/// The folder of a workspace package, `functions` for each function.
fn folder(package: &Package) -> String {
    let path = package.manifest_path.parent().unwrap().strip_prefix(root()).unwrap();
    let path = path.as_str();
    if path.starts_with("functions/") { "functions".to_owned() } else { path.to_owned() }
}

fn allowed<'a>(list: &'a [(&str, &'a [&str])], folder: &str) -> Option<&'a [&'a str]> {
    list.iter().find(|(name, _)| *name == folder).map(|(_, allowed)| *allowed)
}

#[test]
fn our_crates_know_only_whom_they_may() {
    let metadata = metadata();
    let ours: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let folder = folder(package);
        let Some(may) = allowed(MAY_USE, &folder) else {
            wrong.push(format!("{folder} is in no list"));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let forbidden = match dependency.kind {
                // Whatever is not shipped; but a function's tests drive no other function.
                DependencyKind::Development => {
                    folder == "functions" && ours.contains(name) && !name.starts_with("belfry-")
                }
                _ => ours.contains(name) && !may.contains(&name),
            };
            if forbidden {
                wrong.push(format!("{} uses {name}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn our_crates_use_no_library_that_is_not_theirs_to_use() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(forbidden) = allowed(MAY_NOT_USE, &folder(package)) else { continue };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if dependency.kind != DependencyKind::Development
                && forbidden.iter().any(|beginning| name.starts_with(beginning))
            {
                wrong.push(format!("{} uses {name}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Everything that is shipped, with its versions: what `cargo tree` says of the functions and the
/// operator's tool. (Cargo.lock and `cargo metadata` also list what no feature switches on.)
fn shipped() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let shipped = packages.iter().filter(|p| ["functions", "infra/cli"].contains(&&*folder(p)));
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none"])
        .args(["--target=x86_64-unknown-linux-gnu", "--format={p}"])
        .args(shipped.map(|package| format!("--package={}", package.name)))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut versions = BTreeMap::<_, BTreeSet<_>>::new();
    for line in text.lines() {
        if let [name, version, ..] = line.split(' ').collect::<Vec<_>>()[..] {
            versions.entry(name.to_owned()).or_default().insert(version.to_owned());
        }
    }
    versions
}

#[test]
fn there_is_one_tls_and_signature_library() {
    let versions = shipped();
    let others = [
        "ring",
        "openssl",
        "openssl-sys",
        "native-tls",
        "boring",
        "mbedtls",
        "rustls-graviola",
        "p256",
        "rsa",
        "ed25519-dalek",
        "graviola",
    ];
    let found: Vec<_> = others.iter().filter(|name| versions.contains_key(**name)).collect();
    assert!(found.is_empty(), "beside aws-lc there is {found:?}");
    for once in ["aws-lc-rs", "aws-lc-sys", "rustls", "tokio-rustls", "hyper", "http"] {
        assert_eq!(versions[once].len(), 1, "{once}: {:?}", versions[once]);
    }
}

#[test]
fn a_composition_root_fits_on_a_page() {
    let mut functions = 0;
    for entry in fs::read_dir(root().join("functions")).unwrap() {
        let path = entry.unwrap().path().join("src/main.rs");
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 45, "{} has {lines} lines", path.display());
        functions += 1;
    }
    assert!(functions >= 7);
}

#[test]
fn versions_stand_in_the_workspace_only() {
    for package in metadata().workspace_packages() {
        let text = fs::read_to_string(&package.manifest_path).unwrap();
        let dependencies = text.lines().skip_while(|line| !line.contains("dependencies]"));
        for line in dependencies.filter(|line| line.contains('=')) {
            let inherited = line.contains("workspace = true");
            let other = line.contains("path =")
                || ["name =", "test =", "harness =", "[", "default ="]
                    .iter()
                    .any(|beginning| line.starts_with(beginning));
            assert!(inherited || other, "{}: {line}", package.name);
        }
    }
}
