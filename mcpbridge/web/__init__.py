"""The admin's pages for agents, upstreams and tools."""
