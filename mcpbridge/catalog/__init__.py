"""The tool catalogue: what upstreams offer, what an admin has pinned, what an agent may see.

`secrets` and `specs` turn rows into descriptions of upstreams, `recording` finds drift,
`snapshot` and `catalog` keep what was read, `listing` answers for one agent.
"""
