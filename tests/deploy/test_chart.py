"""The chart renders objects that an API server would take and the restricted Pod Security profile would admit,
for sensible, complete and hostile values; the plain manifests are the same."""

import copy
import json
import re
import subprocess
import unittest

import kubernetes_validate

import chart
import plain
from chart import CHART, HELMS, TOP, one, pod_specs, render

VERSIONS = ("1.31", "1.35")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
SAFE_SYSCTLS = {"net.ipv4.ip_local_port_range"}  # of those that any kubelet allows, the one that is ours

HOSTILE_PLANS = {
    "template": "name: '{{ .Values.tokens }} {{- fail \"run\" -}}'\n",
    "tabs": "a:\tb\n\t\tc: |\n\t  d\t\n",
    "quotes": "a: \"it's\" 'said \"so\"' \\ \\n `x` $(id) ${HOME:-x}\n",
    "unicode": "name: Grüße 世界 \U0001f980 \u2028 \u00a0 \ufeff e\u0301\n",
    "trailing spaces": "  indented first line   \n\n   \nlast without a line feed   ",
    "markers": "---\na: 1\n...\n# comment\n--- !!str\n'%YAML'",
    "carriage returns": "a: 1\r\nb: 2\r\n",
    "controls": "bell \u0007\n",
    "yes": "yes",
    "number": "1e3",
    "long": "x" * 800_000,
}

EVERYTHING = {
    "plan": "base_url: http://target\nscenarios: [{ path: / }]\n",
    "runId": "nightly-42",
    "planFiles": {"secret": "certificates"},
    "data": {"existingClaim": "datasets"},
    "image": {"repository": "registry.example:5000/a/loadtester", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "search", "example.com/cost": "42"},
    "workers": {
        "count": 1000,
        "extraArgs": ["--allow-target=target:80", "--threads=2", "a b: \"c\" {{ d }}"],
        "nodeSelector": {"pool": "load"},
        "tolerations": [{"key": "load", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "target"}}}]}},
        "priorityClassName": "load",
        "podLabels": {"a": "b"},
        "podAnnotations": {"c": "d: {{ e }}"},
    },
    "coordinator": {
        "extraArgs": ["--strict"],
        "extraEnv": [{"name": "C", "value": "1"}],
        "publicStatus": True,
        "service": {"name": "c" * 63, "port": 65535, "annotations": {"a": "true"}},
        "state": {"enabled": True, "storageClassName": "fast"},
        "reports": {"formats": ["json", "html", "xml", "csv", "scenarios.csv", "hlog"], "existingClaim": "reports"},
        "nodeSelector": {"pool": "calm"}, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"},
        "tolerations": [{"operator": "Exists"}], "priorityClassName": "calm",
    },
    "baseline": {"configMap": "baseline"},
    "extraEnv": [{"name": "A", "value": "1"}],
    "extraEnvFrom": [{"secretRef": {"name": "api"}}],
    "ttlSecondsAfterFinished": 0,
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "serviceAccount": {"name": "runner", "annotations": {"a": "b"}},
    "cron": {"timeZone": "Etc/UTC", "suspend": True, "extraArgs": ["--strict"]},
    "demoTarget": {"enabled": True},
    "networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {}}],
                      "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "grafanaDashboard": {"enabled": True, "annotations": {"folder": "Load"}},
}

NOTHING = {
    "imagePullSecrets": [], "commonLabels": {}, "extraEnv": [], "extraEnvFrom": [], "dnsConfig": {},
    "workers": {"count": 1, "extraArgs": [], "topologySpreadConstraints": [], "localPortRange": "",
                "nodeSelector": {}, "tolerations": [], "affinity": {}, "podLabels": {}, "podAnnotations": {}},
    "coordinator": {"extraArgs": [], "reports": {"formats": []}, "linger": "0s"},
    "serviceAccount": {"create": False, "name": ""},
    "networkPolicy": {"enabled": True, "from": [], "egress": []},
    "podMonitor": {"enabled": True, "labels": {}, "workers": False},
    "grafanaDashboard": {"enabled": True, "labels": {}},
}

