"""Journals of gateways that have no disk which outlives them (`JOURNAL=database`)."""

from django.db import models


class JournalOwner(models.Model):
    """One gateway process and how much it has written. `seen_at` is its heartbeat, by the database's clock.

    Once it is `fenced` nothing is taken from it any more, so that its journal can be recovered while it may still run.
    """

    incarnation = models.CharField(max_length=40, primary_key=True)
    written = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()
    fenced = models.BooleanField(default=False)


class JournalGroup(models.Model):
    """Entries that were committed together: frames as in a journal's file. `upto` is the offset after them."""

    pk = models.CompositePrimaryKey("incarnation", "upto")
    incarnation = models.CharField(max_length=40)
    upto = models.BigIntegerField()
    data = models.BinaryField()
