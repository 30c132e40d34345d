"""`python -m tests.matrix`: run all cells and write docs/compatibility.md."""

from tests.matrix.page import PAGE, written

PAGE.write_text(written(), encoding="utf-8")
