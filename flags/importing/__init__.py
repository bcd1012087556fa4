"""Flags of other tools' files → ours. Each format is one module with `translate`."""
