"""The road out: how an approved or allowed call reaches an MCP server.

`spec`, `errors` and `replies` are plain data that anybody in this package's layer may import.
`client` is the only package whose bytes leave this process towards an upstream. `stdio` is the
host process that owns local servers, `sandbox` what keeps those servers in their place.
"""
