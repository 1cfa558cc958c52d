"""Records a run for `promtool test rules`: record.py PROGRAM > recorded_test.yml.

A demo target answers every tenth request with 500 and is too slow for the plan's connections; the run is killed
before its end. What /metrics said each second becomes the input series, what the alerts must say of it stands below.
"""

import re
import subprocess
import sys
import tempfile
import time
import urllib.request

SECONDS = 30
FAMILIES = re.compile(r"loadtester_(requests_total|dropped_total|threshold_ok|progress_ratio|trustworthy)\b")
PLAN = """
base_url: {target}
load: {{ rate: 50/s, duration: 40s, concurrency: 4, backlog: 10 }}
scenarios:
  - {{ name: Good, path: /slow?ms=100, weight: 9 }}
  - {{ name: Bad, path: /status?code=500 }}
thresholds: [error_rate < 1%]
"""
EXPECTED = """\
    alert_rule_test:
      - {{ eval_time: 8s, alertname: LoadtesterErrors }}
      - eval_time: 28s
        alertname: LoadtesterErrors
        exp_alerts:
          - exp_labels: {{ severity: warning, instance: recorded }}
            exp_annotations:
              summary: "{errors} of the requests fail"
              description: Measured over the last minute on recorded. loadtester_requests_total has them by outcome.
      - eval_time: 28s
        alertname: LoadtesterThresholdFails
        exp_alerts:
          - exp_labels: {{ severity: warning, expression: error_rate < 1%, instance: recorded }}
            exp_annotations:
              summary: Threshold error_rate < 1% fails
              description: If the run on recorded ended now, it would fail.
      - {{ eval_time: 28s, alertname: LoadtesterVanished }}
      - eval_time: 1m25s
        alertname: LoadtesterVanished
        exp_alerts:
          - exp_labels: {{ severity: critical, instance: recorded }}
            exp_annotations:
              summary: The run on recorded disappeared before its end
              description: It was last seen at {progress}.
    promql_expr_test:
      - expr: sum(increase(loadtester_dropped_total[20s])) > bool 0
        eval_time: 28s
        exp_samples: [{{ labels: "{{}}", value: 1 }}]
"""


def first_address(child):
    return re.search(r"http://[\d.]+:\d+", child.stdout.readline()).group()


def scrape(address):
    with urllib.request.urlopen(f"{address}/metrics", timeout=2) as page:
        lines = page.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if FAMILIES.match(line))


def record(program):
    pages = []
    target = subprocess.Popen([program, "--role", "target"], stdout=subprocess.PIPE, text=True)
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as plan:
            plan.write(PLAN.format(target=first_address(target)))
            plan.flush()
            listen = "127.0.0.1:28089"
            run = subprocess.Popen([program, "--plan", plan.name, "--quiet", "--listen", listen],
                                   stdout=subprocess.DEVNULL)
            try:
                time.sleep(0.5)
                begin = time.monotonic()
                for second in range(SECONDS):
                    time.sleep(max(0, begin + second - time.monotonic()))
                    pages.append(scrape(f"http://{listen}"))
            finally:
                run.kill()
                run.wait()
    finally:
        target.terminate()
        target.wait()
    return pages


def main():
    pages = record(sys.argv[1])
    names = dict.fromkeys(name for page in pages for name in page)
    print("# Written by record.py from a real run; `promtool test rules` reads this.")
    print("rule_files: [../../deploy/prometheus/alerts.yml]\nevaluation_interval: 1s\ntests:")
    print("  - name: a recorded run, killed before its end\n    interval: 1s\n    input_series:")
    for name in names:
        values = " ".join(page.get(name, "_") for page in pages)
        labelled = f'{name[:-1]},instance="recorded"}}' if name.endswith("}") else f'{name}{{instance="recorded"}}'
        print(f"      - series: '{labelled}'\n        values: '{values} stale'")
    at = pages[28]
    total = {name: int(value) for name, value in at.items() if name.startswith("loadtester_requests_total")}
    # As the alert reckons it: over what came since the first scrape.
    since = {name: value - int(pages[0].get(name, 0)) for name, value in total.items()}
    bad = sum(value for name, value in since.items() if 'outcome="ok"' not in name)
    print(EXPECTED.format(errors=f"{100 * bad / sum(since.values()):.4g}%",
                          progress=f"{100 * float(pages[25]['loadtester_progress_ratio']):.4g}%"), end="")


if __name__ == "__main__":
    main()
