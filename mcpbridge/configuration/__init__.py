"""Configuration as code: one document that says who is who, what is behind, and the policy."""

from mcpbridge.configuration.applying import Report, apply_document
from mcpbridge.configuration.document import BadDocument, Document, parse_document
from mcpbridge.configuration.exporting import export_document
from mcpbridge.configuration.reading import read_yaml
from mcpbridge.configuration.suspicions import places_of_secrets
from mcpbridge.configuration.writing import write_yaml

__all__ = [
    "BadDocument",
    "Document",
    "Report",
    "apply_document",
    "export_document",
    "parse_document",
    "places_of_secrets",
    "read_yaml",
    "write_yaml",
]