# Another value than EVERYTHING has, where not any will do.
ANOTHER = {
    "mode": "cron", "image.pullPolicy": "Always", "image.digest": "sha256:" + "1" * 64, "workers.localPortRange": "2048 4096",
    "workers.topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "coordinator.linger": "1s", "coordinator.reports.formats": ["json"], "cron.linger": "1s", "test.duration": "1s",
    "test.rate": "1/s", "baseline.maxRegression": "1%", "podMonitor.interval": "1s", "ttlSecondsAfterFinished": 1,
    "imagePullSecrets": [{"name": "b"}], "extraEnv": [{"name": "B"}], "extraEnvFrom": [{"secretRef": {"name": "b"}}],
    "workers.extraArgs": ["-b"], "coordinator.extraArgs": ["-b"], "cron.extraArgs": ["-b"],
    "workers.extraEnv": [{"name": "B"}], "coordinator.extraEnv": [{"name": "B"}], "data.configMaps": ["b"],
}


def another(value):
    if isinstance(value, bool):
        return not value
    kinds = {int: 11, list: [{"key": "b"}], dict: {"b": "c"}}
    return kinds.get(type(value), "b")


SAME = {"release": "prometheus", "team": "search"}

EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))

# What is rendered and judged: name, release, values, value files.
CASES = [
    ("defaults", "lt", {}, []),
    ("everything", "lt", EVERYTHING, []),
    ("everything, as a cron job", "lt", {**EVERYTHING, "mode": "cron"}, []),
    ("nothing", "lt", NOTHING, []),
    ("nothing, as a cron job", "lt", {**NOTHING, "mode": "cron"}, []),
    ("no spare values", "lt", {"existingPlan": {"configMap": "mine", "key": "p.yaml"},
                               "tokens": {"existingSecret": "mine"}, "demoTarget": {"enabled": False}}, []),
    ("the longest release name", "r" * 53, {**EVERYTHING, "runId": "i" * 16}, []),
    ("the longest release name, as a cron job", "r" * 53, {**EVERYTHING, "mode": "cron"}, []),
    ("a release name with dots and digits first", "1.2-x.9", {}, []),
    ("a release name whose cut ends in a dash", "a" * 20 + "-" + "b" * 20, {}, []),
    ("the longest full name", "lt", {"fullnameOverride": "Some.Name-" + "x" * 200}, []),
    ("the longest name", "lt", {"nameOverride": "n" * 63}, []),
    *((f"the name {word}, {mode}", "lt", {
        "fullnameOverride": word, "mode": mode, "runId": word, "coordinator": {"service": {"name": word}},
        "serviceAccount": {"name": word}, "prometheusRule": {"enabled": True}, "podMonitor": {"enabled": True},
    }, []) for word in ("null", "true", "no") for mode in ("fleet", "cron")),
    ("a range of ports of one's own", "lt", {"podSecurityContext": {
        "sysctls": [{"name": "net.ipv4.ip_local_port_range", "value": "2000 3000"}]}}, []),
    *((f"the same label from everywhere, {mode}", "lt", {
        "mode": mode, "commonLabels": SAME, "workers": {"podLabels": SAME}, "coordinator": {"podLabels": SAME},
        **{thing: {"enabled": True, "labels": SAME} for thing in ("podMonitor", "prometheusRule", "grafanaDashboard")},
    }, []) for mode in ("fleet", "cron")),
    *((f"data files from ConfigMaps, {mode}", "lt", {"mode": mode, "data": {"configMaps": ["users", "terms.v2"]}}, [])
      for mode in ("fleet", "cron")),
    *((file.stem, "lt", {}, [file]) for file in EXAMPLES),
]


