"""The log as JSON (`PORTAL_LOG=json`): one object a line."""

import json
import logging
from datetime import UTC, datetime

from portal import trace


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object, with the names of the request it was made in."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line; what would break a line is escaped."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        names = trace.current.get()
        if names is not None:
            line |= {"request_id": names.request_id, "trace_id": names.trace_id}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, separators=(",", ":"))
