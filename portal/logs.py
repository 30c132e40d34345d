"""What the log keeps: a traceback belongs to a defect, not to a visitor who was refused a page."""

import logging


class TracebackOfDefects(logging.Filter):
    """Drops the traceback of records below ERROR, such as Django's 403 and 404."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.ERROR:
            record.exc_info = None
            record.exc_text = None
        return True
