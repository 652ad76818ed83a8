"""Pure shapes and rules of a call: no rows, no wire, no framework."""
