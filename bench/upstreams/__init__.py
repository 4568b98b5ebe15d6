"""What the proxies talk to: nginx for answers, a sink for uploads, a source of event streams."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from string import Template

from ..missing import program
from ..processes import Processes, Running, free_port

HERE = Path(__file__).parent

#: The small exchange: 79 bytes there, 246 back, as an AI API's shortest.
QUESTION = b'{"model":"gpt-4","messages":[{"role":"user","content":"hello there, friend!"}]}'
ANSWER = (
    b'{"id":"chatcmpl-123","object":"chat.completion","created":1700000000,"model":"gpt-4",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":'
    b'"Hello there, how may I assist you today?"},"finish_reason":"stop"}],'
    b'"usage":{"total_tokens":2048}}'
)
BULK = 10_000_000
HUGE = 100_000_000


def start_nginx(processes: Processes, folder: Path) -> Running:
    """Answers ``/v1/chat``, ``/me`` (a session service), ``/file/bulk`` and ``/file/huge``."""
    port = free_port()
    files = folder / "file"
    files.mkdir(parents=True)
    for name, size in (("bulk", BULK), ("huge", HUGE)):
        with (files / name).open("wb") as file:
            file.truncate(size)
    text = Template((HERE / "nginx.conf").read_text()).substitute(
        user=user_line(), port=port, folder=folder, answer=ANSWER.decode()
    )
    (folder / "nginx.conf").write_text(text)
    return processes.start("nginx upstream", nginx_command(folder), port, folder)


def nginx_command(folder: Path) -> list[str]:
    return [program("nginx"), "-p", str(folder), "-e", "error.log", "-c", "nginx.conf"]


def user_line() -> str:
    """Root's nginx would hand its workers to a user who can't read the temporary folder."""
    return "user root;" if os.getuid() == 0 else ""


def start_sink(processes: Processes, folder: Path) -> Running:
    """Takes any body, answers with its size."""
    port = free_port()
    command = [sys.executable, str(HERE / "sink.py"), str(port)]
    return processes.start("sink upstream", command, port, folder)


def start_events(processes: Processes, folder: Path) -> Running:
    """Answers with one event a second, for ever."""
    port = free_port()
    command = [sys.executable, str(HERE / "events.py"), str(port)]
    return processes.start("events upstream", command, port, folder)
