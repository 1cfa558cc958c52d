"""A static program in a root directory that holds nothing but itself. deploy/static.sh runs this in a network namespace.

    LOADTESTER=PROGRAM python3 -m unittest tests/install/static_binary.py    (as root, with port 53 of loopback free)
"""

import http.server
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

PROGRAM = pathlib.Path(os.environ["LOADTESTER"])
PT_DYNAMIC, PT_INTERP, DT_NEEDED = 2, 3, 1


class Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class NameServer(threading.Thread):
    """Knows one name, and counts who asked for it."""

    def __init__(self, name):
        super().__init__(daemon=True)
        self.known = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            name, kind = query[12:end - 4], query[end - 4:end - 2]
            known = name.lower() == self.known
            self.asked += known
            is_a = known and kind == b"\0\1"
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if is_a else b""
            flags = 0x8180 if known else 0x8183
            header = query[:2] + struct.pack(">HHHHH", flags, 1, int(is_a), 0, 0)
            self.socket.sendto(header + query[12:end] + answer, peer)


class StaticProgram(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copy(PROGRAM, self.root / "loadtester")
        self.assertEqual([file.name for file in self.root.iterdir()], ["loadtester"])

    def inside(self, *arguments):
        def enter():
            os.chroot(self.root)
            os.chdir("/")

        command = ["/loadtester", *arguments]
        done = subprocess.run(command, preexec_fn=enter, env={}, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def load(self, name):
        return self.inside(f"http://{name}:{self.server.server_port}/", "-n", "20", "--no-listen")

    def etc(self, name, text):
        (self.root / "etc").mkdir(exist_ok=True)
        (self.root / "etc" / name).write_text(text)

    def test_it_asks_for_no_loader_and_no_library(self):
        data = PROGRAM.read_bytes()
        self.assertEqual(data[:6], b"\x7fELF\x02\x01")
        offset, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
        for at in range(offset, offset + size * count, size):
            kind, _, begin, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
            self.assertNotEqual(kind, PT_INTERP)
            if kind == PT_DYNAMIC:
                tags = [struct.unpack_from("<Q", data, entry)[0] for entry in range(begin, begin + length, 16)]
                self.assertNotIn(DT_NEEDED, tags)

    def test_the_demo_runs_where_there_is_a_proc(self):
        (self.root / "proc").mkdir()
        subprocess.check_call(["mount", "-t", "proc", "proc", self.root / "proc"])
        self.addCleanup(subprocess.check_call, ["umount", self.root / "proc"])
        code, said = self.inside("--demo", "-d", "1s", "--no-listen")
        self.assertEqual(code, 0, said)

    def test_the_demo_says_what_it_misses_where_there_is_none(self):
        # It starts itself as its target.
        code, said = self.inside("--demo", "-d", "1s", "--no-listen")
        self.assertEqual(code, 3, said)
        self.assertIn("/proc", said)

    def test_it_loads_an_address_without_any_file(self):
        code, said = self.load("127.0.0.1")
        self.assertEqual(code, 0, said)

    def test_names_without_a_file_and_a_name_server_are_an_error(self):
        # `localhost` is a name like any other: the C library knows none by itself.
        for name in ["localhost", "from-hosts.example"]:
            code, said = self.load(name)
            self.assertEqual(code, 3, said)
            self.assertIn(f"`{name}` cannot be resolved", said)

    def test_etc_hosts_is_read(self):
        self.etc("hosts", "127.0.0.1 localhost from-hosts.example\n")
        for name in ["localhost", "from-hosts.example"]:
            code, said = self.load(name)
            self.assertEqual(code, 0, said)

    def test_a_name_server_is_asked(self):
        server = NameServer("from-dns.example")
        server.start()
        # A name server on loopback is also where libc looks without a file.
        for where, resolv in [("with resolv.conf", "nameserver 127.0.0.1\n"), ("without", None)]:
            with self.subTest(where):
                asked = server.asked
                if resolv:
                    self.etc("resolv.conf", resolv)
                else:
                    shutil.rmtree(self.root / "etc")
                code, said = self.load("from-dns.example")
                self.assertEqual(code, 0, said)
                self.assertGreater(server.asked, asked)
        code, said = self.load("unknown.example")
        self.assertEqual(code, 3, said)
        self.assertIn("unknown.example", said)


if __name__ == "__main__":
    unittest.main()
