"""Explore: any question of the events, from a form whose address is the question."""
