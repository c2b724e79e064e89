"""The owner of a connection and the Host header: python3 -m unittest discover -s localstack/executor/tests"""
import os
import socket
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from kindred_localstack import peer  # noqa: E402
from kindred_localstack.sandbox import _RuntimeApi  # noqa: E402

LINUX = os.path.exists("/proc/net/tcp")
STRANGER = 61000  # no user of this machine


def connection(family=socket.AF_INET, host="127.0.0.1"):
    server = socket.create_server((host, 0), family=family)
    client = socket.create_connection(server.getsockname()[:2])
    accepted, address = server.accept()
    server.close()
    return client, accepted, address


class OwnerTest(unittest.TestCase):
    @unittest.skipUnless(LINUX, "other systems have no /proc/net/tcp")
    def test_this_user_owns_its_connection(self):
        client, accepted, address = connection()
        with client, accepted:
            self.assertEqual(peer.owner(address, accepted.getsockname()), os.getuid())
            self.assertTrue(peer.admitted(address, accepted.getsockname(), frozenset({os.getuid()})))
            self.assertFalse(peer.admitted(address, accepted.getsockname(), frozenset({os.getuid() + 1})))
            self.assertTrue(peer.admitted(address, accepted.getsockname(), None))

    @unittest.skipUnless(LINUX, "other systems have no /proc/net/tcp")
    def test_a_closed_socket_is_nobodys(self):
        """It shows user 0, so that a request could be sent and its sender gone before the owner is looked up."""
        client, accepted, address = connection()
        with accepted:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.close()
            self.assertIsNone(peer.owner(address, accepted.getsockname()))
            self.assertFalse(peer.admitted(address, accepted.getsockname(), frozenset({0, os.getuid()})))

    @unittest.skipUnless(LINUX, "other systems have no /proc/net/tcp")
    def test_an_ipv4_connection_of_an_ipv6_socket(self):
        """Java and others speak so."""
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET6) as client:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            try:
                client.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
            except OSError as e:
                self.skipTest(f"no IPv6 here: {e}")
            accepted, address = server.accept()
            with accepted:
                self.assertEqual(peer.owner(address, accepted.getsockname()), os.getuid())

    @unittest.skipUnless(LINUX and os.getuid() == 0, "only root can be another user")
    def test_another_user_gets_nothing_from_the_runtime_api(self):
        os.environ["KINDRED_USERS"] = "0"
        self.addCleanup(os.environ.pop, "KINDRED_USERS")
        api = _RuntimeApi(1000)
        self.addCleanup(api.close)
        ask = ["import http.client, os, sys", "os.setuid(int(sys.argv[2]))",
               "api = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=60)",
               "api.request('POST', '/2018-06-01/runtime/invocation/x/response', b'')", "print(api.getresponse().status)"]
        for user, want in ((0, "400"), (STRANGER, "")):
            out = subprocess.run([sys.executable, "-c", "\n".join(ask), str(api.server_port), str(user)], capture_output=True, text=True)
            self.assertEqual(out.stdout.strip(), want, out.stderr)


class HostTest(unittest.TestCase):
    def test_names_of_this_machine(self):
        for host in ("127.0.0.1:4566", "localhost", "LOCALHOST:4566", "[::1]:4566", "s3.localhost.localstack.cloud:4566", "x.localhost",
                     "localhost.", "10.0.0.1", "000000000000.127.0.0.1:4566", "000000000000.localhost", "", None):
            self.assertTrue(peer.local_host(host), host)
        for host in ("evil.example", "evil.example:4566", "localhost.evil.example", "127.0.0.1.nip.io", "localstack.cloud", "notlocalhost",
                     "evil-localhost.localstack.cloud", "127.0.0.1@evil.example", "000000000000.evil.example",
                     "0000000000000.127.0.0.1", "x.127.0.0.1"):
            self.assertFalse(peer.local_host(host), host)


if __name__ == "__main__":
    unittest.main()
