"""The histories of flag services, asked for what their webhooks lost. One module a provider: how
to ask, and how its answer is read; what an entry means is told by `releases.hooks`."""
