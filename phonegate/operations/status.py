"""The status that `phonegate status` reads over the control socket, as JSON data."""

import os
from collections.abc import Mapping
from typing import Any

from phonegate.operations.alarm_loop import AlarmLoop
from phonegate.operations.snapshot import Snapshot


def status_document(sample: Snapshot, alarm_loop: AlarmLoop) -> Mapping[str, Any]:
    """Returns a snapshot as the answer to the command."""
    space = sample.space
    seconds, counts = alarm_loop.lately(sample)
    return {
        "version": sample.version,
        "pid": os.getpid(),
        "uptime_s": int(sample.up_s),
        "phones_online": sample.online,
        "connections": sample.connections,
        "messages": dict(sample.messages),
        "waiting": {
            reason: {
                "messages": queue.count,
                "oldest_s": None
                if queue.since is None
                else max(0, sample.at - queue.since) // 1000,
            }
            for reason, queue in sample.queues.items()
        },
        "lately": {"seconds": round(seconds, 1), **counts},
        "storage": {
            "database_bytes": space.database,
            "log_bytes": space.log,
            "free_bytes": space.free,
            "failing": sample.writer.failing,
            "in_place": space.in_place,
        },
        "alarms": [{"alarm": name, "about": about} for name, about in alarm_loop.alarms],
        "tasks": sample.tasks,
        "lag_s": round(sample.lag_s, 3),
    }
