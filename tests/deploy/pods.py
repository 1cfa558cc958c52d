"""Pods of the chart without a cluster: podman runs them, in namespaces of their own.

What a cluster would do and podman does not: a Service is a pod of its name; a Job is its pod template, an Indexed
one as often as it has indexes; a PodMonitor is a line in Prometheus' configuration. What stays out: what is demanded
of them (test_pods.py).
"""

import atexit
import base64
import contextlib
import copy
import json
import os
import pathlib
import re
import shutil
import signal
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
NETWORK = "loadtester"
GATEWAY = "10.89.0.1"
NAME_SERVER_PID = "/run/containers/networks/aardvark-dns/aardvark.pid"
# Of the pods' bridge, which is also where their name server listens. Left alone it takes the lowest of its pods', a new
# one with each pod that comes or goes with a lower; pods then write to one that nobody has, for up to 40 s.
BRIDGE_ADDRESS = "02:00:00:00:00:01"
# The first process of the namespaces, before whose end all others in them end. What podman keeps outside its store and
# would share with other podmans on this machine is hidden from it.
FIRST = """set -eu
for folder in /run/containers /run/netns /run/runc /dev/shm; do
    mkdir -p $folder
    mount -t tmpfs stage $folder
done
ip link set lo up
echo ready
exec catatonit -P
"""
# How the kernel says that somebody may not do this.
REFUSED = re.compile(r"not permitted|permission denied|read-only file system", re.IGNORECASE)
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
    """Pods before whatever else this machine does, within their limits. What was so before, by file: the control group
    is that of every podman here."""
    before = {}
    for weight, most in (("cpu/libpod_parent/cpu.shares", "262144"), ("libpod_parent/cpu.weight", "10000")):
        file = pathlib.Path("/sys/fs/cgroup") / weight
        if file.exists():
            before[file] = file.read_text()
            file.write_text(most)
    return before


