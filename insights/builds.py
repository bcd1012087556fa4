"""New builds seen in telemetry become deploys: the place where events meet changes.

A build id never seen before in that environment and service, or one that takes over again after
another ran (a roll-back), is a deploy, whether or not a pipeline told us.
"""

from datetime import UTC, datetime, timedelta

from events.store.read import Statement, moment, run
from releases.changes import record_detected_build
from releases.models import Change

RECENT = timedelta(minutes=10)
ABSENT = timedelta(minutes=5)


def detect(environment_id: int, now: datetime) -> int:
    """Records builds that appeared among what arrived lately. Returns how many deploys are new.

    What arrived, not what happened: telemetry of yesterday that comes in today counts too. A known
    build counts as appearing again only after it was away for a while, so that the old build of a
    rolling deploy is not mistaken for a roll-back.
    """
    rows = run(
        Statement(
            """SELECT service, build_id, toUnixTimestamp64Micro(min(time)) AS first,
                    toUnixTimestamp64Micro(min(received)) AS arrived
            FROM events
            WHERE environment = {environment:UInt32} AND entry AND build_id != ''
              AND received >= {since:DateTime64(6, 'UTC')}
            GROUP BY service, build_id ORDER BY first""",
            {
                "environment": environment_id,
                "since": moment(now - RECENT),
            },
        )
    ).rows
    known = set(
        Change.objects.filter(environment_id=environment_id, kind=Change.Kind.DEPLOY)
        .values_list("service", "build_id")
        .distinct()
    )
    created = 0
    for row in rows:
        service, build_id = row["service"], row["build_id"]
        first_seen = datetime.fromtimestamp(int(row["first"]) / 1e6, UTC)
        away = first_seen > now - RECENT + ABSENT
        if (service, build_id) not in known or away:
            created += record_detected_build(environment_id, service, build_id, first_seen)
    return created
