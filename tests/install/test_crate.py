"""The crate's own archive holds what a build needs, and builds.

    python3 -m unittest test_crate
"""

import os
import pathlib
import tempfile
import unittest

from support import ROOT, programs, require, run, version

CARGO = ("--offline", "--locked", "--quiet")
# What `cargo package` adds to our files.
GENERATED = {".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig"}
DOCUMENTS = {"CHANGELOG.md", "LICENSE", "README.md"}


class Crate(unittest.TestCase):
    def setUp(self):
        require(**programs("cargo", "git", "tar"))

    def test_it_holds_what_a_build_needs_and_nothing_else(self):
        listed = set(run("cargo", "package", "--list", "--allow-dirty", *CARGO).splitlines())
        self.assertLessEqual(GENERATED | DOCUMENTS, listed)
        others = listed - GENERATED - DOCUMENTS - {"build.rs"}
        self.assertEqual([name for name in sorted(others) if not name.startswith("src/")], [])
        # Nothing that was fetched or generated: all of src as it is in the repository.
        tracked = set(run("git", "ls-files", "--cached", "--others", "--exclude-standard", "src").splitlines())
        self.assertEqual(others, {name for name in tracked if (ROOT / name).exists()})

    def test_it_builds_from_its_archive(self):
        # The dependencies are built already: those of the tests. The program only has to print its version, so it
        # is not optimized.
        plain = ("--config", "profile.dev.package.loadtester.opt-level=0")
        target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
        with tempfile.TemporaryDirectory() as folder:
            run("cargo", "package", "--no-verify", "--allow-dirty", "--target-dir", folder, *CARGO)
            name = f"loadtester-{version()}"
            run("tar", "-xzf", pathlib.Path(folder, "package", f"{name}.crate"), "-C", folder)
            run("cargo", "build", "--target-dir", target, *CARGO, *plain, cwd=pathlib.Path(folder, name))
            self.assertEqual(run(pathlib.Path(target, "debug/loadtester"), "--version"), f"loadtester {version()}\n")


if __name__ == "__main__":
    unittest.main()
