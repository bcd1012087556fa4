"""The shop's feature flags: what they are, and how its code asks for them.

Live, every question goes to Flipscope over OFREP with OpenFeature's own provider. History asks
flagd's evaluator on the document that Flipscope serves: the same answers without the calls.
Both carry OpenFeature's OpenTelemetry hook, which notes each answer on the current span.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.hook.opentelemetry import TracingHook
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata
from requests.adapters import HTTPAdapter

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One flag as the demo asks Flipscope for it; `percent` of users get `on`."""

    key: str
    percent: int
    tags: tuple[str, ...] = ()

    @property
    def rules(self) -> list[Json]:
        return split(self.percent)


def split(percent: int) -> list[Json]:
    """Rules that give `percent` of users `on`, by a hash of who they are."""
    if percent == 0:
        return []
    return [{"split": {"on": percent, "off": 100 - percent}}]


USE_CACHING = "USE_CACHING"
NEW_SEARCH = "NEW_SEARCH"
WANTED = (
    Wanted(USE_CACHING, 0, ("export", "performance")),
    Wanted(NEW_SEARCH, 50, ("search",)),
    Wanted("CHECKOUT_COPY", 50, ("checkout", "wording")),
    Wanted("BLUE_BUTTON", 50, ("look",)),
    Wanted("LAZY_IMAGES", 20, ("look", "performance")),
    Wanted("PREFETCH_FONTS", 50, ("look",)),
    Wanted("GUEST_CHECKOUT", 20, ("checkout",)),
    Wanted("ROUND_TAX", 50, ("pricing",)),
)
HARMLESS = tuple(flag.key for flag in WANTED if flag.key not in (USE_CACHING, NEW_SEARCH))


class Flags:
    """What the shop's code sees: a yes or no for one user."""

    def __init__(self, client: OpenFeatureClient) -> None:
        self._client = client

    def on(self, key: str, user_id: str, **facts: str) -> bool:
        """Whether `key` is on for this user; the code's own default is no."""
        context = EvaluationContext(targeting_key=user_id, attributes=facts)
        return self._client.get_boolean_value(key, default_value=False, evaluation_context=context)


def remote(url: str, server_key: str) -> Flags:
    """Flags asked of Flipscope over OFREP, a call for each question."""
    provider = OFREPProvider(
        url, headers_factory=lambda: {"Authorization": f"Bearer {server_key}"}, timeout=5
    )
    provider.session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=64))
    return _flags("live", provider)


def local(document: Json, *, domain: str = "history") -> Flags:
    """Flags answered here, from a flagd document."""
    return _flags(domain, Embedded(document))


def before_launch(document: Json, keys: Sequence[str]) -> Json:
    """The document as it was while `keys` were off for everyone."""
    flags = dict(document["flags"])
    for key in keys:
        if key in flags:
            kept = {name: part for name, part in flags[key].items() if name != "targeting"}
            flags[key] = kept | {"defaultVariant": "off"}
    return document | {"flags": flags}


def _flags(domain: str, provider: AbstractProvider) -> Flags:
    api.set_provider_and_wait(provider, domain)
    client = api.get_client(domain)
    client.add_hooks([TracingHook()])
    return Flags(client)


class Embedded(AbstractProvider):
    """flagd's evaluator in this process, as an OpenFeature provider."""

    def __init__(self, document: Json) -> None:
        super().__init__()
        self._core = FlagdCore()
        self._core.set_flags(document)

    def get_metadata(self) -> Metadata:
        return Metadata(name="flagd evaluator")

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        return self._core.resolve_boolean_value(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return self._core.resolve_string_value(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return self._core.resolve_integer_value(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        return self._core.resolve_float_value(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        return self._core.resolve_object_value(flag_key, default_value, evaluation_context)
