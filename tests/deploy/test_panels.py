"""Each panel of the Grafana dashboard has something to show of a real run, scraped by a real Prometheus."""

import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

TOP = pathlib.Path(__file__).parents[2]
PROGRAM = os.environ.get("LOADTESTER", TOP / "target/release/loadtester")
PANELS = json.loads((TOP / "deploy/grafana/loadtester.json").read_text())["panels"]
RATE = 200
PLAN = """
base_url: {target}
load: {{ rate: %d/s, duration: 5m, concurrency: 20, requests_per_connection: 50 }}
scenarios:
  - {{ name: Good, path: /v1/users, weight: 8 }}
  - {{ name: Moved, path: /status?code=302, weight: 1 }}
  - {{ name: Broken, path: /status?code=500, weight: 1 }}
thresholds: [error_rate < 50%%, p99 < 10s]
""" % RATE
CONFIG = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: loadtester
    static_configs:
      - {{ targets: ['{coordinator}'], labels: {{ instance: coordinator, role: coordinator }} }}
      - {{ targets: ['{worker}'], labels: {{ instance: worker, role: worker }} }}
"""
# Over so long a rate is taken; Grafana takes four scrapes.
WINDOW_S = 5


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Panels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.room.cleanup)
        room = pathlib.Path(cls.room.name)
        cls.address, worker, coordinator = (f"127.0.0.1:{free_port()}" for _ in range(3))
        target = cls.start([PROGRAM, "--role", "target"], stdout=subprocess.PIPE, text=True)
        base_url = re.search(r"http://[\d.]+:\d+", target.stdout.readline()).group()
        (room / "plan.yaml").write_text(PLAN.format(target=base_url))
        (room / "prometheus.yml").write_text(CONFIG.format(coordinator=coordinator, worker=worker))
        cls.start([PROGRAM, "--role", "coordinator", "--plan", room / "plan.yaml", "--listen", coordinator, "--quiet"])
        cls.start([PROGRAM, "--role", "worker", "--coordinator", f"http://{coordinator}", "--listen", worker, "--quiet"])
        cls.start(["prometheus", f"--config.file={room}/prometheus.yml", f"--storage.tsdb.path={room}/data",
                   f"--web.listen-address={cls.address}"])
        cls.wait_for_load()

    @classmethod
    def start(cls, command, **options):
        child = subprocess.Popen(list(map(str, command)),
                                 **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options})

        def end():
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()

        cls.addClassCleanup(end)
        return child

    @classmethod
    def query(cls, expression):
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{cls.address}/api/v1/query?{query}", timeout=5) as answer:
            return json.load(answer)["data"]["result"]

    @classmethod
    def wait_for_load(cls):
        until = time.monotonic() + 60
        both = f"count(min by (instance) (count_over_time(loadtester_requests_total[1m])) > {WINDOW_S}) == 2"
        while time.monotonic() < until:
            try:
                if cls.query(both):
                    return
            except OSError:
                pass
            time.sleep(0.5)
        raise AssertionError("no load was scraped")

    def values(self, expression, instance):
        filled = expression.replace("$__rate_interval", f"{WINDOW_S}s").replace("$instance", instance)
        return self.query(filled)

    def test_each_panel_shows_something_of_a_coordinator(self):
        for panel in PANELS:
            for target in panel["targets"]:
                with self.subTest(panel["title"], expression=target["expr"]):
                    result = self.values(target["expr"], "coordinator")
                    self.assertTrue(result, "no data")
                    self.assertTrue(all(sample["value"][1] not in ("NaN", "+Inf") for sample in result), result)
                    # What a legend names is there, or it would show nothing for it.
                    for label in re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat") or ""):
                        self.assertTrue(all(label in sample["metric"] for sample in result), f"{label}: {result}")

    def test_a_worker_shows_all_but_what_only_a_coordinator_has(self):
        empty = {panel["title"] for panel in PANELS for target in panel["targets"]
                 if not self.values(target["expr"], "worker")}
        self.assertLessEqual(empty, {"Thresholds hold", "Workers lost", "Workers by state"})

    def test_the_figures_are_those_of_the_run(self):
        panels = {panel["title"]: panel["targets"] for panel in PANELS}
        one = lambda title: float(self.values(panels[title][0]["expr"], "coordinator")[0]["value"][1])
        # Nine in ten end well; what else this machine does may move requests by a window.
        self.assertAlmostEqual(one("Achieved"), 0.9 * RATE, delta=0.06 * RATE)
        self.assertAlmostEqual(one("Failed"), 0.1, delta=0.03)
        self.assertAlmostEqual(one("Rate: asked and achieved"), RATE, delta=1)
        codes = {sample["metric"]["code"] for sample in self.values(panels["Status codes"][0]["expr"], "coordinator")}
        self.assertEqual(codes, {"200", "302", "500"})


if __name__ == "__main__":
    unittest.main()
