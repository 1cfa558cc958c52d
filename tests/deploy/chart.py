"""The chart, rendered: values in, objects out. What stays out: judging them (test_chart.py)."""

import os
import pathlib
import subprocess
import tempfile

import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
CHART = TOP / "deploy/helm/loadtester"
TOOLS = pathlib.Path(os.environ.get("CI_TOOLS", TOP / "target/ci-tools"))
HELMS = (TOOLS / "helm3", TOOLS / "helm4")


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, as an API server does with strict field validation."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"duplicate keys {keys} {node.start_mark}"
        return super().construct_mapping(node, deep)


class Exact(yaml.SafeDumper):
    """Every text in quotes and as plain ASCII, so that each reader of YAML takes it for what it is."""


Exact.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def load_all(text):
    return [document for document in yaml.load_all(text, Strict) if document]


def helm(binary, *args, values=None):
    """One call of helm; raises with its message when it refuses."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        if values is not None:
            yaml.dump(values, file, Exact, width=10**9)
            file.flush()
            args += ("-f", file.name)
        done = subprocess.run([binary, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout


def render(values=None, release="lt", files=(), more=(), binary=HELMS[1]):
    files = [part for file in files for part in ("-f", str(file))]
    return load_all(helm(binary, "template", release, str(CHART), *files, *more, values=values))


def pod_specs(objects):
    """Each pod template or pod: (object, its metadata, its spec)."""
    for obj in objects:
        spec = obj.get("spec", {})
        if obj["kind"] == "Pod":
            yield obj, obj["metadata"], spec
        elif obj["kind"] in ("Job", "Deployment"):
            yield obj, spec["template"]["metadata"], spec["template"]["spec"]
        elif obj["kind"] == "CronJob":
            template = spec["jobTemplate"]["spec"]["template"]
            yield obj, template["metadata"], template["spec"]


def one(objects, kind, suffix=""):
    found = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(suffix)]
    assert len(found) == 1, [(o["kind"], o["metadata"]["name"]) for o in objects]
    return found[0]
