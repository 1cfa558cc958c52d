"""The Debian package: what is in it, and that it comes and goes without a trace.

    python3 -m unittest test_deb    (as root; it installs and removes the package on this machine)
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

from support import PROGRAM, ROOT, programs, require, run, version

BASH = "/usr/share/bash-completion/completions/loadtester"
ZSH = "/usr/share/zsh/vendor-completions/_loadtester"
FISH = "/usr/share/fish/vendor_completions.d/loadtester.fish"
MAN = "/usr/share/man/man1/loadtester.1.gz"
DOC = "/usr/share/doc/loadtester"


def installed():
    return subprocess.run(["dpkg-query", "-W", "loadtester"], capture_output=True).returncode == 0


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        require(root=os.geteuid() == 0, **programs("dpkg", "dpkg-shlibdeps", "cargo-deb", "strip", "mandoc", "zsh", "fish"))
        if installed() or os.path.exists("/usr/bin/loadtester"):
            raise AssertionError("this machine has loadtester installed already; the test would remove it")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        run("deploy/debian/build.sh", "--quiet", "--output", folder.name + "/")
        (cls.package,) = pathlib.Path(folder.name).glob("*.deb")
        listing = run("dpkg-deb", "--contents", cls.package).splitlines()
        names = [line.split(maxsplit=5)[5].removeprefix(".") for line in listing]
        cls.files = [name for name in names if not name.endswith("/")]
        cls.before = [name for name in names if os.path.lexists(name)]
        cls.addClassCleanup(run, "dpkg", "--purge", "loadtester")
        # Slim images leave out documents; what is tested is the package.
        run("dpkg", "--path-include=*", "--install", cls.package)

    def test_it_holds_these_files_and_no_others(self):
        documents = ["changelog.Debian.gz", "changelog.gz", "copyright", "third-party-licenses.txt.gz"]
        expected = ["/usr/bin/loadtester", BASH, FISH, MAN, ZSH, *(f"{DOC}/{name}" for name in documents)]
        self.assertEqual(sorted(self.files), sorted(expected))
        for file in self.files:
            self.assertTrue(os.path.isfile(file), f"{file} is not installed")

    def test_its_fields_are_those_of_the_program(self):
        fields = run("dpkg-deb", "--show", "--showformat=${Version} ${Architecture} ${Depends}", self.package)
        self.assertRegex(fields, rf"^{version()}-1 (amd64|arm64) libc6 \(>= 2\.\d+\)$")

    def test_the_program_runs(self):
        self.assertEqual(run("/usr/bin/loadtester", "--version", cwd="/"), run(PROGRAM, "--version"))
        run("/usr/bin/loadtester", "--demo", "-d", "300ms", "--no-listen", cwd="/")

    def test_mandoc_finds_nothing_in_the_man_page(self):
        lint = subprocess.run(["mandoc", "-Tlint", MAN], capture_output=True, text=True)
        self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, ""))
        # As the program prints it, but for the date and where lines break.
        words = run("zcat", MAN).replace("\\&.", ".").split()
        self.assertRegex(words.pop(3), r'^"\d{4}-\d\d-\d\d"$')
        printed = run(PROGRAM, "--man").split()
        self.assertEqual(printed.pop(3), '""')
        self.assertEqual(words, printed)

    def test_each_shell_finds_its_completions(self):
        bash = run("bash", "--norc", "-c", f"source {BASH}; complete -p loadtester")
        self.assertIn("loadtester", bash)
        zsh = run("zsh", "-f", "-c", "autoload -Uz compinit; compinit -u -D; print $_comps[loadtester]")
        self.assertEqual(zsh.strip(), "_loadtester")
        # Not --no-config: that would leave out what packages bring. A home without a configuration.
        with tempfile.TemporaryDirectory() as home:
            clean = {"HOME": home, "PATH": os.environ["PATH"]}
            fish = run("fish", "-c", "complete -C 'loadtester --timest'", env=clean)
        self.assertEqual(fish.split("\t")[0].strip(), "--timestamps")

    def test_documents_are_what_debian_asks_for(self):
        copyright = pathlib.Path(DOC, "copyright").read_text()
        self.assertIn("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", copyright)
        self.assertIn("License: MIT", copyright)
        debian = run("zcat", f"{DOC}/changelog.Debian.gz")
        self.assertTrue(debian.startswith(f"loadtester ({version()}-1) "), debian)
        self.assertEqual(run("zcat", f"{DOC}/changelog.gz"), (ROOT / "CHANGELOG.md").read_text())
        licenses = run("zcat", f"{DOC}/third-party-licenses.txt.gz")
        for crate in ["rustls", "ring", "tiny_http"]:
            self.assertRegex(licenses, rf"(?m)^{crate} [\d.]+: .")
        self.assertNotRegex(licenses, r"(?m)^proptest ")

    def test_what_is_removed_leaves_nothing(self):
        self.addCleanup(run, "dpkg", "--path-include=*", "--install", self.package)
        run("dpkg", "--purge", "loadtester")
        self.assertFalse(installed())
        for file in self.files:
            self.assertFalse(os.path.lexists(file), f"{file} stayed")
        self.assertFalse(os.path.lexists(DOC))
        for name in self.before:
            self.assertTrue(os.path.lexists(name), f"{name} was there before and is gone")


if __name__ == "__main__":
    unittest.main()
