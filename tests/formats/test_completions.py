"""Completions asked of the shells themselves: zsh at a terminal, as it completes nowhere else, and fish.

    python -m unittest test_completions    (LOADTESTER: the program; target/release/loadtester)
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("LOADTESTER", str(ROOT / "target/release/loadtester"))
PATIENCE_SECONDS = 20


def script(shell):
    return subprocess.check_output([PROGRAM, "--completions", shell], text=True)


class Terminal:
    """A shell that believes somebody is typing."""

    def __init__(self, *command, **environment):
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", **environment})

    def type(self, text):
        os.write(self.end, text.encode())

    def hear(self, mark):
        """Everything said until `mark` is."""
        said, until = "", time.monotonic() + PATIENCE_SECONDS
        while mark not in said:
            if time.monotonic() > until or not select.select([self.end], [], [], 0.1)[0]:
                if time.monotonic() > until:
                    raise AssertionError(f"{mark!r} was not said, but {said!r}")
                continue
            said += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x08|\r", "", os.read(self.end, 4096).decode(errors="replace"))
        return said

    def close(self):
        os.close(self.end)
        os.waitpid(self.pid, 0)


class Completions(unittest.TestCase):
    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_completes_flags_and_words(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "_loadtester").write_text(script("zsh"))
            zsh = Terminal("zsh", "-f", "-i")
            self.addCleanup(zsh.close)
            zsh.type(f"PS1=; unsetopt zle_bracketed_paste; fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy\n")
            zsh.hear("ready\n")
            for typed, completed in [
                ("loadtester --timest", "loadtester --timestamps "),
                ("loadtester --timestamps k", "loadtester --timestamps kernel "),
                ("loadtester --role t", "loadtester --role target "),
                ("loadtester --completions f", "loadtester --completions fish "),
                ("loadtester hel", "loadtester help "),
                ("loadtester help exi", "loadtester help exit-codes "),
            ]:
                zsh.type(f"{typed}\t")
                zsh.hear(completed)
                zsh.type("\x15")

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish_completes_flags_words_and_files(self):
        def offered(line):
            run = subprocess.run(
                ["fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", self.path, line],
                capture_output=True, text=True, timeout=PATIENCE_SECONDS,
            )
            self.assertEqual((run.returncode, run.stderr), (0, ""), line)
            return [one.split("\t")[0] for one in run.stdout.splitlines()]

        with tempfile.TemporaryDirectory() as folder:
            self.path = os.path.join(folder, "loadtester.fish")
            pathlib.Path(self.path).write_text(script("fish"))
            self.assertEqual(offered("loadtester --timest"), ["--timestamps"])
            self.assertEqual(offered("loadtester --timestamps k"), ["kernel"])
            self.assertEqual(sorted(offered("loadtester --completions ")), ["bash", "fish", "zsh"])
            self.assertEqual(offered("loadtester --plan /etc/hostn"), ["/etc/hostname"])
            self.assertEqual(offered("loadtester -d "), [])
            self.assertEqual(offered("loadtester --duration "), [])
            self.assertIn("help", offered("loadtester hel"))
            self.assertEqual(offered("loadtester help exit"), ["exit-codes"])


if __name__ == "__main__":
    unittest.main()
