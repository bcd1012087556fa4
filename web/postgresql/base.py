"""Django's PostgreSQL backend, which asks the server less often whether it is still there.

Django asks `SELECT 1` before each request's first statement. A server that ended or was killed has
closed its end, which the socket tells without a question; only then is one asked.
"""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Whether the next statement may go to this connection."""
        held = self.connection
        if held is None or held.closed:
            return False
        waiting = select.poll()  # unlike select(), also of descriptors beyond the 1,024th
        waiting.register(held.fileno(), select.POLLIN)
        return not waiting.poll(0) or super().is_usable()
