"""Pages of the keys app."""

from django.urls import URLPattern, URLResolver, path

from portal.keys.views import inbox, keys, minting, narrowing, notices, requests, rotating, stopping

urlpatterns: list[URLPattern | URLResolver] = [
    path("keys", keys.key_list, name="keys-key-list"),
    path("keys/new", minting.mint, name="keys-key-mint"),
    path("keys/<slug:key_id>", keys.key_detail, name="keys-key-detail"),
    path("keys/<slug:key_id>/live", minting.live, name="keys-key-live"),
    path("keys/<slug:key_id>/narrow", narrowing.narrow, name="keys-key-narrow"),
    path("keys/<slug:key_id>/revoke", stopping.revoke, name="keys-key-revoke"),
    path("keys/<slug:key_id>/block", stopping.block, name="keys-key-block"),
    path("keys/<slug:key_id>/unblock", stopping.unblock, name="keys-key-unblock"),
    path("keys/<slug:key_id>/rotate", rotating.rotate, name="keys-key-rotate"),
    path("keys/<slug:key_id>/ask-rotation", rotating.ask, name="keys-key-ask-rotation"),
    path("requests", requests.request_list, name="keys-request-list"),
    path("requests/new", requests.new, name="keys-request-new"),
    path("requests/<slug:request_id>", requests.request_detail, name="keys-request-detail"),
    path("requests/<slug:request_id>/edit", requests.change, name="keys-request-edit"),
    path("requests/<slug:request_id>/withdraw", requests.take_back, name="keys-request-withdraw"),
    path("requests/<slug:request_id>/end", inbox.end, name="keys-request-end"),
    path("notices/<slug:notice_id>", notices.open_notice, name="keys-notice-open"),
    path("inbox", inbox.inbox_list, name="keys-inbox-list"),
    path("inbox/<slug:request_id>", inbox.decide, name="keys-inbox-decide"),
]
