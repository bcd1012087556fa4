"""What it did: comparisons, statistics, findings, pages."""
