"""What the log keeps: which request a line belongs to, and a traceback where there is a defect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from gateway.ids import new_id

_request_id: ContextVar[str] = ContextVar("request_id", default="-")


class TracebackOfDefects(logging.Filter):
    """Drops the traceback of records below ERROR, such as Django's 403 and 404."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = None
            record.exc_text = None
        return True


class WithRequestId(logging.Filter):
    """Puts the id of the page's request into each record; "-" outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = getattr(getattr(record, "request", None), "request_id", _request_id.get())
        return True


@sync_and_async_middleware
def request_ids(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each request of the portal an id, which its log lines and its response carry."""
    if asyncio.iscoroutinefunction(get_response):
        following = cast(Callable[[HttpRequest], Awaitable[HttpResponseBase]], get_response)

        async def ahead(request: HttpRequest) -> HttpResponseBase:
            with _named(request) as request_id:
                response = await following(request)
            response["x-request-id"] = request_id
            return response

        return ahead

    def along(request: HttpRequest) -> HttpResponseBase:
        with _named(request) as request_id:
            response: HttpResponseBase = get_response(request)
        response["x-request-id"] = request_id
        return response

    return along


@contextmanager
def _named(request: HttpRequest) -> Iterator[str]:
    request_id = new_id("web")
    request.request_id = request_id  # type: ignore[attr-defined]  # Django itself logs refusals after the middleware
    token = _request_id.set(request_id)
    try:
        yield request_id
    finally:
        _request_id.reset(token)
