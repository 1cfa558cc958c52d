"""Pods of the chart without a cluster: podman runs them, in a network namespace of their own.

What a cluster would do and podman does not: a Service is a pod of its name; a Job is its pod template, an Indexed
one as often as it has indexes; a PodMonitor is a line in Prometheus' configuration. What stays out: what is demanded
of them (test_pods.py).
"""

import base64
import contextlib
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import yaml

from chart import TOP, one, render

PROGRAM = pathlib.Path(os.environ.get("LOADTESTER", TOP / "target/release/loadtester"))
TARGET = "lt-loadtester-target"
IMAGE = "localhost/loadtester:0.1.0"
NAME = f"loadtester-{os.getpid()}"
# The one file of podman's that has its place outside the store.
NAME_SERVER_PID = "/run/containers/networks/aardvark-dns/aardvark.pid"
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""

NPM = """#!/bin/sh
set -eu
[ "$*" = ci ] && [ -f package-lock.json ]
mkdir node_modules
"""
CARGO = """#!/bin/sh
set -eu
[ "$*" = "build --release --locked --bin loadtester" ]
[ -f Cargo.lock ] && [ -f build.rs ] && [ -f src/main.rs ] && [ -d src/web/scripts/node_modules ]
mkdir -p target/release
cp /prebuilt/loadtester target/release/
"""


def run(*args, check=True, **more):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, check=False, **more)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
    return done


def ahead():
    """Pods before whatever else this machine does, within their limits."""
    for weight, most in (("cpu/libpod_parent/cpu.shares", "262144"), ("libpod_parent/cpu.weight", "10000")):
        file = pathlib.Path("/sys/fs/cgroup") / weight
        if file.exists():
            file.write_text(most)


