"""The plain manifests in deploy/k8s: the chart's defaults, without what only Helm needs. Run it to write them."""

import yaml

from chart import TOP, one, render

FOLDER = TOP / "deploy/k8s"
HEADER = "# The chart's defaults as plain manifests, written by tests/deploy/plain.py; README.md says how to use them.\n"
VALUES = {
    "fullnameOverride": "loadtester",
    "runId": "run-1",
    # Nobody draws tokens here, and a manifest is no place for them.
    "tokens": {"existingSecret": "loadtester-tokens"},
}


class Readable(yaml.SafeDumper):
    """Texts of several lines as such; no aliases."""

    def ignore_aliases(self, data):
        return True


Readable.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def without_helm(value):
    if isinstance(value, dict):
        ours = ("helm.sh/chart", "app.kubernetes.io/managed-by")
        return {key: without_helm(inner) for key, inner in value.items() if key not in ours}
    return [without_helm(inner) for inner in value] if isinstance(value, list) else value


def manifests():
    """File name to text."""
    objects = [without_helm(obj) for obj in render(VALUES, "loadtester", more=["--no-hooks"])]
    files = {
        "account.yaml": [one(objects, "ServiceAccount")],
        "plan.yaml": [one(objects, "ConfigMap", "-plan-run-1")],
        "coordinator.yaml": [one(objects, "Service", "-svc"), one(objects, "Job", "-coordinator-run-1")],
        "workers.yaml": [one(objects, "Job", "-worker-run-1")],
        "demo-target.yaml": [one(objects, "Service", "-target"), one(objects, "Deployment", "-target")],
    }
    assert sum(map(len, files.values())) == len(objects), "the chart renders something that has no file here"
    texts = {name: HEADER + yaml.dump_all(parts, Dumper=Readable, sort_keys=False, width=120, allow_unicode=True)
             for name, parts in files.items()}
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": list(files)}
    texts["kustomization.yaml"] = HEADER + yaml.dump(kustomization, sort_keys=False)
    return texts


def paths(values, prefix=""):
    """The values that a README describes, by path: those one can set, not what they hold."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        whole = ("resources", "podSecurityContext", "securityContext", "labels", "annotations")
        if isinstance(value, dict) and value and key not in whole:
            yield from paths(value, f"{path}.")
        else:
            yield path


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in manifests().items():
        (FOLDER / name).write_text(text)
