"""The status that `phonegate status` reads over the control socket, as JSON data."""

import os
from collections.abc import Mapping
from typing import Any

from phonegate.operations.alarm_loop import AlarmLoop
from phonegate.operations.snapshot import Snapshot


def status_document(snapshot: Snapshot, alarm_loop: AlarmLoop) -> Mapping[str, Any]:
    """Returns a snapshot as the answer to the command."""
    space = snapshot.space
    seconds, counts = alarm_loop.lately(snapshot)
    return {
        "version": snapshot.version,
        "pid": os.getpid(),
        "uptime_s": int(snapshot.up_s),
        "phones_online": snapshot.online,
        "connections": snapshot.connections,
        "event_followers": snapshot.followers,
        "messages": dict(snapshot.messages),
        "waiting": {
            reason: {
                "messages": queue.count,
                "oldest_s": None
                if queue.since is None
                else max(0, snapshot.at - queue.since) // 1000,
            }
            for reason, queue in snapshot.queues.items()
        },
        "lately": {"seconds": round(seconds, 1), **counts},
        "requests": {"lately": alarm_loop.requests_lately(snapshot), "total": snapshot.answered},
        "storage": {
            "database_bytes": space.database,
            "log_bytes": space.log,
            "free_bytes": space.free,
            "failing": snapshot.writer.failing,
            "in_place": space.in_place,
        },
        "alarms": [{"alarm": name, "about": about} for name, about in alarm_loop.alarms],
        "tasks": snapshot.tasks,
        "lag_s": round(snapshot.lag_s, 3),
    }
