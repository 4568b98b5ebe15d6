"""Runs test modules where there is no network but loopback.

Chromium binds every interface for WebRTC and asks for ``.local`` names by multicast. Here there is
nothing to bind and nobody to ask: a child trial in a network namespace of its own (unshare(1)).
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT = 240.0
# An interface like any machine's; what is sent to it stays in the namespace, where its peer is.
PAIR = ("naap0", "naap1")
_UP = "ip link set lo up"
_PAIR_UP = (
    f"{_UP} && ip link add {PAIR[0]} type veth peer name {PAIR[1]} && ip link set {PAIR[1]} up"
    f" && ip addr add 10.9.8.7/24 dev {PAIR[0]} && ip link set {PAIR[0]} up"
    f" && ip route add default dev {PAIR[0]}"
)


def _inside(*command: str, up: str = _UP) -> list[str]:
    # Who is not root is it in a user namespace, where the system lets them have one.
    flags = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    return ["unshare", *flags, "sh", "-c", f'{up} && exec "$0" "$@"', *command]


@cache
def missing(interface: bool = False) -> str | None:
    """Why there can be no network namespace here, with :data:`PAIR` or without, or ``None``."""
    command = _inside("true", up=_PAIR_UP if interface else _UP)
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        return "there is no unshare: apt-get install util-linux"
    if tried.returncode == 0:
        return None
    return f"can't make a network namespace (root can, with iproute2): {tried.stderr.strip()}"


def is_isolated() -> bool:
    """Whether this process has loopback, :data:`PAIR` perhaps, and nothing else."""
    return {name for _, name in socket.if_nameindex()} <= {"lo", *PAIR}


def run_trial(module: str, folder: str, interface: bool = False) -> tuple[int, str]:
    """Run *module*'s tests in a namespace; blocks. Exit status and all that was written.

    :param folder: for trial's own files.
    :param interface: with one beside loopback, :data:`PAIR`.
    """
    command = [sys.executable, "-m", "twisted.trial", "--temp-directory", folder, module]
    child = subprocess.Popen(
        _inside(*command, up=_PAIR_UP if interface else _UP),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # its Chromium, too
        output, _ = child.communicate()
        output += f"\nkilled after {TIMEOUT:.0f} seconds"
    return child.returncode, output
