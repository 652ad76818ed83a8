"""Reading pages as a browser without JavaScript would: their forms, texts and links."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from tests.support.markup import Reader


@dataclass
class Form:
    """A form with the values it would send, and its buttons."""

    action: str
    method: str
    fields: dict[str, list[str]]
    buttons: list[dict[str, str]]

    def values(self, **changes: str) -> dict[str, list[str] | str]:
        """What would be posted, without the protection that the test client leaves out."""
        kept: dict[str, list[str] | str] = {
            name: values for name, values in self.fields.items() if name != "csrfmiddlewaretoken"
        }
        return {**kept, **changes}


class _Forms(Reader):
    def __init__(self) -> None:
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._area = ""

    def start(self, tag: str, given: dict[str, str]) -> None:
        """Note a form and its fields."""
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get"), {}, [])
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag == "input":
            boxes = ("radio", "checkbox")
            if given.get("name") and not (given.get("type") in boxes and "checked" not in given):
                self._open.fields.setdefault(given["name"], []).append(given.get("value", ""))
        elif tag == "textarea":
            self._area = given.get("name", "")
            self._open.fields[self._area] = [""]
        elif tag == "button":
            self._open.buttons.append(given)

    def text(self, text: str) -> None:
        """What stands in a text area is its value."""
        if self._area and self._open is not None:
            self._open.fields[self._area][0] += text

    def end(self, tag: str) -> None:
        """Close what the tag closes."""
        if tag == "textarea":
            self._area = ""
        if tag == "form":
            self._open = None


def forms(page: bytes) -> list[Form]:
    """Every form of a page."""
    reader = _Forms()
    reader.read(page.decode())
    return reader.forms


def form_to(page: bytes, ending: str) -> Form:
    """The form whose address ends like this."""
    found = [form for form in forms(page) if form.action.endswith(ending)]
    assert found, f"no form to …{ending}; there are {[form.action for form in forms(page)]}"
    return found[0]


def text_of(page: bytes) -> str:
    """The words of a page, tags removed and spaces folded."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body.replace("<wbr>", ""))).split())