def faults_of_names(objects):
    seen = set()
    for obj in objects:
        kind, name = obj["kind"], obj["metadata"]["name"]
        if (kind, name) in seen:
            yield f"{kind} {name} stands twice"
        seen.add((kind, name))
        longest = 63
        if kind == "Job":
            # Hostnames of an Indexed Job's pods: its name, a dash, the index.
            longest = 63 - len(f"-{obj['spec'].get('completions', 1) - 1}")
        elif kind == "CronJob":
            longest = 52
        pattern = SERVICE if kind == "Service" else LABEL
        if not pattern.fullmatch(name) or len(name) > longest:
            yield f"{kind} {name!r} is no valid name"
    for obj, metadata, _ in pod_specs(objects):
        for labels in (obj["metadata"].get("labels", {}), metadata["labels"]):
            for key, value in labels.items():
                if not isinstance(value, str) or not LABEL_VALUE.fullmatch(value):
                    yield f"{obj['kind']}: label {key} is {value!r}"


def faults_of_references(objects):
    """Selectors find pods, and what pods mount is there unless it is somebody else's."""
    pods = [(metadata["labels"], spec) for _, metadata, spec in pod_specs(objects)]
    for obj in objects:
        spec = obj.get("spec", {})
        if obj["kind"] == "Service":
            selector = spec["selector"]
        elif obj["kind"] == "NetworkPolicy":
            selector = spec["podSelector"]["matchLabels"]
        elif obj["kind"] == "PodMonitor":
            selector = spec["selector"]["matchLabels"]
        else:
            continue
        found = [pod for labels, pod in pods if selector.items() <= labels.items()]
        if len(found) != 1:
            yield f"{obj['kind']} {obj['metadata']['name']} selects {len(found)} pod templates"
    names = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    foreign = {"mine", "baseline", "reports", "users-baseline", "datasets", "users", "terms.v2"}
    for _, spec in pods:
        mounted = {mount["name"] for c in spec["containers"] for mount in c.get("volumeMounts", [])}
        if mounted != {volume["name"] for volume in spec.get("volumes", [])}:
            yield f"mounts {mounted} are not the volumes"
        sources = [s for v in spec.get("volumes", []) for s in [v, *v.get("projected", {}).get("sources", [])]]
        wanted = [("ConfigMap", s["configMap"]["name"]) for s in sources if "configMap" in s]
        wanted += [("PersistentVolumeClaim", v["persistentVolumeClaim"]["claimName"])
                   for v in spec.get("volumes", []) if "persistentVolumeClaim" in v]
        wanted += [("Secret", e["valueFrom"]["secretKeyRef"]["name"]) for c in spec["containers"]
                   for e in c.get("env", []) if "secretKeyRef" in e.get("valueFrom", {})]
        for kind, name in wanted:
            if (kind, name) not in names and name not in foreign:
                yield f"{kind} {name} is not there"


def faults_of_security(spec):
    """Where the restricted profile of the Pod Security Standards would refuse a pod."""
    pod = spec.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield key
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
                         "projected", "secret"}:
            yield f"volume {kinds}"
    names = [sysctl["name"] for sysctl in pod.get("sysctls", [])]
    if len(names) > len(set(names)):
        yield f"sysctls {names} stand twice"
    for sysctl in pod.get("sysctls", []):
        if sysctl["name"] not in SAFE_SYSCTLS:
            yield f"sysctl {sysctl['name']}"
    for container in spec["containers"] + spec.get("initContainers", []):
        own = container.get("securityContext", {})
        either = {**pod, **own}
        if own.get("privileged") or own.get("procMount", "Default") != "Default":
            yield "privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation"
        if either.get("runAsNonRoot") is not True or either.get("runAsUser") == 0:
            yield "runs as root"
        if either.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "seccomp"
        if own.get("capabilities", {}).get("drop") != ["ALL"] or own["capabilities"].get("add"):
            yield "capabilities"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield "hostPort"


def without_tokens(objects):
    return [o if o["kind"] != "Secret" else {**o, "data": sorted(o["data"])} for o in objects]


