"""Arithmetic on totals: pure functions of numpy arrays, no Django, no SQL.

The recipe, its sources and its limits: docs/statistics.md.
"""
