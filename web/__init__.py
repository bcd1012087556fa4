"""How we answer browsers."""