class Rendered(unittest.TestCase):
    def test_both_helms_render_the_same_valid_objects_that_the_restricted_profile_admits(self):
        for name, release, values, files in CASES:
            with self.subTest(name):
                three, four = (render(values, release, files, binary=binary) for binary in HELMS)
                self.assertEqual(without_tokens(three), without_tokens(four))
                for obj in four:
                    if obj["apiVersion"].startswith("monitoring.coreos.com/"):
                        continue  # test_monitors_say_what_the_operator_reads
                    for version in VERSIONS:
                        kubernetes_validate.validate(obj, version, strict=True)
                faults = [*faults_of_names(four), *faults_of_references(four)]
                for obj, _, spec in pod_specs(four):
                    faults += [f"{obj['kind']} {obj['metadata']['name']}: {f}" for f in faults_of_security(spec)]
                self.assertEqual(faults, [])

    def test_the_security_check_itself_refuses(self):
        _, _, spec = next(pod_specs(render()))
        self.assertEqual(list(faults_of_security(spec)), [])
        spec["containers"][0]["securityContext"] = {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}
        spec["securityContext"] = {"runAsUser": 0, "sysctls": [{"name": "kernel.msgmax"}]}
        spec["hostNetwork"] = True
        found = list(faults_of_security(spec))
        for fault in ("hostNetwork", "sysctl kernel.msgmax", "allowPrivilegeEscalation", "runs as root", "seccomp",
                      "capabilities"):
            self.assertIn(fault, found)

    def test_a_plan_arrives_byte_for_byte(self):
        for name, plan in HOSTILE_PLANS.items():
            for binary in HELMS:
                with self.subTest(name, helm=binary.name):
                    config = one(render({"plan": plan}, binary=binary), "ConfigMap", "-plan-r1")
                    self.assertEqual(config["data"], {"loadplan.yaml": plan})

    def test_arguments_arrive_as_typed(self):
        args = ["-H", "X: a \"b\" 'c' {{ d }}\t\u2028", "--seed=1", "yes", "1e3", ""]
        job = one(render({"workers": {"extraArgs": args}}), "Job", "-worker-r1")
        self.assertEqual(job["spec"]["template"]["spec"]["containers"][0]["args"][-len(args):], args)

    def test_lint_finds_nothing(self):
        for binary in HELMS:
            for file in [None, *EXAMPLES]:
                chart.helm(binary, "lint", "--strict", str(CHART), *(["-f", str(file)] if file else []))

    def test_wrong_values_are_refused_by_name(self):
        for values, word in [
            ({"worker": {}}, "worker"), ({"workers": {"count": 0}}, "count"), ({"workers": {"count": "3"}}, "count"),
            ({"runId": "Upper"}, "runId"), ({"runId": "x" * 17}, "runId"), ({"mode": "job"}, "mode"),
            ({"coordinator": {"service": {"name": "1st"}}}, "name"), ({"plan": {"base_url": "x"}}, "plan"),
            ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name"),
            ({"workers": {"podLabels": {"a b": "c"}}}, "a b"), ({"existingPlan": {"key": "../x"}}, "key"), ({"coordinator": {"linger": "long"}}, "linger"),
            ({"nameOverride": "n" * 64}, "nameOverride"), ({"image": {"repository": "a/loadtester:1"}}, "repository"),
            ({"image": {"repository": "a/"}}, "repository"), ({"extraEnv": [{"name": "LOADTESTER_TOKEN"}]}, "extraEnv"),
            ({"data": {"configMaps": [""]}}, "configMaps"), ({"data": {"configMaps": ["a", "a"]}}, "configMaps"),
            ({"data": {"claim": "a"}}, "claim"), ({"data": {"existingClaim": "A"}}, "existingClaim"),
            *(({"mode": mode, "data": {"existingClaim": "a", "configMaps": ["b"]}}, "both mounted at /data")
              for mode in ("fleet", "cron")),
        ]:
            for binary in HELMS:
                with self.subTest(values), self.assertRaisesRegex(ValueError, word):
                    render(values, binary=binary)

    def test_notes_name_what_is_there(self):
        kinds = {"job": "Job", "svc": "Service", "cronjob": "CronJob"}
        for name, release, values, files in CASES:
            there = {(o["kind"], o["metadata"]["name"]) for o in render(values, release, files)}
            parts = [part for file in files for part in ("-f", str(file))]
            with self.subTest(name):
                # Helm 3 asks a cluster even for this.
                told = chart.helm(HELMS[1], "install", release, str(CHART), "--dry-run=client", *parts, values=values)
                notes = told.partition("\nNOTES:\n")[2]
                named = {(kinds[kind], name) for kind, name in re.findall(r"\b(job|svc|cronjob)/([-a-z0-9]+)", notes)}
                self.assertTrue(named and named <= there, (named, there))

    def test_names_cut_short_stay_apart(self):
        names = {one(render(release=release), "Service", "-target")["metadata"]["name"]
                 for release in ("a" * 52 + "b", "a" * 52 + "c", "a" * 21, "a.b", "a-b")}
        self.assertEqual(len(names), 5)


