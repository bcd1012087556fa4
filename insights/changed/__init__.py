"""What changed? A time and the changes that explain how it differs from the time before."""
