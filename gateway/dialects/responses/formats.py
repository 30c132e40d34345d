"""Responses for `gateway.dialects.registry`: as what clients speak. Providers that speak it get its bytes as they are."""

from gateway.dialects.canonical import Answer, Request
from gateway.dialects.responses.answer import write_answer
from gateway.dialects.responses.request import read_request
from gateway.dialects.responses.writer import ResponsesWriter
from gateway.types import ParsedRequest


class ResponsesClient:
    """See `ClientFormat`."""

    def read(self, request: ParsedRequest) -> Request:
        """See `ClientFormat.read`."""
        return read_request(request)

    def answer(self, request: ParsedRequest, answer: Answer) -> bytes:
        """See `ClientFormat.answer`."""
        return write_answer(request, answer)

    def writer(self, request: ParsedRequest) -> ResponsesWriter:
        """See `ClientFormat.writer`."""
        return ResponsesWriter(request)