class Fleet(unittest.TestCase):
    def setUp(self):
        self.objects = render()
        self.worker = one(self.objects, "Job", "-worker-r1")["spec"]
        self.coordinator = one(self.objects, "Job", "-coordinator-r1")["spec"]

    def test_workers_are_an_indexed_job_whose_lost_pods_are_replaced_once_gone(self):
        job = self.worker
        self.assertEqual((job["completionMode"], job["completions"], job["parallelism"]), ("Indexed", 2, 2))
        self.assertEqual((job["backoffLimitPerIndex"], job["podReplacementPolicy"]), (2, "Failed"))
        self.assertEqual(job["template"]["spec"]["restartPolicy"], "Never")
        self.assertNotIn("livenessProbe", job["template"]["spec"]["containers"][0])

    def test_each_exit_code_has_one_consequence(self):
        def consequence(job, code):
            for rule in job["podFailurePolicy"]["rules"]:
                if code in rule.get("onExitCodes", {}).get("values", []):
                    return rule["action"]
            return "Count"
        told = {code: (consequence(self.coordinator, code), consequence(self.worker, code))
                for code in (1, 2, 3, 4, 130, 137)}
        self.assertEqual(told, {
            1: ("FailJob", "Count"), 2: ("FailJob", "FailJob"), 3: ("FailJob", "Count"),
            4: ("FailJob", "Count"), 130: ("Count", "Count"), 137: ("Count", "Count")})

    def test_a_coordinator_is_started_again_only_with_a_journal(self):
        self.assertEqual(self.coordinator["backoffLimit"], 0)
        kept = one(render({"coordinator": {"state": {"enabled": True}}}), "Job", "-coordinator-r1")["spec"]
        self.assertEqual(kept["backoffLimit"], 3)
        self.assertIn("--state-dir=/state/r1", kept["template"]["spec"]["containers"][0]["args"])

    def test_workers_find_the_coordinator_and_it_expects_as_many(self):
        service = one(self.objects, "Service", "coordinator-svc")["spec"]
        url = f"--coordinator=http://coordinator-svc:{service['ports'][0]['port']}"
        self.assertIn(url, self.worker["template"]["spec"]["containers"][0]["args"])
        self.assertIn("--workers=2", self.coordinator["template"]["spec"]["containers"][0]["args"])
        # They join before it is ready.
        self.assertTrue(service["publishNotReadyAddresses"])

    def test_pods_are_guaranteed_whole_cpus(self):
        for obj, _, spec in pod_specs(self.objects):
            for container in spec["containers"]:
                resources = container["resources"]
                self.assertEqual(resources["requests"], resources["limits"], obj["metadata"]["name"])
                self.assertTrue(resources["limits"]["cpu"].isdigit())

    def test_tokens_are_random_and_only_the_coordinator_has_the_operators(self):
        once, again = (one(render(), "Secret")["data"] for _ in range(2))
        self.assertEqual(len({*once.values(), *again.values()}), 4)
        keys = {e["valueFrom"]["secretKeyRef"]["key"] for e in self.worker["template"]["spec"]["containers"][0]["env"]}
        self.assertEqual(keys, {"worker"})

    def test_environment_by_role_reaches_that_role_alone(self):
        rendered = render({"workers": {"extraEnv": [{"name": "OF_WORKERS"}]}, "coordinator": {"extraEnv": [{"name": "OF_IT"}]}})
        names = {}
        for obj, _, spec in pod_specs(rendered):
            if obj["kind"] == "Job":
                names[spec["containers"][0]["name"]] = {e["name"] for e in spec["containers"][0].get("env", [])}
        self.assertTrue("OF_WORKERS" in names["worker"] and "OF_WORKERS" not in names["coordinator"])
        self.assertTrue("OF_IT" in names["coordinator"] and "OF_IT" not in names["worker"])

    def test_data_files_are_read_only_in_every_pod_that_reads_the_plan_and_in_no_other(self):
        claim = {"persistentVolumeClaim": {"claimName": "users", "readOnly": True}}
        maps = {"projected": {"sources": [{"configMap": {"name": "users"}}, {"configMap": {"name": "terms"}}]}}
        for mode, senders in [("fleet", {"coordinator", "worker"}), ("cron", {"loadtester"})]:
            for values, volume in [({"existingClaim": "users"}, claim), ({"configMaps": ["users", "terms"]}, maps)]:
                found = {}
                for _, _, spec in pod_specs(render({"mode": mode, "data": values})):
                    container, = spec["containers"]
                    has_folder = "--data-dir=/data" in container["args"]
                    self.assertEqual(has_folder, container["name"] == "worker", container)
                    mounts = [mount for mount in container.get("volumeMounts", []) if mount["name"] == "data"]
                    # The others look for the plan's files from its folder.
                    self.assertEqual("--data-dir=/data" in container["args"], container["name"] == "worker")
                    if mounts:
                        found[container["name"]] = (mounts, [v for v in spec["volumes"] if v["name"] == "data"])
                expected = ([{"name": "data", "mountPath": "/data", "readOnly": True}], [{"name": "data", **volume}])
                with self.subTest(mode=mode, values=values):
                    self.assertEqual(found, {name: expected for name in senders})

    def test_a_new_revision_is_a_new_run(self):
        again = render(more=["--is-upgrade", "--set", "runId=r2"])
        before = {o["metadata"]["name"] for o in self.objects if o["kind"] == "Job"}
        after = {o["metadata"]["name"] for o in again if o["kind"] == "Job"}
        self.assertEqual((len(before), before & after), (2, set()))


