"""What the README names exists: commands, paths, links and environment variables."""

import re
from pathlib import Path

import yaml
from django.core.management import get_commands

from mcpbridge.configuration import parse_document

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
MADE_LATER = ("var/", ".venv/bin/")  # by the first start
OF_THE_PROTOCOL = (
    "io.modelcontextprotocol/",
    "subscriptions/",
    "tasks/",
    "resources/",
    "prompts/",
    "completion/",
)
BOOTSTRAP = {"up", "test"}
VARIABLE = re.compile(r"\b(?:PLACET_[A-Z_]*[A-Z]|DATABASE_URL|REDIS_URL)\b")


def read_by_placet() -> set[str]:
    """Every variable that the typed environment reads, as its source spells them."""
    sources = [ROOT / "placet" / name for name in ("env.py", "keys.py")]
    return {name for source in sources for name in VARIABLE.findall(source.read_text("utf-8"))}


def test_every_variable_of_the_readme_is_read_and_every_one_that_is_read_is_in_it() -> None:
    assert set(VARIABLE.findall(README)) == read_by_placet()


def test_every_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", README))
    assert {"up", "test", "apply", "export", "issue_token", "verify_audit"} <= named
    assert named <= set(get_commands()) | BOOTSTRAP


def test_every_module_that_the_readme_runs_exists() -> None:
    for module in re.findall(r"python -m (tests[.\w]*)", README):
        place = ROOT / module.replace(".", "/")
        assert (place / "__main__.py").exists() or place.with_suffix(".py").exists(), module


def test_every_path_of_the_readme_exists() -> None:
    quoted = re.findall(r"`([\w./-]+)`", README)
    paths = [
        found
        for found in quoted
        if ("/" in found.strip("/") or re.search(r"\.(py|md|yaml|toml)$", found))
        and not found.startswith(("/", *MADE_LATER, *OF_THE_PROTOCOL))
        and not found.endswith("://")
    ]
    assert paths
    assert [found for found in paths if not (ROOT / found).exists()] == []


def test_every_example_of_a_configuration_is_one() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert len(examples) > 1
    for example in examples:
        parse_document(yaml.safe_load(example))


def test_the_readme_answers_in_the_order_in_which_people_ask() -> None:
    asked = [
        "See it work",
        "Test it",
        "Connect a real agent",
        "Configure sensitive tools",
        "Deploy",
        "Operate",
        "How it is built",
    ]
    sections = re.findall(r"^## (.+)$", README, re.MULTILINE)
    assert [section for section in sections if section in asked] == asked


def test_the_client_of_the_readme_waits_as_long_as_a_person_needs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    inside = example[example.index("async with") :].replace("\n", "\n    ")
    compile(f"async def agent():\n    {inside}", "README.md", "exec")
    assert "timeout=httpx2.Timeout(30, read=None)" in example