class Stage:
    """Namespaces and a store of podman's own. Everything in them is gone when it is closed, or this process ends."""

    def __init__(self, program):
        self.pods, self.secrets, self.children, self.weights = [], [], [], {}
        self.first = self.inside = None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="loadtester-pods-"))
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        (self.folder / "containers.conf").write_text(CONTAINERS_CONF)
        self.env = {**os.environ, "CONTAINERS_CONF": str(self.folder / "containers.conf")}
        try:
            self.enter()
            self.build(program)
            self.podman("network", "create", "--subnet", f"{GATEWAY}/24", "--gateway", GATEWAY, NETWORK)
            self.bridge = json.loads(self.podman("network", "inspect", NETWORK).stdout)[0]["network_interface"]
        except BaseException:
            self.close()
            raise

    def enter(self):
        """The namespaces. A skipped test, where this machine grants none."""
        if os.geteuid():
            raise unittest.SkipTest("skipped because pods need root: it gives them their namespaces and limits")
        self.first = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", FIRST], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.first.stdout.readline() != "ready\n":
            said = self.first.stderr.read().strip()
            if REFUSED.search(said):
                raise unittest.SkipTest(f"skipped because this machine grants no namespaces: {said}")
            raise RuntimeError(said)
        of = f"/proc/{self.first.pid}/ns"
        self.in_network = ["nsenter", f"--net={of}/net"]
        # Not `ip netns exec`: that hides the control groups.
        self.inside = [*self.in_network, f"--mount={of}/mnt", f"--pid={of}/pid_for_children"]

    def podman(self, *args, **more):
        places = [f"--{name}={self.folder / name}" for name in ("root", "runroot", "tmpdir", "network-config-dir")]
        return run(*self.inside, "podman", *places, *args, env=self.env, **more)

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
        text = dockerfile.read_text()
        defaults = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.M))
        named = [re.sub(r"\$\{(\w+)\}", lambda m: defaults[m[1]], name) for name in re.findall(r"^FROM (\S+)", text, re.M)]
        builders = [image for image in named if image != "scratch"]
        for builder in builders:
            with subprocess.Popen(["tar", "-C", base, "-c", "."], stdout=subprocess.PIPE) as tar:
                self.podman("import", "--change", "ENV PATH=/prebuilt:/usr/bin:/bin", "-", builder, stdin=tar.stdout)
        self.try_out(builders[0])
        volumes = [f"--volume={here}:{there}:ro" for here, there in
                   (("/usr", "/usr"), ("/etc/ssl", "/etc/ssl"), (prebuilt, "/prebuilt"))]
        self.podman("build", "--pull-never", "--network=none", *volumes, f"--ignorefile={dockerfile}.dockerignore",
                    "-f", dockerfile, "-t", IMAGE, TOP)
        self.podman("rmi", *builders)

    def try_out(self, image):
        """What this machine grants a container: a skipped test if none at all, and whether limits hold."""
        quota = "cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || true"
        tried = self.podman("run", "--rm", "--network=none", "--cpus=0.5", "--volume=/usr:/usr:ro", image, "sh", "-c", quota,
                            check=False)
        said = (tried.stderr.strip().splitlines() or ["nothing"])[-1]
        if tried.returncode and REFUSED.search(tried.stderr):
            raise unittest.SkipTest(f"skipped because podman may not run a container with limits here: {said}")
        if tried.returncode:
            raise RuntimeError(tried.stderr)
        self.limits_hold = "50000" in tried.stdout.split()

    def close(self):
        """Also at the end of this process, whatever led to it; a second time does nothing."""
        if not self.folder.exists():
            return
        for child in self.children:
            child.kill()
            child.wait()
        if self.inside:
            # For what no namespace holds: control groups.
            with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
                self.clear()
                self.podman("system", "reset", "-f", check=False, timeout=60)
        for file, weight in self.weights.items():
            # With its last pod the group may have gone.
            with contextlib.suppress(OSError):
                file.write_text(weight)
        if self.first:
            self.first.kill()
            self.first.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self):
        """No pods and no secrets."""
        if self.pods:
            self.podman("pod", "rm", "--all", "--force", "--time", "0", check=False, timeout=60)
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
                self.lay_bridge()
                self.podman("play", "kube", "--network", NETWORK, file)
                # A second time finds what the first has written.
                self.weights = {**ahead(), **self.weights}
            elif obj["kind"] == "Secret" and name not in self.secrets:
                # What `secretKeyRef` reads is not what `play kube` stores for a Secret: this is.
                self.podman("secret", "create", name, "-", input=json.dumps(obj["data"]))
                self.secrets.append(name)

    def lay_bridge(self):
        """podman takes it as it is, and takes it away with its last pod."""
        if run(*self.in_network, "ip", "link", "show", self.bridge, check=False).returncode:
            run(*self.in_network, "ip", "link", "add", self.bridge, "address", BRIDGE_ADDRESS, "type", "bridge")
            run(*self.in_network, "ip", "address", "add", f"{GATEWAY}/24", "dev", self.bridge)
            run(*self.in_network, "ip", "link", "set", self.bridge, "up")

    def remove(self, pod):
        """Delete it, as somebody would who does not care."""
        self.podman("pod", "rm", "--force", "--time", "0", pod)
        self.pods.remove(pod)

    @contextlib.contextmanager
    def without_names(self):
        """The name server says nothing to anybody."""
        def signal_it(name):
            run(*self.inside, "sh", "-c", f"kill -{name} $(cat {NAME_SERVER_PID})")
        signal_it("STOP")
        try:
            yield
        finally:
            signal_it("CONT")

    def infra(self, pod):
        return json.loads(self.podman("pod", "inspect", pod).stdout)["InfraContainerID"]

    def address(self, pod):
        networks = json.loads(self.podman("inspect", self.infra(pod)).stdout)[0]["NetworkSettings"]["Networks"]
        return networks[NETWORK]["IPAddress"]

    def container(self, pod):
        for container in json.loads(self.podman("pod", "inspect", pod).stdout)["Containers"]:
            if not container["Name"].endswith("-infra"):
                return container["Name"]
        raise KeyError(pod)

    def await_exit(self, pod, seconds=180):
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
        done = run(*self.in_network, "curl", "-s", "-m", "5", "-w", "\n%{http_code}", *headers,
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
            child = subprocess.Popen([*self.in_network, "prometheus",
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
        done = run(*self.in_network, "curl", "-s", "-m", "5", url, check=False)
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


def wait_for(what, holds, seconds=90):
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
        """All pods, and `more` that they need; the tokens. Workers first: nobody else's name is known then."""
        pods, tokens = rendered({"demoTarget": {"enabled": True}, **values})
        turns = {"worker": 1, "target": 2, "coordinator": 3}

        def turn(obj):
            return turns.get(obj["metadata"]["labels"].get("app.kubernetes.io/component"), 4) if obj["kind"] == "Pod" else 0
        self.stage.play(*more, *sorted(pods, key=turn))
        return tokens

    def status(self, pod, port, token):
        """What /status says; empty while it says nothing."""
        code, text = self.stage.fetch(pod, port, "/status", token)
        return json.loads(text) if code == 200 else {}
