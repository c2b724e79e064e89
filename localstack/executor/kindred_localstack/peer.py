"""Who may speak to LocalStack and to the functions' Runtime API. Standard library only.

A stack without authentication that runs uploaded programs is for the user who started it, and for its own functions: other
users of the machine are told apart by the owner of their socket, which Linux shows in /proc/net/tcp. Elsewhere (macOS), and in
a container, whose peers are an engine's proxies, there is no such list: KINDRED_USERS is not set or not enforced there, and any
process of the machine may connect.

A web page is told apart by its Host header: a name that was rebound to 127.0.0.1 still is that name.
"""
import ipaddress
import os
import re
import socket
import struct

ESTABLISHED = "01"
# Names that lead to this machine for everybody: nobody can rebind them.
LOCAL_NAMES = ("localhost", "localhost.localstack.cloud")


def users() -> frozenset[int] | None:
    """The numbers of the users who may connect; None when everybody may."""
    given = os.environ.get("KINDRED_USERS", "")
    if not given or not os.path.exists("/proc/net/tcp"):
        return None
    return frozenset(int(number) for number in given.split(","))


def owner(peer: tuple, local: tuple, tables=("/proc/net/tcp", "/proc/net/tcp6")) -> int | None:
    """The user whose socket is the other end of a connection; None when there is none.

    A socket that its process has closed shows user 0, so only one that is established and still belongs to a file counts.
    """
    wanted = {(_hex(*peer[:2], width), _hex(*local[:2], width)) for width in (4, 16)}
    for table in tables:
        try:
            with open(table) as file:
                next(file)  # headings
                for line in file:
                    fields = line.split()
                    if fields[3] == ESTABLISHED and fields[9] != "0" and (fields[1], fields[2]) in wanted:
                        return int(fields[7])
        except (FileNotFoundError, StopIteration):
            continue
    return None


def admitted(peer: tuple, local: tuple, allowed: frozenset[int] | None) -> bool:
    return allowed is None or owner(peer, local) in allowed


def _hex(host: str, port: int, width: int) -> str:
    """An address as /proc/net/tcp has it, an IPv4 one also as IPv6 maps it (width 16): words in the machine's byte order."""
    packed = ipaddress.ip_address(host).packed
    if len(packed) == 4 and width == 16:
        packed = bytes(10) + b"\xff\xff" + packed
    words = struct.unpack(f">{len(packed) // 4}I", packed)
    return "".join(f"{socket.htonl(word):08X}" for word in words) + f":{port:04X}"


def local_host(header: str | None) -> bool:
    """Whether a Host header names this machine in a way that no DNS record can fake.

    AWS's clients put an account number in front of the host when they call S3 Control: 000000000000.127.0.0.1. No DNS name ends
    in a number, so this form cannot be faked either.
    """
    if not header:  # HTTP/1.0, which no browser speaks
        return True
    host = header.strip().lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    host = re.sub(r"^[0-9]{12}\.", "", host.rstrip("."))
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return host in LOCAL_NAMES or host.endswith(tuple("." + name for name in LOCAL_NAMES))
