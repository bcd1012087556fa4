"""How far the database's clock is from this process's.

Nothing is decided by the database's clock: a flip follows the clock of whoever evaluates, and the
worker writes it down by its own. But versions and changes carry times of both, so that a difference
would put what is read beside each other in the wrong order: it is said before a launch.
"""

import time

from django.db import connection

TOLERATED_S = 0.5


def skew_s() -> float:
    """The database's clock less this process's, in seconds; positive where the database is ahead.
    Half of the way there and back is the most it can be wrong by, and is taken off."""
    begun = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        [there] = cursor.fetchone()
    ended = time.time()
    found = float(there) - (begun + ended) / 2
    unsure = (ended - begun) / 2
    return found - unsure if found > unsure else found + unsure if found < -unsure else 0.0
