"""``GET /usage``: what all callers spent, by user, route, model and day; for this machine only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from ..downstream.answer import OwnFields, own_fields, send
from ..downstream.answering import Answering, only
from ..errors import BadRequest, NotFound
from ..interfaces import IDownstreamRequest
from ..spend.totals import DIMENSIONS, Question
from .guard import check_host, check_local, check_same_origin
from .usage_formats import FORMATS, OPENMETRICS, Format

if TYPE_CHECKING:
    from ..server.plugin_server import PluginServer

#: Rows of one answer: as many as a browser shows, and at most.
USUAL_ROWS, MOST_ROWS = 1_000, 10_000
_MOST_OFFSET = 10_000_000
_MOST_PARAMETERS = 20
_USUAL_BY = ("day", "user", "route", "model")
_FILTERS = ("user", "route", "model")
_DAY = re.compile(r"\d{4}-\d{2}(?:-\d{2})?", re.ASCII)
_NUMBER = re.compile(r"\d{1,8}", re.ASCII)


class UsageTotals(Answering):
    """Answers with JSON, CSV or OpenMetrics, as the query or Accept asks for.

    The rows hold users' names, so that they are for connections from this machine and for no page
    of another origin, as the console is.
    """

    def __init__(self, server: PluginServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server

    async def serve(self, request: IDownstreamRequest) -> None:
        """Answer a caller on this machine that is no page of another origin.

        :raises ProxyError: the caller may not ask, or the question is none.
        """
        check_local(request)
        host = check_host(request, self._server.parts.options.server_names)
        check_same_origin(request, host)
        if request.postpath:
            raise NotFound()
        only(request, b"GET", b"HEAD")
        book = self._server.parts.state.usage
        if book is None:
            raise NotFound("No usage is kept here: set state_dir or database_url")
        values = parameters_of(request.uri)
        form = format_of(values, request.requestHeaders.getRawHeaders(b"accept", []))
        question = question_of(values, form)
        totals = await book.totals(question)
        payload = form.write(question, totals)
        fields: OwnFields = own_fields(payload, form.content_type)
        if form.file_name:
            fields += ((b"Content-Disposition", b'attachment; filename="%b"' % form.file_name),)
        if totals.more:
            start = question.offset + question.limit
            fields += ((b"Link", b'<%b>; rel="next"' % next_page(values, start)),)
        send(request, 200, fields, payload)


def parameters_of(uri: bytes) -> dict[str, str]:
    """The parameters of a request's URI.

    :raises BadRequest: one is unknown, or there twice.
    """
    query = uri.partition(b"?")[2]
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=_MOST_PARAMETERS,
            errors="strict",
        )
    except ValueError:
        raise BadRequest("The query can't be read") from None
    values = dict(pairs)
    known = ("by", "from", "to", "limit", "offset", "format", *_FILTERS)
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise BadRequest(f"Parameters are {', '.join(known)}", param=unknown[0][:100])
    if len(values) < len(pairs):
        raise BadRequest("A parameter is there twice")
    return values


def format_of(values: Mapping[str, str], accept: list[bytes]) -> Format:
    """The format that is asked for: by name, else the first known one of Accept, else JSON.

    :raises BadRequest: there is none of this name.
    """
    name = values.get("format")
    if name is not None:
        if name not in FORMATS:
            raise BadRequest(f"format is one of {', '.join(FORMATS)}", param="format")
        return FORMATS[name]
    for kind in b",".join(accept).split(b","):
        for form in FORMATS.values():
            if kind.partition(b";")[0].strip().lower() == form.content_type.partition(b";")[0]:
                return form
    return FORMATS["json"]


def question_of(values: Mapping[str, str], form: Format) -> Question:
    """The question that a query is.

    :raises BadRequest: a value is none.
    """
    by = tuple(filter(None, values.get("by", ",".join(_USUAL_BY)).split(",")))
    if not set(by) <= set(DIMENSIONS) or len(set(by)) < len(by):
        raise BadRequest(f"by lists some of {', '.join(DIMENSIONS)}, each once", param="by")
    where = {name: values[name] for name in _FILTERS if name in values}
    if any("\0" in value for value in where.values()):
        raise BadRequest("No name has a NUL in it")  # PostgreSQL would call the text invalid.
    usual = MOST_ROWS if form is OPENMETRICS else USUAL_ROWS
    return Question(
        by,
        where,
        first=_day(values, "from"),
        last=_day(values, "to"),
        limit=max(1, _number(values, "limit", usual, MOST_ROWS)),
        offset=_number(values, "offset", 0, _MOST_OFFSET),
    )


def _day(values: Mapping[str, str], name: str) -> str:
    """A day, or a month, which counts whole."""
    text = values.get(name, "")
    if not text:
        return ""
    try:
        if _DAY.fullmatch(text):
            date.fromisoformat(text if len(text) > 7 else f"{text}-01")
            # What an older version counted by month comes before the days of its month.
            return f"{text}-31" if name == "to" and len(text) == 7 else text
    except ValueError:
        pass
    raise BadRequest(f"{name} is a day such as 2026-11-26, or a month", param=name)


def _number(values: Mapping[str, str], name: str, usual: int, most: int) -> int:
    text = values.get(name, str(usual))
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise BadRequest(f"{name} is a number up to {most}", param=name)
    return int(text)


def next_page(values: Mapping[str, str], offset: int) -> bytes:
    """The reference of the page that begins at *offset*."""
    return b"/usage?" + urlencode({**values, "offset": str(offset)}).encode("ascii")
