#!/usr/bin/env python3
"""The licenses of the crates that the program contains, as text.

A binary carries code of its dependencies, and their licenses ask for their texts to go with it. The texts come from the
crates' sources, which cargo has fetched to build them.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMES = ("licen[cs]e*", "LICEN[CS]E*", "COPYING*", "COPYRIGHT*", "NOTICE*", "UNLICENSE*", "LICENSES/*")


def metadata():
    host = next(
        line.split()[1] for line in subprocess.check_output(["rustc", "-vV"], text=True).splitlines() if line.startswith("host:")
    )
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


def contained(data):
    """The ids of the packages whose code is linked: normal dependencies of normal dependencies, no build scripts."""
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    macros = {
        package["id"] for package in data["packages"] if any("proc-macro" in target["kind"] for target in package["targets"])
    }
    root = data["resolve"]["root"]
    found, open_ = set(), [root]
    while open_:
        for dependency in nodes[open_.pop()]["deps"]:
            is_linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_linked and dependency["pkg"] not in found | macros:
                found.add(dependency["pkg"])
                open_.append(dependency["pkg"])
    return found


def texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    files = {file for name in NAMES for file in folder.glob(name) if file.is_file()}
    return [file.read_text(errors="replace").strip() for file in sorted(files)]


def main():
    data = metadata()
    ids = contained(data)
    users = {}
    print("loadtester contains these crates:\n")
    for package in sorted(data["packages"], key=lambda package: (package["name"], package["version"])):
        if package["id"] not in ids:
            continue
        name = f"{package['name']} {package['version']}"
        found = texts(package)
        print(f"{name}: {package['license'] or package['license_file']}{'' if found else ' (its archive holds no text)'}")
        for text in found:
            users.setdefault(text, []).append(name)
    for text, names in users.items():
        print(f"\n{'=' * 80}\n{', '.join(names)}\n{'-' * 80}\n{text}")


if __name__ == "__main__":
    sys.exit(main())
