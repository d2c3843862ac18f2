#!/usr/bin/env python3
"""Writes the licence files of the packages: ours in Debian's form, and those of all crates in the programs."""

import argparse
import json
import pathlib
import subprocess

PROGRAMS = ("proxyd", "clusterd")
NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT", "UNLICENSE")


def shipped():
    """The packages that go into the programs: normal dependencies, on Linux, of both daemons."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    command += ["--filter-platform", "x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    todo = [ident for ident, package in packages.items() if package["name"] in PROGRAMS]
    found = set()
    while todo:
        ident = todo.pop()
        if ident in found:
            continue
        found.add(ident)
        for dep in nodes[ident]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    strangers = [packages[ident] for ident in found if packages[ident]["source"]]
    return sorted(strangers, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence files of a package, by name."""
    directory = pathlib.Path(package["manifest_path"]).parent
    files = [file for file in sorted(directory.iterdir()) if file.is_file()]
    return [file for file in files if file.name.upper().startswith(NAMES)]


def third_party(path):
    """Each text once, below the packages that it belongs to."""
    owners = {}
    lines = ["The programs contain these packages of others, under the licences that follow.", ""]
    for package in shipped():
        title = f"{package['name']} {package['version']}"
        lines.append(f"{title}: {package['license'] or 'see its licence file'}")
        for file in texts(package):
            text = file.read_text(encoding="utf-8", errors="replace").strip()
            owners.setdefault(text, []).append(title)
    for text, names in owners.items():
        lines += ["", "=" * 78, ", ".join(names), "", text]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def debian_copyright(path):
    """Source: Debian's machine-readable copyright format 1.0."""
    licence = pathlib.Path("LICENSE").read_text(encoding="utf-8")
    mit = licence.split("=" * 78)[1].strip()
    body = "\n".join(f" {line}" if line.strip() else " ." for line in mit.splitlines())
    head = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/",
        "Upstream-Name: composite",
        "Comment: The licences of the packages that are linked into the programs are in",
        " /usr/share/doc/composite/third-party-licences.gz.",
        "",
        "Files: *",
        "Copyright: 2026 The Composite developers",
        "License: Expat or Apache-2.0",
        "",
        "License: Expat",
        body,
        "",
        "License: Apache-2.0",
        " On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.",
        "",
    ]
    path.write_text("\n".join(head), encoding="utf-8")


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copyright", type=pathlib.Path, required=True)
    parser.add_argument("--third-party", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    debian_copyright(arguments.copyright)
    third_party(arguments.third_party)


main()
