"""What the tests of this folder share."""

import os
import pathlib
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("LOADTESTER", ROOT / "target/release/loadtester"))


def require(**needed):
    """Skip unless everything is there: `require(root=..., mandoc=...)`. With CI=true nothing may be missing."""
    missing = [name.replace("_", "-") for name, there in needed.items() if not there]
    if missing and os.environ.get("CI") == "true":
        raise AssertionError(f"{', '.join(missing)} is missing, and with CI=true that is a failure")
    if missing:
        raise unittest.SkipTest(f"without {', '.join(missing)}")


def programs(*names):
    return {name.replace("-", "_"): shutil.which(name) for name in names}


def run(*command, **options):
    """Run a command that has to succeed; its output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=options.pop("cwd", ROOT), **options
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def version():
    return run(PROGRAM, "--version").split()[-1]