class Others(unittest.TestCase):
    def test_the_test_hook_runs_the_demo(self):
        pod = one(render(), "Pod", "-test")
        self.assertEqual(pod["metadata"]["annotations"]["helm.sh/hook"], "test")
        self.assertEqual(pod["spec"]["containers"][0]["args"][0], "--demo")

    def test_a_cron_job_compares_and_lingers(self):
        objects = render(files=[CHART / "examples/continuous-monitoring.yaml"])
        spec = one(objects, "CronJob")["spec"]
        args = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"]
        self.assertIn("--baseline=/etc/loadtester/baseline/baseline.json", args)
        self.assertIn("--linger=2m", args)
        self.assertEqual(spec["concurrencyPolicy"], "Forbid")
        self.assertFalse([o for o in objects if o["kind"] in ("Job", "Deployment")])

    def test_monitors_say_what_the_operator_reads(self):
        objects = render({"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}})
        for monitor in (o for o in objects if o["kind"] == "PodMonitor"):
            self.assertEqual(set(monitor["spec"]), {"selector", "podMetricsEndpoints"})
            endpoint, = monitor["spec"]["podMetricsEndpoints"]
            self.assertEqual(set(endpoint), {"port", "path", "interval", "authorization", "relabelings"})
            self.assertEqual(set(endpoint["authorization"]["credentials"]), {"name", "key"})
        rule = one(objects, "PrometheusRule")
        alerts = chart.load_all((TOP / "deploy/prometheus/alerts.yml").read_text())[0]
        self.assertEqual(rule["spec"], alerts)

    def test_the_dashboard_is_the_one_in_the_repository(self):
        config = one(render({"grafanaDashboard": {"enabled": True}}), "ConfigMap", "-dashboard")
        self.assertEqual(json.loads(config["data"]["loadtester.json"]),
                         json.loads((TOP / "deploy/grafana/loadtester.json").read_text()))

    def test_every_value_is_described_and_nothing_else(self):
        told = (CHART / "README.md").read_text().partition("\n## Values\n")[2]
        first_cells = re.findall(r"^\|([^|]*)\|", told, re.M)
        values = chart.load_all((CHART / "values.yaml").read_text())[0]
        self.assertEqual(sorted(re.findall(r"`([^`]+)`", "".join(first_cells))), sorted(plain.paths(values)))

    def test_every_value_has_an_effect(self):
        # Nothing that goes before another value, or excludes it.
        base = copy.deepcopy({**EVERYTHING, "image": {}, "data": {}})
        base["coordinator"]["reports"]["existingClaim"] = ""
        before = {mode: without_tokens(render({**base, "mode": mode})) for mode in ("fleet", "cron")}
        defaults = chart.load_all((CHART / "values.yaml").read_text())[0]
        for path in plain.paths(defaults):
            *parents, last = path.split(".")
            values = copy.deepcopy(base)
            now, holder = defaults, values
            for parent in parents:
                now, holder = now[parent], holder.setdefault(parent, {})
            holder[last] = ANOTHER[path] if path in ANOTHER else another(holder.get(last, now[last]))
            with self.subTest(path):
                self.assertTrue(any(without_tokens(render({"mode": mode, **values})) != before[mode] for mode in before))

    def test_an_example_that_is_scraped_lets_prometheus_in(self):
        for example in EXAMPLES:
            objects = render(files=[example])
            if any(o["kind"] == "PodMonitor" for o in objects):
                for policy in (o for o in objects if o["kind"] == "NetworkPolicy"):
                    peers = [peer for rule in policy["spec"]["ingress"] for peer in rule["from"]]
                    self.assertTrue([p for p in peers if "namespaceSelector" in p], (example.name, policy["metadata"]["name"]))

    def test_arguments_are_flags_of_the_program(self):
        pages = [page for page in (TOP / "README.md", TOP / "docs/cli.md") if page.exists()]
        rows = [row for page in pages for row in re.findall(r"^\| `(-[^`]+)`", page.read_text(), re.M)]
        known = {word.rstrip(",") for row in rows for word in row.split() if word.startswith("-")}
        for _, _, values, files in CASES:
            for obj, _, spec in pod_specs(render(values, files=files)):
                for arg in spec["containers"][0]["args"]:
                    flag = arg.split("=")[0]
                    if flag.startswith("-"):
                        self.assertIn(flag, known, obj["metadata"]["name"])

    def test_the_plain_manifests_are_the_chart_rendered(self):
        for name, text in plain.manifests().items():
            self.assertEqual((plain.FOLDER / name).read_text(), text, "run tests/deploy/plain.py")

    def test_kubectl_builds_the_plain_manifests(self):
        for version in ("kubectl31", "kubectl35"):
            built = subprocess.run([chart.TOOLS / version, "kustomize", plain.FOLDER], capture_output=True, text=True,
                                   check=True)
            def names(objects):
                return sorted((o["kind"], o["metadata"]["name"]) for o in objects)
            ours = [o for text in plain.manifests().values() for o in chart.load_all(text) if "metadata" in o]
            self.assertEqual(names(chart.load_all(built.stdout)), names(ours))


if __name__ == "__main__":
    unittest.main()