class Stage:
    """A network namespace and a store of podman's own. Everything in them is gone when it is closed."""

    def __init__(self, program):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=NAME))
        (self.folder / "containers.conf").write_text(CONTAINERS_CONF)
        self.env = {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}
        self.pods, self.secrets, self.children = [], [], []
        run("ip", "netns", "add", NAME)
        try:
            run("ip", "-n", NAME, "link", "set", "lo", "up")
            self.build(program)
            self.podman("network", "create", NAME)
        except BaseException:
            self.close()
            raise

    def podman(self, *args, **more):
        places = [f"--{name}={self.folder / name}" for name in ("root", "runroot", "tmpdir", "network-config-dir")]
        # Not `ip netns exec`: that hides the control groups.
        return run("nsenter", f"--net=/run/netns/{NAME}", "podman", *places, *args, env=self.env, **more)

    def build(self, program):
        """The image, by its Dockerfile, around a program that is there already.

        No registry is asked. The builders' images are stand-ins of their names: this machine's /usr, an `npm` that
        fetches nothing and a `cargo` that hands the program over. All else is done as anywhere.
        """
        base, prebuilt = self.folder / "base", self.folder / "prebuilt"
        for folder in ("usr", "etc/ssl", "tmp", "prebuilt"):
            (base / folder).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib64"):
            (base / link).symlink_to(f"usr/{link}")
        prebuilt.mkdir()
        shutil.copy(program, prebuilt / "loadtester")
        for name, text in (("npm", NPM), ("cargo", CARGO)):
            (prebuilt / name).write_text(text)
            (prebuilt / name).chmod(0o755)
        dockerfile = TOP / "deploy/docker/Dockerfile"
        builders = [image for image in re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.M) if image != "scratch"]
        for builder in builders:
            with subprocess.Popen(["tar", "-C", base, "-c", "."], stdout=subprocess.PIPE) as tar:
                self.podman("import", "--change", "ENV PATH=/prebuilt:/usr/bin:/bin", "-", builder, stdin=tar.stdout)
        volumes = [f"--volume={here}:{there}:ro" for here, there in
                   (("/usr", "/usr"), ("/etc/ssl", "/etc/ssl"), (prebuilt, "/prebuilt"))]
        self.podman("build", "--pull-never", "--network=none", *volumes, f"--ignorefile={dockerfile}.dockerignore",
                    "-f", dockerfile, "-t", IMAGE, TOP)
        self.podman("rmi", *builders)

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()
        self.clear()
        self.podman("network", "rm", "-f", NAME, check=False)
        self.podman("system", "reset", "-f", check=False)
        run("ip", "netns", "delete", NAME, check=False)
        shutil.rmtree(self.folder)

    def clear(self):
        """No pods and no secrets."""
        if self.pods:
            self.podman("pod", "rm", "--all", "--force", "--time", "0", check=False)
        if self.secrets:
            self.podman("secret", "rm", *self.secrets, check=False)
        self.podman("volume", "prune", "-f")
        self.pods, self.secrets = [], []

    def play(self, *objects):
        """Start these; ConfigMaps stand beside what mounts them."""
        shared = [obj for obj in objects if obj["kind"] == "ConfigMap"]
        for obj in objects:
            name = obj["metadata"]["name"]
            if obj["kind"] == "Pod":
                self.pods.append(name)
                file = self.folder / "play.yaml"
                file.write_text(yaml.safe_dump_all([*shared, obj]))
                self.podman("play", "kube", "--network", NAME, file)
                ahead()
                self.await_names(name)
            elif obj["kind"] == "Secret" and name not in self.secrets:
                # What `secretKeyRef` reads is not what `play kube` stores for a Secret: this is.
                self.podman("secret", "create", name, "-", input=json.dumps(obj["data"]))
                self.secrets.append(name)

    def remove(self, pod, asking):
        """Delete it, as somebody would who does not care; `asking` needs names all the same."""
        self.podman("pod", "rm", "--force", "--time", "0", pod)
        self.pods.remove(pod)
        self.await_names(asking)

    def await_names(self, pod):
        """podman's name server now and then misses that a pod was added, and answers it nothing; told again, it does."""
        inside = json.loads(self.podman("inspect", self.infra(pod)).stdout)[0]["State"]["Pid"]
        server = run("nsenter", "-t", inside, "-n", "sh", "-c", "ip route show default").stdout.split()[2]

        def answers():
            asked = run("nsenter", "-t", inside, "-n", "timeout", "0.5", "busybox", "nslookup", pod, server, check=False)
            if asked.returncode and (pid := pathlib.Path(NAME_SERVER_PID)).exists():
                run("kill", "-HUP", pid.read_text().strip(), check=False)
                time.sleep(0.3)  # it reads its files
            return asked.returncode == 0
        wait_for(f"the name of {pod}", answers)

    def infra(self, pod):
        return json.loads(self.podman("pod", "inspect", pod).stdout)["InfraContainerID"]

    def address(self, pod):
        networks = json.loads(self.podman("inspect", self.infra(pod)).stdout)[0]["NetworkSettings"]["Networks"]
        return networks[NAME]["IPAddress"]

    def container(self, pod):
        for container in json.loads(self.podman("pod", "inspect", pod).stdout)["Containers"]:
            if not container["Name"].endswith("-infra"):
                return container["Name"]
        raise KeyError(pod)

    def await_exit(self, pod, seconds=90):
        """The exit code."""
        container = self.container(pod)
        try:
            return int(self.podman("wait", container, timeout=seconds).stdout)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{pod} still runs after {seconds} s:\n{self.logs(pod)}") from late

    def logs(self, pod):
        done = self.podman("logs", self.container(pod))
        return done.stdout + done.stderr

    def fetch(self, pod, port, path, token=None):
        """The answer of a server within the namespace: (status, text)."""
        headers = ["-H", f"Authorization: Bearer {token}"] if token else []
        done = run("nsenter", f"--net=/run/netns/{NAME}", "curl", "-s", "-m", "5", "-w", "\n%{http_code}", *headers,
                   f"http://{self.address(pod)}:{port}{path}", check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def report(self, pod):
        """The report.json in the pod's volume, also after its end."""
        mounts = json.loads(self.podman("inspect", self.container(pod)).stdout)[0]["Mounts"]
        folder, = (mount["Source"] for mount in mounts if mount["Destination"] == "/reports")
        file, = pathlib.Path(folder).glob("*.json")
        return json.loads(file.read_text())

    @contextlib.contextmanager
    def prometheus(self, targets, token_of):
        """A real one that scrapes `role: (pod, port)` each second, as the chart's PodMonitors have it done."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        jobs = [{"job_name": pod, "authorization": {"credentials": token_of(role)},
                 "static_configs": [{"targets": [f"{self.address(pod)}:{port}"], "labels": {"role": role}}]}
                for role, pod, port in targets]
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        with open(folder / "log", "w", encoding="utf-8") as log:
            child = subprocess.Popen(["nsenter", f"--net=/run/netns/{NAME}", "prometheus",
                                      f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                      "--web.listen-address=127.0.0.1:9090"], stdout=log, stderr=log)
        self.children.append(child)
        try:
            yield self.query
        finally:
            child.terminate()
            child.wait()
            self.children.remove(child)

    def query(self, expression):
        """Value of an instant query that has one; none while there is none."""
        url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        done = run("nsenter", f"--net=/run/netns/{NAME}", "curl", "-s", "-m", "5", url, check=False)
        try:
            found = json.loads(done.stdout)["data"]["result"]
        except (ValueError, KeyError):
            return None
        return float(found[0]["value"][1]) if len(found) == 1 else None


def pods_of(objects):
    """Pods, and what they mount, as podman takes them: named like the services that lead to them."""
    services = [o for o in objects if o["kind"] == "Service"]
    for obj in objects:
        if obj["kind"] in ("ConfigMap", "Secret"):
            yield obj
            continue
        if obj["kind"] not in ("Job", "Deployment", "CronJob", "Pod"):
            continue
        spec = obj["spec"]["jobTemplate"]["spec"] if obj["kind"] == "CronJob" else obj["spec"]
        template = obj if obj["kind"] == "Pod" else spec["template"]
        name = obj["metadata"]["name"]
        for service in services:
            if service["spec"]["selector"].items() <= template["metadata"]["labels"].items():
                name = service["metadata"]["name"]
        indexes = range(spec["completions"]) if spec.get("completionMode") == "Indexed" else [None]
        for index in indexes:
            pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(
                {"metadata": {"labels": template["metadata"]["labels"]}, "spec": template["spec"]})}
            pod["metadata"]["name"] = name if index is None else f"{name}-{index}"
            for container in pod["spec"]["containers"]:
                container["image"], container["imagePullPolicy"] = IMAGE, "Never"
                # podman asks for a shell to probe with, and there is none.
                container.pop("readinessProbe", None)
                container.pop("ports", None)  # it would publish them, and two workers have the same
                env = container.setdefault("env", [])
                for variable in env:
                    if variable.get("valueFrom", {}).get("fieldRef"):
                        variable.pop("valueFrom")
                        variable["value"] = pod["metadata"]["name"]
                if index is not None:
                    env.append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
            yield pod


def rendered(values, hooks=False):
    """The chart's pods for these values, and its tokens."""
    objects = render(values, more=[] if hooks else ["--no-hooks"])
    secret = one(objects, "Secret")["data"]
    return list(pods_of(objects)), {key: base64.b64decode(value).decode() for key, value in secret.items()}


def wait_for(what, holds, seconds=30):
    until = time.monotonic() + seconds
    while not (value := holds()):
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)
    return value


def plan(load, scenarios=None, **more):
    """The text of a plan against the demo target's pod."""
    scenarios = scenarios or [{"name": "Get users", "path": "/v1/users"}]
    return yaml.safe_dump({"base_url": f"http://{TARGET}:8081", "load": load, "scenarios": scenarios, **more})


class Played(unittest.TestCase):
    """Tests that share a stage and clear it after each."""

    @classmethod
    def setUpClass(cls):
        cls.stage = Stage(PROGRAM)
        cls.addClassCleanup(cls.stage.close)

    def tearDown(self):
        self.stage.clear()

    def start(self, values, *more):
        """All pods, the target first, and `more` that they need; the tokens."""
        pods, tokens = rendered({"demoTarget": {"enabled": True}, **values})
        self.stage.play(*more, *sorted(pods, key=lambda pod: pod["metadata"]["name"] != TARGET))
        return tokens

    def status(self, pod, port, token):
        """What /status says; empty while it says nothing."""
        code, text = self.stage.fetch(pod, port, "/status", token)
        return json.loads(text) if code == 200 else {}
