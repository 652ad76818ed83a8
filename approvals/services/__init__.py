"""Use cases: one durable transaction each, named refusals, nothing rendered."""
