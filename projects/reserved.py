"""Slugs that no project may have, because the address belongs to something else."""

RESERVED = frozenset(
    """admin api flagd healthz hooks invitations new ofrep preferences profile projects sign-in
    sign-out static v1 1 - docs""".split()
)


def is_reserved(slug: str) -> bool:
    return slug in RESERVED
