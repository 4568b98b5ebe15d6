"""Logs each exchange as a structured line, and any event as a JSON line (``twisted.logger``).

``twistd --logger naap_twisted.observe.log.json_lines -n naap-proxy ...`` writes every event as a
JSON object on a line of its own.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from time import time
from typing import TYPE_CHECKING, Any, TextIO

from twisted.logger import FileLogObserver, ILogObserver, Logger, LogLevel, formatEvent, formatTime
from zope.interface import provider

if TYPE_CHECKING:
    from ..downstream.request import DownstreamRequest

#: Of the events of exchanges.
NAMESPACE = "naap.access"
_LONGEST = 4000
# json.dumps with separators would make a new encoder at every call.
_encode = json.JSONEncoder(separators=(",", ":")).encode
_quote = json.encoder.encode_basestring_ascii


class AccessLog:
    """Writes the line of each finished exchange.

    The line has the fields of :class:`naap_twisted.downstream.record.ExchangeRecord`, and never a
    header's value, a query string, a path below a pinned route or a body.
    """

    def __init__(self, logger: Logger | None = None) -> None:
        self._log = logger or Logger(NAMESPACE)

    def __call__(self, request: DownstreamRequest) -> None:
        log = self._log
        # This is the event that Logger.info would make, without its walk over all log levels.
        log.observer(
            {
                "log_logger": log,
                "log_level": LogLevel.info,
                "log_namespace": log.namespace,
                "log_source": None,
                "log_format": "{line}",
                "log_time": time(),
                "line": access_line(request),
                "exchange": request,
            }
        )


def access_line(request: DownstreamRequest) -> str:
    """The line, in JSON; for a successful exchange it is formatted without an encoder."""
    record = request.record
    if record.outcome != "ok" or not record.target or record.replayed:
        return _encode(access_fields(request))
    # The auth service or the token chose the id, so it needs quoting, and no cache of quoted ids.
    user = "" if record.user is None else f'"user":{_quote(record.user.id)},'
    phases = ",".join([f'"{name}":{seconds * 1000:.3f}' for name, seconds in record.phases.items()])
    return (
        f'{{"request_id":"{record.request_id}","method":"{request.method.decode("ascii")}",'
        f'"route":{_quoted(record.route)},"status":{request.code},"outcome":"ok",'
        f'"bytes_in":{record.bytes_in},"bytes_out":{record.bytes_out},'
        f'"ms":{(request.site.ticker.now() - record.started) * 1000:.3f},'
        f'"target":"{record.target}","upstream_status":{record.upstream_status},'
        f'{user}"phases":{{{phases}}}}}'
    )


@lru_cache(maxsize=1024)
def _quoted(route: str) -> str:
    return _encode(route)


def access_fields(request: DownstreamRequest) -> dict[str, Any]:
    """The line's fields; times in milliseconds, sizes in bytes."""
    record = request.record
    fields: dict[str, Any] = {
        "request_id": record.request_id,
        "method": request.method.decode("ascii", "replace"),
        "route": record.route,
        "status": request.code if request.startedWriting else 0,
        "outcome": record.outcome,
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
        "ms": _ms(request.site.ticker.now() - record.started),
    }
    told = {
        "target": record.target,
        "upstream_status": record.upstream_status,
        "replayed": record.replayed,
        "reason": "" if record.outcome == "ok" else record.reason,
        "user": "" if record.user is None else record.user.id,
        "phases": {name: _ms(seconds) for name, seconds in record.phases.items()},
    }
    return fields | {name: value for name, value in told.items() if value}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def json_observer(out: TextIO) -> FileLogObserver:
    """An observer that writes every event to *out* as a JSON object on a line."""

    def line(event: Any) -> str:
        level = event.get("log_level", LogLevel.info)
        fields: dict[str, Any] = {
            "time": formatTime(event.get("log_time")),
            "level": level.name,
            "system": event.get("log_namespace", "-"),
        }
        if "exchange" in event:
            fields.update(access_fields(event["exchange"]))
        elif "access_line" in event:  # of a worker, which has written it already
            fields.update(json.loads(event["access_line"]))
        else:
            fields["message"] = formatEvent(event)[:_LONGEST]
        if "log_failure" in event:
            fields["error"] = type(event["log_failure"].value).__name__
            fields["traceback"] = event["log_failure"].getTraceback()[-_LONGEST:]
        return json.dumps(fields) + "\n"

    return FileLogObserver(out, line)


@provider(ILogObserver)
def json_lines() -> FileLogObserver:
    """The observer for twistd's ``--logger``, which writes to standard output."""
    return json_observer(sys.stdout)
