"""The variables of the environment that a document names for its secrets.

All of them are looked for before anything is applied, so that one run names every one that is
missing or hold a password that is too weak. Reads no row and never says a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from mcpbridge.catalog.secrets import Secrets
from mcpbridge.configuration.document import BadDocument, Document, UpstreamSection


def require_variables(
    document: Document, *, environment: Mapping[str, str], accounts: Collection[str]
) -> None:
    """Raise BadDocument with a line for each variable that is needed and not set, or too weak.

    `accounts` are the addresses that have an account: a password is set on a new one only.
    """
    wrong = [
        f"{path}: the environment variable {name} is not set"
        for path, name in _needed(document, accounts)
        if name not in environment
    ]
    for path, name in _first_passwords(document, accounts):
        if name in environment and (why := _weak(environment[name])):
            wrong.append(f"{path}: the password in {name} is refused: {why}")
    if wrong:
        raise BadDocument("\n".join(wrong))


def secrets_named(section: UpstreamSection, environment: Mapping[str, str]) -> Secrets:
    """The secrets of an upstream, whose variables are all set."""
    endpoint = section.questions.endpoint
    return Secrets(
        headers={name: environment[variable] for name, variable in section.headers_env.items()},
        environment={
            name: environment[variable] for name, variable in section.environment_env.items()
        },
        sampling_key=environment[endpoint.key_env] if endpoint and endpoint.key_env else "",
    )


def _needed(document: Document, accounts: Collection[str]) -> Iterator[tuple[str, str]]:
    """The place in the document and the variable that it names."""
    yield from _first_passwords(document, accounts)
    for index, upstream in enumerate(document.upstreams):
        path = f"upstreams[{index}]"
        for name, variable in upstream.headers_env.items():
            yield f"{path}.headers_env.{name}", variable
        for name, variable in upstream.environment_env.items():
            yield f"{path}.environment_env.{name}", variable
        endpoint = upstream.questions.endpoint
        if endpoint is not None and endpoint.key_env is not None:
            yield f"{path}.questions.endpoint.key_env", endpoint.key_env


def _first_passwords(document: Document, accounts: Collection[str]) -> Iterator[tuple[str, str]]:
    for index, user in enumerate(document.users):
        if user.password_env is not None and user.email.lower() not in accounts:
            yield f"users[{index}].password_env", user.password_env


def _weak(password: str) -> str:
    """Why nobody may choose this password; empty when it may be used."""
    try:
        validate_password(password)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""
