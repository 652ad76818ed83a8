"""The stdio host: one process that owns every stdio server of this machine."""
