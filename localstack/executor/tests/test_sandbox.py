"""Runs small Python bootstraps against the Runtime API; no emulator needed: python3 -m unittest discover -s localstack/executor/tests"""
import os
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from kindred_localstack.sandbox import InitFailed, Invocation, Sandbox, SandboxDied, reachable  # noqa: E402

CLIENT = """#!%s
import http.client, os, sys, time, json
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}, **kw):
    api.request(method, path, body, headers, **kw); r = api.getresponse(); return r, r.read()
def next():
    r, body = call("GET", "/2018-06-01/runtime/invocation/next"); return r.headers, body
def respond(rid, body, kind="response", **kw):
    return call("POST", f"/2018-06-01/runtime/invocation/{rid}/{kind}", body, **kw)[0].status
RID = "Lambda-Runtime-Aws-Request-Id"
""" % sys.executable


class ReachableTest(unittest.TestCase):
    def test_addresses_in_a_container(self):
        table = "4566=127.0.0.1:4566,54320=postgres:5432"
        for value, want in {
            "http://127.0.0.1:4566": "http://127.0.0.1:4566",
            "postgres://u:p@127.0.0.1:54320/kindred?sslmode=disable": "postgres://u:p@postgres:5432/kindred?sslmode=disable",
            "u:p@tcp(localhost:33306)/shop": "u:p@tcp(host.docker.internal:33306)/shop",
            "127.0.0.1:543200": "host.docker.internal:543200",
            "10.127.0.0.1:4566,localhost": "10.127.0.0.1:4566,localhost",
            "no address": "no address",
        }.items():
            self.assertEqual(reachable(value, table), want)
            self.assertEqual(reachable(value, ""), value)


class SandboxTest(unittest.TestCase):
    def start(self, script: str, limit: int = 1000, **env) -> Sandbox:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        bootstrap = Path(folder.name) / "bootstrap"
        bootstrap.write_text(CLIENT + textwrap.dedent(script))
        bootstrap.chmod(0o755)
        sandbox = Sandbox(Path(folder.name), {"PATH": os.environ["PATH"], **env}, limit)
        self.addCleanup(sandbox.close)
        return sandbox

    def call(self, sandbox: Sandbox, payload: bytes = b"{}", seconds: float = 5, request_id: str = "r1"):
        return sandbox.invoke(Invocation(request_id, "arn:f", payload, "Root=1", time.time() + seconds))

    def test_answers_in_order_and_passes_the_headers(self):
        s = self.start("""
            while True:
                h, body = next()
                respond(h[RID], json.dumps([body.decode(), h["Lambda-Runtime-Trace-Id"], h["Lambda-Runtime-Invoked-Function-Arn"],
                    0 < int(h["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time() <= 5]))
        """)
        self.assertGreater(s.wait_ready(), 0)
        for i in range(3):
            self.assertEqual(self.call(s, b"%d" % i, request_id=f"r{i}"), (b'["%d", "Root=1", "arn:f", true]' % i, False))

    def test_error_answer(self):
        s = self.start("""h, _ = next(); respond(h[RID], '{"errorType":"E"}', "error"); next()""")
        self.assertEqual(self.call(s), (b'{"errorType":"E"}', True))

    def test_streamed_answer_is_joined(self):
        s = self.start("""h, _ = next(); respond(h[RID], iter([b"a", b"bc"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}); next()""")
        self.assertEqual(self.call(s), (b"abc", False))

    def test_time_limit_kills_with_children(self):
        s = self.start("""import subprocess; p = subprocess.Popen(["sleep", "60"]); print(p.pid, flush=True); next(); time.sleep(60)""")
        s.wait_ready()
        with self.assertRaisesRegex(SandboxDied, "Task timed out after 0.30 seconds") as caught:
            self.call(s, seconds=0.3)
        self.assertEqual(caught.exception.error_type, "Sandbox.Timedout")
        child = int(s.take_log())
        deadline = time.time() + 5
        while _running(child) and time.time() < deadline:
            time.sleep(0.01)
        self.assertFalse(_running(child))
        self.assertFalse(s.alive())

    def test_death_in_an_invocation(self):
        s = self.start("next(); sys.exit(7)")
        with self.assertRaisesRegex(SandboxDied, "Runtime exited with error: exit status 7"):
            self.call(s)

    def test_death_between_invocations_takes_nothing_with_it(self):
        s = self.start("""h, _ = next(); respond(h[RID], b"{}"); time.sleep(0.3); sys.exit(1)""")
        self.call(s)
        invocation = Invocation("r2", "arn:f", b"{}", "", time.time() + 5)
        with self.assertRaises(SandboxDied):
            s.invoke(invocation)
        self.assertFalse(invocation.taken)

    def test_death_at_start(self):
        with self.assertRaisesRegex(SandboxDied, "exit status 3"):
            self.start("print('no'); sys.exit(3)").wait_ready()

    def test_init_error(self):
        s = self.start("""call("POST", "/2018-06-01/runtime/init/error", b'{"errorType":"Bad"}'); time.sleep(60)""")
        with self.assertRaises(InitFailed) as caught:
            s.wait_ready()
        self.assertEqual(caught.exception.payload, b'{"errorType":"Bad"}')

    def test_close_while_starting_frees_the_waiter(self):
        s = self.start("time.sleep(60)")
        threading.Timer(0.1, s.close).start()
        with self.assertRaises(SandboxDied):
            s.wait_ready()

    def test_answer_over_the_limit(self):
        s = self.start("""h, _ = next(); print(respond(h[RID], b"x" * 1001), flush=True); next()""")
        body, is_error = self.call(s)
        self.assertTrue(is_error)
        self.assertIn(b"Function.ResponseSizeTooLarge", body)

    def test_late_answer_is_refused(self):
        s = self.start("""h, _ = next(); print(respond("other", b"{}"), flush=True); respond(h[RID], b"{}"); next()""")
        self.call(s)
        self.assertIn("400", s.take_log())

    def test_log_is_taken_once(self):
        s = self.start("""
            while True:
                h, body = next(); print(body.decode(), flush=True); respond(h[RID], b"{}")
        """)
        self.call(s, b"one")
        self.assertEqual(s.take_log(), "one\n")
        self.call(s, b"two", request_id="r2")
        self.assertEqual(s.take_log(), "two\n")

    def test_no_thread_or_process_stays(self):
        before = threading.active_count()
        for _ in range(5):
            s = self.start("""
                while True:
                    h, _ = next(); respond(h[RID], b"{}")
            """)
            self.call(s)
            s.close()
            self.assertFalse(s.alive())
        deadline = time.time() + 5
        while threading.active_count() > before and time.time() < deadline:
            time.sleep(0.02)
        self.assertLessEqual(threading.active_count(), before)

    def test_bootstrap_that_cannot_run(self):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(SandboxDied, "cannot start bootstrap"):
            Sandbox(Path(folder), {}, 1000)


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
