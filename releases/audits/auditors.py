"""Every history by its provider's name: what this folder's modules know how to ask."""

from releases.audits import flagsmith, growthbook, launchdarkly, posthog, unleash
from releases.audits.frame import Auditor

AUDITORS: dict[str, Auditor] = {
    module.AUDITOR.slug: module.AUDITOR
    for module in (launchdarkly, unleash, flagsmith, growthbook, posthog)
}
CHOICES = [(slug, auditor.name) for slug, auditor in AUDITORS.items()]
