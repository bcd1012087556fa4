"""Every provider by the name in its address: what this folder's modules know how to read."""

from releases.hooks import (
    argocd,
    curl,
    flagsmith,
    flux,
    github,
    gitlab,
    grafana,
    growthbook,
    launchdarkly,
    posthog,
    sentry,
    unleash,
)
from releases.hooks.frame import Provider

PROVIDERS: dict[str, Provider] = {
    module.PROVIDER.slug: module.PROVIDER
    for module in (
        *(github, gitlab, argocd, flux, grafana, curl),
        *(launchdarkly, unleash, flagsmith, growthbook, posthog, sentry),
    )
}
CHOICES = [(slug, provider.name) for slug, provider in PROVIDERS.items()]
