"""What changed: changes, deploys, builds, the timeline."""
