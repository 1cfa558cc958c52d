"""The GitHub Action: its steps run as the runner would run them, against a release that is served here.

    python3 -m unittest test_action    (LOADTESTER: the program; target/release/loadtester)
"""

import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import platform
import re
import subprocess
import tempfile
import threading
import unittest
import unittest.mock

import yaml

from support import PROGRAM, ROOT, programs, require, run, version

FOLDER = ROOT / "deploy/github-action"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text())
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
REPOSITORY = "someone/loadtester"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Runner:
    """As much of a job's runner as the two steps see of it."""

    def __init__(self, folder, server="http://127.0.0.1:9"):
        self.folder = pathlib.Path(folder)
        self.files = {name: self.folder / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for file in self.files.values():
            file.touch()
        self.server = server
        self.outputs = {}

    def expression(self, text, inputs):
        def value(found):
            for name in found[1].split("||"):
                space, key = name.strip().split(".", 1)
                result = {
                    "inputs": lambda: inputs[key],
                    "github": lambda: {"action_path": str(FOLDER), "action_repository": REPOSITORY}[key],
                    "steps": lambda: self.outputs[re.fullmatch(r"\w+\.outputs\.([\w-]+)", key)[1]],
                }[space]()
                if result:
                    return result
            return ""

        return re.sub(r"\$\{\{(.+?)\}\}", value, text)

    def step(self, name, **given):
        """Run a step; its exit code and what it printed."""
        inputs = {key: value["default"] for key, value in ACTION["inputs"].items()}
        inputs |= {key.replace("_", "-"): value for key, value in given.items()}
        step = STEPS[name]
        environment = {
            **os.environ,
            **{key: str(path) for key, path in self.files.items()},
            **{key: self.expression(value, inputs) for key, value in step["env"].items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_SERVER_URL": self.server,
            "RUNNER_TEMP": str(self.folder / "temp"),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            capture_output=True, text=True, env=environment, cwd=self.folder,
        )
        for line in self.files["GITHUB_OUTPUT"].read_text().splitlines():
            key, value = line.split("=", 1)
            self.outputs[key] = value
        return done.returncode, done.stdout + done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        require(**programs("bash", "curl", "sha256sum", "xargs"), loadtester=PROGRAM.exists())
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class Install(Case):
    @classmethod
    def setUpClass(cls):
        require(**programs("strip"), loadtester=PROGRAM.exists())
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.site = pathlib.Path(folder.name)
        cls.release = cls.site / REPOSITORY / "releases/download" / f"v{version()}"
        cls.target = f"{platform.machine()}-unknown-linux-musl"
        run("deploy/archive.sh", PROGRAM, cls.target, cls.release)
        (cls.archive,) = cls.release.glob("*.tar.gz")
        cls.sums = cls.release / "SHA256SUMS"
        cls.digest = hashlib.sha256(cls.archive.read_bytes()).hexdigest()

    def setUp(self):
        super().setUp()
        self.sums.write_text(f"{self.digest}  {self.archive.name}\n")
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.runner = Runner(self.folder, stack.enter_context(served(self.site)))

    def assert_refused(self, reason, **inputs):
        code, said = self.runner.step("install", **inputs)
        self.assertEqual(code, 1, said)
        self.assertIn("::error title=loadtester::", said)
        self.assertIn(reason, said)
        self.assertNotIn("program", self.runner.outputs)
        self.assertFalse((self.folder / "temp/loadtester/release").exists())

    def test_the_release_of_the_checkout_is_installed(self):
        code, said = self.runner.step("install")
        self.assertEqual(code, 0, said)
        program = self.runner.outputs["program"]
        self.assertEqual(run(program, "--version"), f"loadtester {version()}\n")
        self.assertEqual(self.runner.files["GITHUB_PATH"].read_text().strip(), os.path.dirname(program))
        beside = {file.name for file in pathlib.Path(program).parent.iterdir()}
        self.assertLessEqual({"loadtester.1", "loadtester.bash", "LICENSE", "third-party-licenses.txt.gz"}, beside)

    def test_a_pinned_digest_needs_no_list(self):
        self.sums.unlink()
        code, said = self.runner.step("install", sha256=self.digest, version=f"v{version()}")
        self.assertEqual(code, 0, said)

    def test_an_archive_with_another_digest_is_refused(self):
        self.assert_refused("has the SHA-256", sha256="0" * 64)
        self.sums.write_text(f"{'0' * 64}  {self.archive.name}\n")
        self.assert_refused("has the SHA-256")

    def test_a_release_that_does_not_list_the_archive_is_refused(self):
        self.sums.write_text(f"{self.digest}  another-{self.archive.name}\n")
        self.assert_refused("does not list")

    def test_the_checkout_is_built_where_that_is_asked_for(self):
        # A cargo that hands over the program that is there.
        tools = self.folder / "tools"
        tools.mkdir()
        for name, script in {
            "cargo": f'printf "%s " "$@" >{tools}/said; mkdir -p "$7/release"; cp {PROGRAM} "$7/release/"',
            "npm": "exit 0",
        }.items():
            (tools / name).write_text(f"#!/bin/sh\n{script}\n")
            (tools / name).chmod(0o755)
        with unittest.mock.patch.dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}"):
            code, said = self.runner.step("install", build="true")
        self.assertEqual(code, 0, said)
        asked = f"build --release --locked --manifest-path {ROOT}/Cargo.toml --target-dir "
        self.assertTrue((tools / "said").read_text().startswith(asked))
        self.assertEqual(run(self.runner.outputs["program"], "--version"), f"loadtester {version()}\n")

    def test_a_release_that_is_not_there_is_an_error(self):
        self.assert_refused("cannot download", version="99.0.0")


class Run(Case):
    def setUp(self):
        super().setUp()
        self.runner = Runner(self.folder)
        self.runner.outputs["program"] = str(PROGRAM)

    def plan(self, address, *thresholds):
        text = json.dumps({
            "base_url": address,
            "load": {"requests": 200},
            "scenarios": [{"path": "/v1/users"}],
            "thresholds": list(thresholds),
        })
        (self.folder / "plan.yaml").write_text(text)
        return "plan.yaml"

    def target(self):
        process = subprocess.Popen([PROGRAM, "--role", "target"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.kill)
        return re.search(r"http://\S+", process.stdout.readline())[0]

    def test_a_run_that_passes_leaves_reports_and_a_summary(self):
        code, said = self.runner.step("run", plan=self.plan(self.target(), "error_rate < 50%"), args="--no-listen")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.runner.outputs["exit-code"], "0")
        reports = pathlib.Path(self.runner.outputs["reports"])
        self.assertEqual(reports, self.folder / "loadtester-reports")
        self.assertEqual(sorted(file.name for file in reports.iterdir()), ["junit.xml", "report.html", "report.json"])
        self.assertEqual(json.loads((reports / "report.json").read_text())["totals"]["ok"], 200)
        self.assertIn("PASSED", self.runner.files["GITHUB_STEP_SUMMARY"].read_text())

    def test_a_broken_threshold_fails_the_step_and_still_leaves_reports(self):
        plan = self.plan(self.target(), "max < 1us")
        code, said = self.runner.step("run", plan=plan, args="--no-listen", reports="elsewhere", allow_inconclusive="true")
        self.assertEqual(code, 1, said)
        self.assertEqual(self.runner.outputs["exit-code"], "1")
        self.assertTrue((self.folder / "elsewhere/report.html").exists())
        self.assertIn("::error", said)

    def test_exit_code_4_passes_only_where_that_is_allowed(self):
        program = self.folder / "undecided"
        program.write_text("#!/bin/sh\nexit 4\n")
        program.chmod(0o755)
        self.runner.outputs["program"] = str(program)
        self.assertEqual(self.runner.step("run")[0], 4)
        code, said = self.runner.step("run", allow_inconclusive="true")
        self.assertEqual(code, 0)
        self.assertIn("::warning", said)
        self.assertEqual(self.runner.outputs["exit-code"], "4")

    def test_arguments_are_split_like_a_shells_and_never_executed(self):
        program = self.folder / "arguments"
        program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$GITHUB_STEP_SUMMARY\"\n")
        program.chmod(0o755)
        self.runner.outputs["program"] = str(program)
        args = "localhost:1 -H 'A: b c' \"-d 3s\"\n  --label x=$(touch${IFS}executed) `touch executed` ; touch executed"
        code, said = self.runner.step("run", args=args)
        self.assertEqual(code, 0, said)
        got = self.runner.files["GITHUB_STEP_SUMMARY"].read_text().splitlines()
        self.assertEqual(got[:5], ["localhost:1", "-H", "A: b c", "-d 3s", "--label"])
        self.assertEqual(got[5], "x=$(touch${IFS}executed)")
        self.assertFalse((self.folder / "executed").exists())

    def test_arguments_with_an_open_quote_are_an_error(self):
        self.assertNotEqual(self.runner.step("run", args="localhost:1 -H 'A: b")[0], 0)
        self.assertNotIn("exit-code", self.runner.outputs)


class Definition(unittest.TestCase):
    TEXT = (FOLDER / "action.yml").read_text()

    def test_inputs_are_used_and_declared(self):
        self.assertEqual(set(re.findall(r"inputs\.([\w-]+)", self.TEXT)), set(ACTION["inputs"]))

    def test_scripts_read_the_variables_that_their_step_sets(self):
        for name, step in STEPS.items():
            script = (FOLDER / f"{name}.sh").read_text()
            read = set(re.findall(r"\bLT_\w+", script)) | {"LT_ACTION_PATH"}
            self.assertEqual(read, set(step["env"]), name)
            self.assertEqual(step["shell"], "bash")
            self.assertTrue(os.access(FOLDER / f"{name}.sh", os.X_OK))

    def test_outputs_are_those_of_the_steps(self):
        for value in ACTION["outputs"].values():
            step, output = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.([\w-]+) \}\}", value["value"]).groups()
            self.assertIn(f'"{output}=', (FOLDER / f"{step}.sh").read_text())

    def test_nothing_that_a_user_types_is_put_into_a_script(self):
        for step in ACTION["runs"]["steps"]:
            self.assertNotIn("${{", step.get("run", ""))


if __name__ == "__main__":
    unittest.main()
