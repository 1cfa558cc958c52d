"""Alerts and dashboard ask only for metrics that the program exports, and mean what they say."""

import json
import re
import subprocess
import tempfile
import unittest

import chart
from chart import TOP

RULES = TOP / "deploy/prometheus/alerts.yml"
DASHBOARD = TOP / "deploy/grafana/loadtester.json"
GOLDEN = (TOP / "tests/it/metrics.golden.txt").read_text()
SOURCES = "".join(path.read_text() for path in (TOP / "src").rglob("*.rs"))
SAMPLE = re.compile(r"^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", re.M)


def exported():
    """Family to its labels: from the page the golden test holds; the rest from the program's text."""
    families = {name: set() for name in re.findall(r"^# TYPE (\w+)", GOLDEN, re.M)}
    for name, labels in SAMPLE.findall(GOLDEN):
        family = name if name in families else next(f for f in families if name.startswith(f))
        families[family] |= set(re.findall(r'(\w+)="', labels))
    families.setdefault("loadtester_threshold_ok", {"expression"})
    families.setdefault("loadtester_workers", {"state"})
    for name in families:
        assert f'"{name}"' in SOURCES, f"{name} is not in the program"
    return families


FAMILIES = exported()
# What a scrape adds, and the chart's PodMonitors.
ADDED = {"instance", "job", "role"}


def unknown(expression):
    """Metrics and labels of a PromQL expression that nothing exports."""
    for name, selector in re.findall(r"\b(loadtester_\w+)(?:\{([^}]*)\})?", expression):
        family = name if name in FAMILIES else re.sub(r"_(bucket|sum|count)$", "", name)
        if family not in FAMILIES:
            yield name
            continue
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            if label not in FAMILIES[family] | ADDED:
                yield f"{name}: {label}"


def expressions_of_dashboard():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def as_promql(expression):
    """Grafana's variables filled in."""
    return expression.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$role", ".*")


def promtool(*args):
    done = subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Metrics(unittest.TestCase):
    def test_alerts_ask_for_what_is_exported(self):
        rules = chart.load_all(RULES.read_text())[0]["groups"][0]["rules"]
        asked = "".join(rule["expr"] for rule in rules)
        self.assertEqual(list(unknown(asked)), [])
        for rule in rules:
            for label in re.findall(r"\$labels\.(\w+)", str(rule["annotations"])):
                self.assertIn(label, {*ADDED, *(label for labels in FAMILIES.values() for label in labels)})

    def test_the_dashboard_asks_for_what_is_exported(self):
        for expression in expressions_of_dashboard():
            self.assertEqual(list(unknown(expression)), [], expression)

    def test_this_check_refuses_what_is_not_exported(self):
        asked = 'rate(loadtester_request_total[1m]) + loadtester_responses_total{status="200"} + loadtester_slip_seconds_sum'
        self.assertEqual(list(unknown(asked)), ["loadtester_request_total", "loadtester_responses_total: status"])

    def test_dashboard_queries_are_promql(self):
        queries = [as_promql(e) for e in expressions_of_dashboard() if not e.startswith("label_values")]
        rules = [{"record": f"panel:{i}", "expr": query} for i, query in enumerate(queries)]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            promtool("check", "rules", file.name)

    def test_panels_neither_overlap_nor_share_an_id(self):
        panels = json.loads(DASHBOARD.read_text())["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        cells = [(x, y) for p in panels for g in [p["gridPos"]]
                 for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertTrue(all(x < 24 for x, _ in cells))

    def test_rules_are_valid_and_fire_when_they_should(self):
        promtool("check", "rules", RULES)
        promtool("test", "rules", TOP / "tests/deploy/alerts_test.yml")
        promtool("test", "rules", TOP / "tests/deploy/recorded_test.yml")


if __name__ == "__main__":
    unittest.main()
