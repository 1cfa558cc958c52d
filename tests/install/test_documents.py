"""The index of decisions agrees with the records, and what documents refer to is there.

    python3 -m unittest test_documents
"""

import datetime
import pathlib
import re
import subprocess
import unittest

from support import ROOT

RECORDS = sorted((ROOT / "docs/decisions").glob("*.md"))
ROW = re.compile(r"^\| \[(\d+)\]\(docs/decisions/(.+?)\) \| (.+) \| (.+) \| (.+) \|$", re.M)
DOCUMENTS = [
    ROOT / name for name in ["DECISION.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/install.md"]
] + RECORDS


def number(path):
    return int(path.name[:4])


def text_without_code(path):
    return re.sub(r"(?ms)^```.*?^```", "", path.read_text())


class Decisions(unittest.TestCase):
    def test_they_are_numbered_without_a_gap(self):
        self.assertEqual([number(path) for path in RECORDS], list(range(1, len(RECORDS) + 1)))

    def test_the_index_has_each_with_title_date_and_status(self):
        rows = ROW.findall((ROOT / "DECISION.md").read_text())
        expected = []
        for path in RECORDS:
            text = path.read_text()
            title = re.match(r"# (\d+)\. (.+)\n", text)
            self.assertIsNotNone(title, path)
            self.assertEqual(int(title[1]), number(path))
            date = re.search(r"^- Date: (.+)$", text, re.M)[1]
            datetime.date.fromisoformat(date)
            status = re.search(r"^- Status: (.+)$", text, re.M)[1]
            # In the index a number stands for the link.
            plain = re.sub(r"\[0*(\d+)\]\(.+?\)", r"\1", status)
            expected.append((str(number(path)), path.name, title[2], date, plain))
        self.assertEqual(rows, expected)

    def test_a_record_that_supersedes_another_is_named_by_it(self):
        statuses = {number(path): re.search(r"^- Status: (.+)$", path.read_text(), re.M)[1] for path in RECORDS}
        for path in RECORDS:
            for old in re.findall(r"^- Supersedes: \[(\d+)\]", path.read_text(), re.M):
                self.assertIn(f"superseded by [{number(path):04}]", statuses[int(old)])

    def test_each_has_context_decision_and_consequences(self):
        for path in RECORDS:
            headings = re.findall(r"^## (.+)$", path.read_text(), re.M)
            with self.subTest(path.name):
                self.assertEqual([h for h in headings if h in ("Context", "Decision", "Consequences")],
                                 ["Context", "Decision", "Consequences"])

    def test_the_code_refers_to_records_that_exist(self):
        files = subprocess.check_output(["git", "ls-files", "-z", "*.rs", "*.toml", "*.md", "*.yaml", "*.yml", "*.py", "*.sh"],
                                        cwd=ROOT, text=True).split("\0")
        for name in filter(None, files):
            if not (ROOT / name).is_file():
                continue
            for found in re.findall(r"\bdecision (\d+)\b", (ROOT / name).read_text()):
                self.assertIn(int(found), range(1, len(RECORDS) + 1), f"{name} refers to decision {found}")


class References(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for path in DOCUMENTS:
            for target in re.findall(r"\]\(([^)\s]+)\)", text_without_code(path)):
                if target.startswith(("http://", "https://", "#")) or "…" in target:
                    continue
                with self.subTest(f"{path.name}: {target}"):
                    self.assertTrue((path.parent / target.split("#")[0]).exists())

    def test_files_in_code_font_exist(self):
        for path in DOCUMENTS:
            for name in re.findall(r"`((?:src|tests|deploy|docs|\.github)/[\w./-]+)`", path.read_text()):
                with self.subTest(f"{path.name}: {name}"):
                    self.assertTrue((ROOT / name).exists())


class Changelog(unittest.TestCase):
    def test_it_begins_with_what_is_unreleased_and_knows_the_version(self):
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
        headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
        self.assertEqual(headings[0], "[Unreleased]")
        self.assertRegex(headings[1], rf"^\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$")


if __name__ == "__main__":
    unittest.main()
