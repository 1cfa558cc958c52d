"""The man page, read by mandoc and by man.

    python -m unittest test_man    (LOADTESTER: the program; target/release/loadtester)
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("LOADTESTER", str(ROOT / "target/release/loadtester"))


class ManPage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "loadtester.1"
        self.path.write_bytes(subprocess.check_output([PROGRAM, "--man"]))

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc here")
    def test_mandoc_finds_nothing_to_warn_of(self):
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", self.path], capture_output=True, text=True)
        # A page that is made from the program has no date of its own.
        found = [line for line in (lint.stdout + lint.stderr).splitlines() if "missing date" not in line]
        self.assertEqual(found, [])

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_man_shows_it_without_a_warning(self):
        environment = {**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
        shown = subprocess.run(
            ["man", "--warnings", "-l", self.path], capture_output=True, text=True, env=environment
        )
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertIn("EXIT STATUS", shown.stdout)


if __name__ == "__main__":
    unittest.main()
