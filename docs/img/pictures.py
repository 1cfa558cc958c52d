#!/usr/bin/env python3
"""Makes the pictures of the documents from real runs, and refreshes the output that README.md shows.

    cargo build --release
    python3 docs/img/pictures.py [PROGRAM]

It starts the demo target, runs the commands of README.md's quick start and writes run.svg, charts.svg and the output
of `--once`. It takes half a minute and needs nothing but Python. Run it on an idle machine: it tries again if a run is
disturbed, five times at most.
"""

import fcntl
import html
import os
import pathlib
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
README = TOP / "README.md"
ADDRESS = "127.0.0.1:8081"
COLUMNS = 100
ATTEMPTS = 5
# The scenario whose exchange README.md shows.
SHOWN_SCENARIO = "Create user"
CHARTS = ["by-percentile", "over-time"]

# The terminal: measures of a cell, and colors by SGR code. A color belongs to one theme, so the picture has its own ground.
CELL, LINE, FONT_SIZE = 8.4, 19, 14
GROUND, INK = "#1b1f24", "#d7dce2"
COLORS = {30: "#101316", 31: "#f28b82", 32: "#6cc592", 33: "#e0b153", 34: "#79a9f5", 35: "#c58af9", 36: "#5ecfcf", 37: "#ffffff"}


PLAIN = {"ink": None, "ground": None, "bold": False, "dim": False}


