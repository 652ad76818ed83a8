"""Where this installation may connect to. Knows addresses and sockets, and nobody above."""
