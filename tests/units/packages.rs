//! The packages that `packaging/build` has left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::error::HarnessError;

use super::machine::{repository, said, succeeded};

/// Where they are.
pub(crate) fn directory() -> PathBuf {
    repository().join("packaging/out").canonicalize().expect("run packaging/build first")
}

/// The only package of this kind: "deb" or "rpm".
pub(crate) fn only(kind: &str) -> PathBuf {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|other| other == kind)).collect();
    assert_eq!(found.len(), 1, "packaging/build leaves exactly one {kind}: {found:?}");
    found[0].clone()
}

/// The name that a package has inside a machine.
pub(crate) fn inside(package: &Path) -> String {
    format!("/packages/{}", package.file_name().unwrap().to_str().unwrap())
}

/// The deb once more, as a later version. Gives its place.
pub(crate) fn later_deb(work: &Path) -> Result<PathBuf, HarnessError> {
    let (tree, later) = (work.join("tree"), work.join("later.deb"));
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--raw-extract").arg(only("deb")).arg(&tree);
    said("dpkg-deb", &mut unpack).and_then(|said| succeeded("dpkg-deb", said))?;
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).map_err(HarnessError::io("read control"))?;
    let text: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("Version: ") {
            Some(version) => format!("Version: {version}+later"),
            None => line.to_owned(),
        })
        .collect();
    fs::write(&control, text.join("\n") + "\n").map_err(HarnessError::io("write control"))?;
    let mut pack = Command::new("dpkg-deb");
    pack.args(["-Zgzip", "-z1", "--root-owner-group", "--build"]).arg(&tree).arg(&later);
    said("dpkg-deb", &mut pack).and_then(|said| succeeded("dpkg-deb", said))?;
    Ok(later)
}
