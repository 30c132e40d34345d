"""Opening what one was told."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from portal.keys.models import Notice
from portal.people.access import current_viewer, requires
from portal.people.permissions import SIGNED_IN


@requires(SIGNED_IN)
@require_GET
def open_notice(request: HttpRequest, notice_id: str) -> HttpResponse:
    """Mark one's own notice as read and go where it leads."""
    notice = get_object_or_404(Notice.objects.filter(user=current_viewer(request).user), pk=notice_id)
    Notice.objects.filter(pk=notice.pk, read_at__isnull=True).update(read_at=timezone.now())
    return redirect(notice.path or "home")
