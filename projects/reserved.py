"""Slugs that no project may have, because the address belongs to something else."""

RESERVED = frozenset(
    {
        *("-", "1", "admin", "api", "docs", "flagd", "healthz", "hooks", "invitations", "new"),
        *("ofrep", "preferences", "profile", "projects", "settings", "sign-in", "sign-out"),
        *("static", "v1"),
    }
)


def is_reserved(slug: str) -> bool:
    return slug in RESERVED
