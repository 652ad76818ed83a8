"""An upstream that offers every tool, prompt and resource that the conformance scenarios ask for.

`python -m tests.outside.everything --port N` serves both protocol eras over Streamable HTTP, with
the official SDK's low-level server. What it offers is data (`offers`), what its tools do is in
`tools`, how they ask their client something in `questions`.
"""
