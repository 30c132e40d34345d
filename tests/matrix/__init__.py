"""What every client dialect can say to every provider dialect, cell by cell: bytes in, bytes out, no server.

`python -m tests.matrix` writes docs/compatibility.md from what the cells did; a test fails while the page says otherwise.
"""
