"""Whether the portal lives, and whether it can work."""

import logging

from fastapi import APIRouter
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from portal.services import Portal

router = APIRouter(tags=["health"])
"""The routes of health; they need no login."""

_log = logging.getLogger("portal")


@router.get("/healthz")
async def live() -> dict[str, str]:
    """Answer, which is all it says."""
    return {"status": "live"}


@router.get("/readyz")
async def ready(portal: Portal) -> dict[str, str]:
    """Answer 200 when the database answers, 503 when not."""
    try:
        await portal.database.ping()
    except (SQLAlchemyError, OSError) as error:
        _log.warning("the database does not answer: %s", error)
        raise HTTPException(503, "the database does not answer") from error
    return {"status": "ready"}
