"""A browser without JavaScript: it opens pages and presses their buttons."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from intune_pipeline_tests.sandbox.conftest import TrustingSession


class Page(HTMLParser):
    """What a page says and the buttons its form has, with the values each sends."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.address = answer.url
        self.status = answer.status_code
        self.text = ""
        self.buttons: list[tuple[str, dict[str, str]]] = []
        self._hidden: dict[str, str] = {}
        self._pressed: dict[str, str] | None = None
        self._label = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values: dict[str, Any] = dict(attrs)
        if tag == "input":
            self._hidden[values["name"]] = values["value"]
        elif tag == "button":
            self._pressed, self._label = {values["name"]: values["value"]}, ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._pressed is not None:
            self.buttons.append((" ".join(self._label.split()), {**self._hidden, **self._pressed}))
            self._pressed = None

    def handle_data(self, data: str) -> None:
        self.text += data
        self._label += data


class Browser:
    """Keeps to the sandbox: a redirect elsewhere is returned, not followed."""

    def __init__(self, session: TrustingSession) -> None:
        self._session = session

    def open(self, address: str, **parameters: str) -> Page:
        """The page at an address."""
        return Page(self._session.get(address, params=parameters))

    def press(self, page: Page, label: str) -> Page | dict[str, str]:
        """Press the button whose text starts so: the next page, or the parameters the app is called back with."""
        (values,) = (values for text, values in page.buttons if text.startswith(label))
        answer = self._session.post(page.address, values, allow_redirects=False)
        if answer.is_redirect:
            query = parse_qs(urlsplit(answer.headers["location"]).query)
            return {name: value for name, (value,) in query.items()}
        return Page(answer)

    def leave(self, page: Page, label: str) -> dict[str, str]:
        """Press a button that leads back to the app."""
        back = self.press(page, label)
        assert isinstance(back, dict), back.text
        return back

    def stay(self, page: Page, label: str) -> Page:
        """Press a button that leads to another page."""
        following = self.press(page, label)
        assert isinstance(following, Page), following
        return following
