"""Reports of real runs, read by programs that are not ours.

    python -m unittest test_formats        (LOADTESTER: the program; target/release/loadtester)

Needs what requirements.txt lists, and xmllint. The plain rules of each format are tested in Rust; this is about
whether others can read them.
"""

import csv
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import jsonschema
import junitparser
import yaml
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = os.environ.get("LOADTESTER", str(ROOT / "target/release/loadtester"))
# Bounds and precision of every histogram of ours: 100 ns to an hour, three digits.
LOWEST_NS, HIGHEST_NS, DIGITS = 100, 3_600_000_000_000, 3

PLAN = """
plan: Formats, "read" & <written>
base_url: http://{target}
load: {{ rate: 300/s, duration: 3s }}
scenarios:
  - {{ name: Get users, weight: 2, path: /v1/users }}
  - {{ name: Slow, path: /slow?ms=5 }}
thresholds:
  - error_rate < 1%
  - "Slow: p95 < 1ms"
"""


class Reports(unittest.TestCase):
    """One run with a threshold that fails, and one that is held against it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.target = subprocess.Popen([PROGRAM, "--role", "target"], stdout=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.target.stdout.close)
        cls.addClassCleanup(cls.target.wait)
        cls.addClassCleanup(cls.target.terminate)
        address = cls.target.stdout.readline().split("http://")[1].strip()
        cls.at("plan.yaml").write_text(PLAN.format(target=address))
        cls.first = cls.run_plan("first")
        cls.again = cls.run_plan("again", "--baseline", cls.at("first.json"))

    @classmethod
    def at(cls, name):
        return pathlib.Path(cls.folder.name) / name

    @classmethod
    def run_plan(cls, name, *flags):
        reports = [arg for ext in ("json", "xml", "csv", "hlog", "html") for arg in ("--report", cls.at(f"{name}.{ext}"))]
        command = [PROGRAM, "--plan", cls.at("plan.yaml"), "--no-listen", "--quiet", *reports, *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def report(self, name):
        return json.loads(self.at(f"{name}.json").read_text())

    def test_json_is_what_its_published_schema_says(self):
        schema = json.loads(subprocess.check_output([PROGRAM, "--report-schema"]))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        for name in ("first", "again"):
            self.assertEqual([error.message for error in validator.iter_errors(self.report(name))], [])
        # And the schema holds something: a report with a wrong type, or without a key, is none.
        for spoil in (lambda r: r["totals"].update(due="many"), lambda r: r.pop("response_time")):
            report = self.report("first")
            spoil(report)
            self.assertFalse(validator.is_valid(report))

    def test_plans_are_what_their_published_schema_says(self):
        schema = json.loads(subprocess.check_output([PROGRAM, "--schema"]))
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        plans = sorted((ROOT / "deploy/examples").glob("*.yaml"))
        self.assertGreaterEqual(len(plans), 4)
        for path in plans:
            plan = yaml.safe_load(path.read_text())
            self.assertEqual([error.message for error in validator.iter_errors(plan)], [], path)
            named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
            self.assertEqual(json.loads((path.parent / named[1]).read_text()), schema, path)

    def test_junit_is_valid_and_names_what_failed_and_by_how_much(self):
        for name in ("first", "again"):
            path = self.at(f"{name}.xml")
            checked = subprocess.run(
                ["xmllint", "--noout", "--schema", HERE / "junit.xsd", path], capture_output=True, text=True
            )
            self.assertEqual(checked.returncode, 0, checked.stderr)
        suites = junitparser.JUnitXml.fromfile(str(self.at("first.xml")))
        (suite,) = suites
        self.assertEqual(suite.name, 'Formats, "read" & <written>')
        cases = {(case.classname, case.name): case.result for case in suite}
        self.assertEqual(suite.tests, len(cases))
        self.assertEqual(suite.failures, 1)
        (missed,) = cases["loadtester.thresholds", "Slow: p95 < 1ms"]
        self.assertIsInstance(missed, junitparser.Failure)
        self.assertRegex(missed.message, r"^[\d.]+ ms, limit [\d.]+ ms, missed by [\d.]+ ms$")
        self.assertEqual(cases["loadtester.thresholds", "error_rate < 1%"], [])
        for scenario in ("Get users", "Slow"):
            self.assertEqual(cases["loadtester.scenarios", scenario], [])
        self.assertEqual(self.first.returncode, 1, self.first.stdout)
        self.assertTrue(self.first.stdout.startswith("FAILED: 1 of 3 thresholds"), self.first.stdout)
        (compared,) = junitparser.JUnitXml.fromfile(str(self.at("again.xml")))
        self.assertIn("loadtester.baseline", {case.classname for case in compared})

    def test_the_log_of_intervals_adds_up_to_the_run(self):
        whole, tags = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS), set()
        reader = HistogramLogReader(str(self.at("first.hlog")), HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
        while (interval := reader.get_next_interval_histogram()) is not None:
            tag = interval.get_tag()
            tags.add(tag)
            if tag is None:
                whole.add(interval)
        reader.close()
        told = self.report("first")["response_time"]
        self.assertEqual(len(tags), 3, tags)
        self.assertEqual(whole.get_total_count(), told["count"])
        for key, percentile in (("p50", 50), ("p90", 90), ("p95", 95)):
            self.assertAlmostEqual(whole.get_value_at_percentile(percentile) / 1e9, told[key], delta=told[key] * 2e-3)

    def test_the_histogram_in_the_report_is_one_of_hdrhistogram(self):
        report = self.report("first")
        read = HdrHistogram.decode(report["histograms"]["response_time"])
        self.assertEqual(read.get_total_count(), report["response_time"]["count"])
        p95 = report["response_time"]["p95"]
        self.assertAlmostEqual(read.get_value_at_percentile(95) / 1e9, p95, delta=p95 * 2e-3)

    def test_the_timeline_is_a_table(self):
        with open(self.at("first.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        totals = self.report("first")["totals"]
        self.assertEqual(sum(int(row["completed"]) for row in rows), totals["completed"])
        # What was answered while the run waited for the last may have a row of its own.
        self.assertEqual([float(row["t"]) for row in rows][:3], [1.0, 2.0, 3.0])

    def test_the_page_opens_in_a_browser(self):
        pages = ROOT / "tests/browser"
        if not (pages / "node_modules").is_dir():
            self.skipTest("run npm ci in tests/browser")
        shots = os.environ.get("SCREENSHOTS", self.at("shots"))
        opened = subprocess.run(
            ["node", pages / "report.mjs", self.at("again.html"), shots], capture_output=True, text=True, timeout=120
        )
        self.assertEqual(opened.returncode, 0, opened.stdout + opened.stderr)
        self.assertIn("Against the baseline", self.at("again.html").read_text())


if __name__ == "__main__":
    unittest.main()
