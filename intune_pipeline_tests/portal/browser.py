"""A browser without script: it follows links, redirects and refreshes, and submits forms, at the portal and elsewhere.

The portal answers in this process; whatever else a page leads to is asked over HTTPS.
"""

import re
import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

PORTAL = "https://portal.test"
_TYPED = {"hidden", "text", "search"}


@dataclass
class Form:
    """A form as it was sent."""

    method: str
    action: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    boxes: set[str] = field(default_factory=set)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self._form: Form | None = None
        self._button: tuple[str, str] | None = None
        self._link: str | None = None
        self._text = ""
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("method", "get"), given.get("action", ""))
            self.forms.append(self._form)
        elif tag == "a":
            self._link, self._text = given.get("href", ""), ""
        elif self._form is not None:
            self._in_form(tag, given)

    def _in_form(self, tag: str, given: dict[str, str]) -> None:
        assert self._form is not None
        if tag == "button":
            self._button, self._text = (given.get("name", ""), given.get("value", "")), ""
        elif tag == "select":
            self._select = given.get("name")
        elif tag == "option" and self._select and "selected" in given:
            self._form.fields.append((self._select, given.get("value", "")))
        elif tag == "input" and given.get("type", "text") in _TYPED:
            self._form.fields.append((given["name"], given.get("value", "")))
        elif (tag == "input" and given.get("type") == "radio") or (tag == "input" and given.get("type") == "checkbox"):
            self._form.boxes.add(given["name"])
            if "checked" in given:
                self._form.fields.append((given["name"], given.get("value", "on")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "button" and self._form is not None and self._button is not None:
            self._form.buttons.append((" ".join(self._text.split()), *self._button))
            self._button = None
        elif tag == "a" and self._link is not None:
            self.links.append((" ".join(self._text.split()), self._link))
            self._link = None

    def handle_data(self, data: str) -> None:
        self._text += data


class Browser:
    """One person's browser.

    Args:
        app: the portal.
        ca_bundle: what to trust elsewhere.
    """

    def __init__(self, app: FastAPI, ca_bundle: Path) -> None:
        self.portal = TestClient(app, base_url=PORTAL, follow_redirects=False)
        self._elsewhere = httpx2.Client(verify=ssl.create_default_context(cafile=ca_bundle), follow_redirects=False)
        self.visited: list[str] = []
        self.answer: httpx2.Response

    @property
    def text(self) -> str:
        """The page's source."""
        return self.answer.text

    @property
    def url(self) -> str:
        """Where we are."""
        return str(self.answer.url)

    @property
    def path(self) -> str:
        """Where we are, without the origin."""
        return urlsplit(self.url).path

    @property
    def title(self) -> str:
        """The page's heading."""
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.DOTALL)
        return " ".join(re.sub(r"<[^>]+>", "", found.group(1)).split()) if found else ""

    def open(self, address: str) -> "Browser":
        """Type an address."""
        return self._go("GET", urljoin(self.url, address) if self.visited else urljoin(PORTAL, address))

    def follow(self, text: str) -> "Browser":
        """Click the link with this text."""
        return self.open(next(href for shown, href in self._parsed().links if text in shown))

    def press(
        self, text: str, *, untick: tuple[str, ...] = (), tick: tuple[str, ...] = (), **typed: str | list[str]
    ) -> "Browser":
        """Press the button with this text, after filling in its form; a list ticks several boxes of one name."""
        for form in self._parsed().forms:
            for shown, name, value in form.buttons:
                if text in shown:
                    return self._submit(form, (name, value), untick, tick, typed)
        raise AssertionError(f"no button {text!r} on {self.url}")

    def open_as(self, user: str) -> "Browser":
        """On the sandbox's sign-in page, pick this user."""
        return self._pick("user", user)

    def pick_account(self, account: str) -> "Browser":
        """On the sandbox's Microsoft page, pick this account."""
        return self._pick("account", account)

    def _pick(self, name: str, value: str) -> "Browser":
        offered = [button[1:] for form in self._parsed().forms for button in form.buttons]
        assert (name, value) in offered, f"{value} is not offered at {self.url}: {offered}"
        return self._go("POST", self.url, {name: [value]})

    def has_button(self, text: str) -> bool:
        """Whether the page offers it."""
        return any(text in shown for form in self._parsed().forms for shown, _, _ in form.buttons)

    def form_token(self) -> str:
        """The page's form token."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.text)
        assert found, f"no form on {self.url}"
        return found.group(1)

    def _submit(
        self,
        form: Form,
        button: tuple[str, str],
        untick: tuple[str, ...],
        tick: tuple[str, ...],
        typed: dict[str, str | list[str]],
    ) -> "Browser":
        fields = [pair for pair in form.fields if pair[0] not in {*untick, *tick, *typed}]
        fields += [(name, "true") for name in tick]
        fields += [
            (name, one) for name, given in typed.items() for one in ([given] if isinstance(given, str) else given)
        ]
        fields += [button] if button[0] else []
        address = urljoin(self.url, form.action) if form.action else self.url
        data: dict[str, list[str]] = {}
        for name, value in fields:
            data.setdefault(name, []).append(value)
        return self._go(form.method.upper(), address, data)

    def _go(self, method: str, address: str, data: dict[str, list[str]] | None = None) -> "Browser":
        for _ in range(10):
            self.visited.append(address)
            client = self.portal if address.startswith(PORTAL) else self._elsewhere
            if method == "GET":
                self.answer = client.request("GET", address, params=data)
            else:
                self.answer = client.request(method, address, data=data)
            refresh = re.search(r'<meta http-equiv="refresh" content="0; url=([^"]+)"', self.answer.text)
            if self.answer.is_redirect:
                onward = self.answer.headers["location"]
            elif refresh:
                onward = refresh.group(1).replace("&amp;", "&")
            else:
                return self
            address, method, data = urljoin(address, onward), "GET", None
        raise AssertionError(f"redirected in circles: {self.visited[-10:]}")

    def _parsed(self) -> _Forms:
        parser = _Forms()
        parser.feed(self.text)
        return parser
