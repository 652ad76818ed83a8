"""Rules that every template keeps."""

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR) / "templates"
TEMPLATES = sorted(ROOT.rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_trusts_a_value(path: Path):
    source = path.read_text()

    assert "|safe" not in source
    assert "autoescape" not in source
    assert "mark_safe" not in source


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_carries_inline_script_or_style(path: Path):
    source = path.read_text()

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", source)
    assert not re.search(r"<script(?![^>]*\ssrc=)", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_isolating_alone_is_no_inspection(path: Path):
    """Whoever isolates a name thinks somebody chose it: then it is inspected as well."""
    assert "<bdi>" not in path.read_text(), "use {% untrusted … %}, which isolates and inspects"
