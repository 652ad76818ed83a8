"""Running a whole installation on one machine: the broker, the processes, and the one over them."""
