"""The npm packages are pinned, and a machine that cannot get them is told how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.outside import node


def test_without_a_registry_the_run_fails_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm.js"
    npm.write_text("console.log('no registry in reach'); process.exit(1)")
    monkeypatch.setattr(node, "_NPM", npm)
    with pytest.raises(node.JudgesMissing, match=r"python -m tests\.outside\.node") as caught:
        node._install(tmp_path / "judges")
    assert "no registry in reach" in str(caught.value)


def test_every_package_is_pinned_by_hash_and_names_no_registry() -> None:
    text = (node.HERE / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert len(packages) > 100
    assert [name for name, one in packages.items() if name and "integrity" not in one] == []
    assert "http:" not in text
    assert "https:" not in text


def test_the_packages_named_are_exact_versions() -> None:
    named = json.loads((node.HERE / "package.json").read_text())["dependencies"]
    assert {"@modelcontextprotocol/conformance", "@modelcontextprotocol/inspector"} <= set(named)
    assert [version for version in named.values() if not version[0].isdigit()] == []
