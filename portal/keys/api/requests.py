"""Exceptions over REST: the same actions as the pages."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Quota
from catalog.models import Model
from portal.keys.actions.decisions import approve, deny
from portal.keys.actions.requests import ask, edit, withdraw
from portal.keys.api.keys import ERRORS
from portal.keys.api.naming import amount_in, team_named
from portal.keys.api.shapes import DecideIn, ErrorOut, RequestEditIn, RequestIn, RequestOut
from portal.keys.api.view import ApiView
from portal.keys.models import Key, KeyRequest


def answer(request_id: str) -> Response:
    return Response(RequestOut(KeyRequest.objects.for_list().get(pk=request_id)).data)


def amount_of(request: KeyRequest, wanted: dict[str, Any]) -> int | None:
    """Read the amount in the unit of the request's limit."""
    text = wanted.get("amount")
    return amount_in(request.metric, text, "amount") if text is not None and request.metric else None


class RequestList(ApiView):
    """Own requests, those that wait for one's decision, or all that one may see."""

    permission = "requests.own"
    serializer_class = RequestIn

    @extend_schema(
        operation_id="requests_list",
        summary="List requests",
        parameters=[
            OpenApiParameter("whose", str, enum=["mine", "inbox", "all"]),
            OpenApiParameter("status", str, enum=KeyRequest.Status.values),
        ],
        responses={200: RequestOut(many=True), 401: ErrorOut},
    )
    def get(self, request: Request) -> Response:
        viewer, whose = self.viewer, request.query_params.get("whose", "mine")
        rows = KeyRequest.objects.visible_to(viewer)
        if whose == "inbox":
            rows = KeyRequest.objects.decidable_by(viewer).open()
        elif whose != "all":
            rows = rows.filter(requester=viewer.user)
        if (state := request.query_params.get("status")) in KeyRequest.Status.values:
            rows = rows.filter(status=state)
        page = self.paginate_queryset(rows.for_list())
        return self.get_paginated_response(RequestOut(page or [], many=True).data)

    @extend_schema(operation_id="requests_ask", summary="Ask for an exception", responses={201: RequestOut, **ERRORS})
    def post(self, request: Request) -> Response:
        wanted, viewer = self.checked(request), self.viewer
        key = get_object_or_404(Key.objects.filter(owner=viewer.user), pk=wanted["key"]) if wanted.get("key") else None
        model = get_object_or_404(Model.objects.listed(), slug=wanted["model"]) if wanted.get("model") else None
        quota = get_object_or_404(Quota, pk=wanted["quota"]) if wanted.get("quota") else None
        if quota is not None and "amount" not in wanted:
            raise ValidationError({"amount": ["Say how much more."]})
        asked = ask(
            actor=self.actor,
            kind=wanted["kind"],
            team=key.team if key and not wanted.get("team") else team_named(viewer, wanted.get("team")),
            reason=wanted["reason"],
            until=wanted["until"],
            model=model,
            key=key,
            quota=quota,
            amount=amount_in(quota.metric, wanted["amount"], "amount") if quota else None,
        )
        created = answer(asked.pk)
        created.status_code = 201
        return created


class RequestDetail(ApiView):
    """One request."""

    permission = "requests.own"
    serializer_class = RequestEditIn

    @extend_schema(operation_id="requests_read", summary="Read a request", responses={200: RequestOut, **ERRORS})
    def get(self, request: Request, request_id: str) -> Response:
        return answer(get_object_or_404(KeyRequest.objects.visible_to(self.viewer), pk=request_id).pk)

    @extend_schema(operation_id="requests_edit", summary="Edit an open request", responses={200: RequestOut, **ERRORS})
    def patch(self, request: Request, request_id: str) -> Response:
        mine = KeyRequest.objects.filter(requester=self.viewer.user).for_list()
        row = get_object_or_404(mine, pk=request_id)
        wanted = self.checked(request)
        amount = row.amount if "amount" not in wanted else amount_of(row, wanted)
        edit(
            actor=self.actor,
            request=row,
            version=wanted["version"],
            reason=wanted["reason"],
            until=wanted["until"],
            amount=amount,
        )
        return answer(row.pk)


class RequestWithdraw(ApiView):
    """Take back one's own open request."""

    permission = "requests.own"

    @extend_schema(
        operation_id="requests_withdraw",
        summary="Withdraw a request",
        request=None,
        responses={200: RequestOut, **ERRORS},
    )
    def post(self, request: Request, request_id: str) -> Response:
        row = get_object_or_404(KeyRequest.objects.filter(requester=self.viewer.user), pk=request_id)
        withdraw(actor=self.actor, request=row)
        return answer(row.pk)


class RequestDecide(ApiView):
    """Approve, narrow or deny somebody else's request."""

    permission = "requests.inbox"
    serializer_class = DecideIn

    @extend_schema(operation_id="requests_decide", summary="Decide on a request", responses={200: RequestOut, **ERRORS})
    def post(self, request: Request, request_id: str) -> Response:
        row = get_object_or_404(KeyRequest.objects.decidable_by(self.viewer).for_list(), pk=request_id)
        wanted = self.checked(request)
        if wanted["decision"] == "deny":
            deny(actor=self.actor, request=row, version=wanted["version"], words=wanted["words"])
        else:
            approve(
                actor=self.actor,
                request=row,
                version=wanted["version"],
                until=wanted.get("until"),
                amount=amount_of(row, wanted),
                words=wanted["words"],
            )
        return answer(row.pk)
