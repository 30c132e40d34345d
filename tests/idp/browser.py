"""A browser without a screen: it keeps cookies, follows redirects and fills in forms, over real HTTP."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx


@dataclass
class Form:
    """A form of a page: where it goes, and what it would send as it stands."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)


class Forms(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            self._open = True
        elif tag == "input" and self._open and given.get("name") and given.get("type") not in {"checkbox", "submit"}:
            self.found[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "form"


class Browser:
    """One person's browser. `page` is the last answer."""

    def __init__(self, base_url: str) -> None:
        self._client = httpx.Client(follow_redirects=True, timeout=30)
        self._base_url = base_url
        self.page = self.open("/people/roles")  # a deep link: it leads over the sign-in page

    def open(self, path: str) -> httpx.Response:
        self.page = self._client.get(urljoin(self._base_url, path))
        return self.page

    def forms(self) -> list[Form]:
        parser = Forms()
        parser.feed(self.page.text)
        return parser.found

    def form_to(self, part: str) -> Form:
        """Return the first form whose address holds `part`."""
        return next(form for form in self.forms() if part in urljoin(str(self.page.url), form.action))

    def submit(self, form: Form, **fields: str) -> httpx.Response:
        address = urljoin(str(self.page.url), form.action)
        origin = f"{self.page.url.scheme}://{self.page.url.netloc.decode()}"
        headers = {"Origin": origin, "Referer": str(self.page.url)}
        self.page = self._client.post(address, data=form.fields | fields, headers=headers)
        return self.page

    def send(self, part: str, **fields: str) -> httpx.Response:
        """Fill in and send the form whose address holds `part`."""
        return self.submit(self.form_to(part), **fields)

    @property
    def path(self) -> str:
        return self.page.url.path

    def cookie(self, name: str) -> str | None:
        return self._client.cookies.get(name)

    def close(self) -> None:
        self._client.close()
