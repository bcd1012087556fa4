"""Who: projects, environments, members, keys, audit."""