class Screen:
    """What a terminal shows, as far as the program uses one."""

    def __init__(self):
        self.rows, self.row, self.column, self.style = [[]], 0, 0, PLAIN
        self.below = None

    def feed(self, text):
        for found in re.finditer(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b.|(.)", text, re.S):
            parameters, letter, plain = found.groups()
            if letter:
                self.control(parameters, letter)
            elif plain == "\r":
                self.column = 0
            elif plain == "\n":
                self.down(1)
            elif plain:
                self.put(plain)

    def down(self, rows):
        self.row += rows
        while len(self.rows) <= self.row:
            self.rows.append([])

    def put(self, character):
        row = self.rows[self.row]
        row.extend([(" ", PLAIN)] * (self.column + 1 - len(row)))
        row[self.column] = (character, self.style)
        self.column += 1

    def control(self, parameters, letter):
        number = int(parameters) if parameters.isdigit() else 0
        if parameters == "?1049" and letter == "h":
            # Another screen, until the end of the run.
            self.below = (self.rows, self.row, self.column)
            self.rows, self.row, self.column = [[]], 0, 0
        elif parameters == "?1049" and letter == "l" and self.below:
            self.rows, self.row, self.column = self.below
            self.below = None
        elif letter == "m":
            for code in [int(p or 0) for p in parameters.split(";")]:
                self.select(code)
        elif letter == "K":
            del self.rows[self.row][0 if number == 2 else self.column:]
        elif letter == "J":
            del self.rows[self.row][self.column:], self.rows[self.row + 1:]
        elif letter == "H":
            self.row, self.column = 0, 0
        elif letter == "A":
            self.row = max(0, self.row - max(1, number))
        elif letter == "B":
            self.down(max(1, number))
        elif letter == "G":
            self.column = max(0, number - 1)

    def select(self, code):
        changes = {0: PLAIN, 1: {"bold": True}, 2: {"dim": True}, 22: {"bold": False, "dim": False},
                   39: {"ink": None}, 49: {"ground": None}}
        if 30 <= code <= 37 or 90 <= code <= 97:
            changes[code] = {"ink": code if code < 90 else code - 60}
        elif 40 <= code <= 47:
            changes[code] = {"ground": code - 10}
        self.style = {**self.style, **changes.get(code, {})}

    def lines(self):
        """The rows as stretches of one style, without spaces at their ends."""
        lines = []
        for row in self.rows:
            stretches = []
            for column, (character, style) in enumerate(row):
                if stretches and stretches[-1][2] == style:
                    stretches[-1][1] += character
                else:
                    stretches.append([column, character, style])
            lines.append([(at, text, style) for at, text, style in stretches if text.strip() or style["ground"]])
        while lines and not lines[-1]:
            lines.pop()
        return lines


def shown_on_terminal(program, arguments, folder):
    """The exit code and the screen after the program has run on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("NO_COLOR", "GITHUB_ACTIONS"):
        environment.pop(name, None)
    process = subprocess.Popen([program, *arguments], cwd=folder, env=environment,
                               stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    received = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            # The last writer has closed the terminal.
            break
        if not piece:
            break
        received += piece
    os.close(ours)
    screen = Screen()
    screen.feed(received.decode())
    return process.wait(), screen


def trustworthy(program, command, folder):
    """The screen of a trustworthy run that did not fail: the first that sent no request late, or the best of all."""
    noted = {}
    for _ in range(ATTEMPTS):
        code, screen = shown_on_terminal(program, shlex.split(command)[1:], folder)
        text = "\n".join("".join(c for c, _ in row) for row in screen.rows)
        if code == 0 and "NOT" not in text:
            late = re.search(r"note: ([\d,]+) requests? w", text)
            if not late:
                return screen
            noted[int(late[1].replace(",", ""))] = screen
        print(f"again: {command} ended with {code}\n{text}", file=sys.stderr)
    if not noted:
        sys.exit(f"{command}: no trustworthy run in {ATTEMPTS} attempts; is this machine busy?")
    return noted[min(noted)]


def terminal_picture(command, screen):
    prompt = [[(0, "$", {**PLAIN, "ink": 32, "bold": True}), (2, command, {**PLAIN, "bold": True})], []]
    lines = prompt + screen.lines()
    width, height = round(COLUMNS * CELL + 40), len(lines) * LINE + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(command)}">',
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>',
        f'<g fill="{INK}" font-size="{FONT_SIZE}" '
        "font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">",
    ]
    for i, color in enumerate(["#e0655c", "#dfb14a", "#5fb878"]):
        parts.append(f'<circle cx="{22 + 20 * i}" cy="20" r="6" fill="{color}"/>')
    for i, stretches in enumerate(lines):
        for at, text, style in stretches:
            attributes = f' fill="{COLORS[style["ink"]]}"' if style["ink"] else ""
            attributes += ' font-weight="bold"' if style["bold"] else ""
            attributes += ' opacity="0.7"' if style["dim"] else ""
            if style["ground"]:
                parts.append(
                    f'<rect x="{20 + at * CELL:.1f}" y="{40 + i * LINE}" width="{len(text) * CELL:.1f}" height="{LINE - 1}" '
                    f'fill="{COLORS[style["ground"]]}"/>'
                )
            for words in re.finditer(r"\S+( \S+)*", text):
                # Its place and its length keep each column in line, whatever the font.
                x, length = 20 + (at + words.start()) * CELL, len(words[0]) * CELL
                parts.append(
                    f'<text x="{x:.1f}" y="{54 + i * LINE}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
                    f"{attributes}>{html.escape(words[0])}</text>"
                )
    return "\n".join(parts + ["</g>", "</svg>", ""])


def charts_picture(page):
    """Two charts of an HTML report beside each other, with the style of the report."""
    style = "\n".join(re.findall(r"<style>(.*?)</style>", page, re.S))
    colors = "\n".join(re.findall(r"^(?::root|@media \(prefers-color-scheme: dark\)) \{.*?^\}$", style, re.S | re.M))
    # The rule for the whole chart would let it fill the page.
    rules = "\n".join(line for line in style.splitlines() if line.startswith(".chart "))
    rules = rules.replace(re.search(r"^\.chart \{.*\}$", rules, re.M)[0], "")
    figures = []
    for chart in CHARTS:
        found = re.search(rf'<svg class="chart"[^>]*viewBox="0 0 ([0-9.]+) ([0-9.]+)"[^>]*aria-labelledby="{chart}-title.*?</svg>', page, re.S)
        if not found:
            sys.exit(f"the report has no chart {chart}: has its markup changed?")
        title = re.search(rf'<title id="{chart}-title">(.*?)</title>', found[0])[1]
        figures.append((title, float(found[1]), float(found[2]), found[0]))
    gap, head = 24, 36
    width = sum(w for _, w, _, _ in figures) + gap * (len(figures) + 1)
    height = max(h for _, _, h, _ in figures) + head + gap
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}">',
        f"<style>{colors}\n{rules}\nsvg {{ font-family: system-ui, sans-serif; }}\n"
        ".heading { font-size: 15px; font-weight: 600; fill: var(--ink); }</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" style="fill: var(--card)"/>',
    ]
    x = gap
    for title, w, h, svg in figures:
        parts.append(f'<text class="heading" x="{x:g}" y="24">{title}</text>')
        parts.append(svg.replace("<svg ", f'<svg x="{x:g}" y="{head}" width="{w:g}" height="{h:g}" ', 1))
        x += w + gap
    return "\n".join(parts + ["</svg>", ""])


def section_of(text):
    return text.partition("\n## Quick start\n")[2].partition("\n## ")[0]


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TOP / "target/release/loadtester").resolve()
    readme = README.read_text()
    commands = re.findall(r"^loadtester .*$", section_of(readme), re.M)
    commands = [command for command in commands if "--role target" not in command]
    if len(commands) != 3:
        sys.exit(f"README.md's quick start has {len(commands)} commands, not three")
    plan = re.search(r"```yaml\n(.*?)```", section_of(readme), re.S)[1]
    target = subprocess.Popen([program, "--role", "target", "--listen", ADDRESS], stdout=subprocess.PIPE, text=True)
    try:
        if ADDRESS not in target.stdout.readline():
            sys.exit(f"the demo target does not listen on {ADDRESS}: is the port taken?")
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "loadplan.yaml").write_text(plan)
            (HERE / "run.svg").write_text(terminal_picture(commands[0], trustworthy(program, commands[0], folder)))
            once = subprocess.run([program, *shlex.split(commands[1])[1:]], cwd=folder, capture_output=True, text=True, check=True)
            trustworthy(program, commands[2], folder)
            (HERE / "charts.svg").write_text(charts_picture((folder / "result.html").read_text()))
    finally:
        target.terminate()
        target.wait()
    exchanges = re.split(r"\n\n(?=\S.*\n> )", once.stdout.strip())
    shown = next(text for text in exchanges if text.startswith(f"{SHOWN_SCENARIO}\n"))
    README.write_text(re.sub(r"```text\n.*?```", lambda _: f"```text\n{shown.strip()}\n```", readme, count=1, flags=re.S))


if __name__ == "__main__":
    main()
