"""One process in a pod of the chart, as podman runs it: a real image, real limits, real names.

    LOADTESTER=target/release/loadtester python -m unittest test_pods
"""

import json
import re
import unittest

import chart
from chart import CHART, TOP
from pods import IMAGE, PROGRAM, Played, plan, rendered, run, wait_for


class Alone(Played):
    def test_image_is_small_labelled_and_runs_as_nobody_in_particular(self):
        image = json.loads(self.stage.podman("image", "inspect", IMAGE).stdout)[0]
        config = image["Config"]
        told = int(re.search(r"nothing else: (\d+) MB", (TOP / "docs/kubernetes.md").read_text())[1])
        self.assertLess(abs(image["Size"] / 1e6 - told), 1.5, "docs/kubernetes.md says another size")
        self.assertEqual(config["User"], "65532:65532")
        self.assertNotIn("Healthcheck", config)
        self.assertEqual({label.rpartition(".")[2] for label in config["Labels"]} & {
            "title", "description", "licenses", "version", "revision", "created"},
            {"title", "description", "licenses", "version", "revision", "created"})
        print(f"image: {image['Size'] / 1e6:.1f} MB")

    def test_the_plans_of_examples_are_valid(self):
        for example in sorted((CHART / "examples").glob("*.yaml")):
            text = chart.load_all(example.read_text())[0]["plan"]
            checked = run(PROGRAM, "--plan", "-", "--check", input=text, check=False)
            self.assertNotEqual(checked.returncode, 2, f"{example.name}: {checked.stderr}")

    def test_the_test_hook_passes(self):
        pods, _ = rendered({}, hooks=True)
        pod, = (pod for pod in pods if pod["metadata"]["name"].endswith("-test"))
        self.stage.play(pod)
        self.assertEqual(self.stage.await_exit("lt-loadtester-test"), 0, self.stage.logs("lt-loadtester-test"))

    def test_a_pod_has_its_limits_and_no_rights(self):
        if not self.stage.limits_hold:
            self.skipTest("skipped because no CPU limit holds on this machine")
        text = plan({"rate": "1/s", "duration": "60s"})
        self.start({"mode": "cron", "plan": text})
        container = self.stage.container("lt-loadtester")
        seen = self.stage.podman("exec", container, "/usr/bin/loadtester", "http://127.0.0.1:1/", "--check").stdout
        self.assertRegex(seen, r"threads +1, .*quota 1 CPU")
        self.assertRegex(seen, r"memory .* of 2[45]\d MiB")
        about = json.loads(self.stage.podman("inspect", container).stdout)[0]
        self.assertTrue(about["HostConfig"]["ReadonlyRootfs"])
        self.assertEqual(about["EffectiveCaps"] or [], [])
        self.assertEqual(self.stage.podman("top", container, "user", "seccomp").stdout.split(),
                         ["USER", "SECCOMP", "loadtester", "filter"])

    def test_a_cron_run_compares_with_its_baseline_and_lingers_for_a_scrape(self):
        def values(ms, **cron):
            text = plan({"rate": "50/s", "duration": "4s"}, [{"name": "Slow", "path": f"/slow?ms={ms}"}],
                        thresholds=["error_rate < 5%"])
            return {"mode": "cron", "plan": text, "cron": cron, "coordinator": {"reports": {"formats": ["json"]}}}
        tokens = self.start(values(10, linger="30s", extraArgs=["--report=-"]))
        name = "lt-loadtester"
        wait_for("the probe's page", lambda: self.stage.fetch(name, 8089, "/healthz")[0] == 200)
        wait_for("the end", lambda: self.status(name, 8089, tokens["operator"]).get("state") == "finished")
        with self.stage.prometheus([("standalone", name, 8089)], lambda role: tokens["operator"]) as query:
            wait_for("a scrape after the end", lambda: query('sum(loadtester_requests_total{role="standalone"})') == 200)
        # Enough of lingering.
        self.stage.podman("kill", "--signal", "TERM", self.stage.container(name))
        self.assertEqual(self.stage.await_exit(name), 0, self.stage.logs(name))
        # As the example of the chart reads it from the log.
        baseline = json.loads(run("sed", "-n", "/^{/,/^}/p", input=self.stage.logs(name)).stdout)
        self.assertEqual(baseline["totals"], self.stage.report(name)["totals"])
        self.stage.clear()
        # The next one finds a target that takes five times as long.
        known = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "known-good"},
                 "data": {"baseline.json": json.dumps(baseline)}}
        slower = values(50, linger="0s", extraArgs=["--baseline-any-plan"])
        self.start({**slower, "baseline": {"configMap": "known-good"}}, known)
        code = self.stage.await_exit(name)
        # A machine that was too busy for a verdict says so; none calls this good.
        self.assertIn((code, self.stage.report(name)["verdict"]), [(1, "failed"), (4, "inconclusive")])
        self.assertRegex(self.stage.logs(name), r"all +p50 .* -> 5\d")


if __name__ == "__main__":
    unittest.main()
