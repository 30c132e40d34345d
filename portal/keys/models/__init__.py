"""Tables of keys and exceptions."""

from portal.keys.models.key import Key, KeyModel, KeySecret
from portal.keys.models.notice import Notice
from portal.keys.models.request import Approval, KeyRequest

__all__ = ["Approval", "Key", "KeyModel", "KeyRequest", "KeySecret", "Notice"]
