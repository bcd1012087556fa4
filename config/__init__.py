"""Wiring: imports every room, imported by none."""
