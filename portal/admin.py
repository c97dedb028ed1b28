"""What admins do over REST: API keys, and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from portal.auth import SignedIn, needs, request_id
from portal.collection import Cursor, Limit, Walk
from portal.models import api_keys, audit
from portal.schemas import MAX_KEY, AuditPage, AuditView, KeyMade, KeyPage, KeyView, NewKey
from portal.services import Portal

router = APIRouter(prefix="/api/v1", tags=["admin"], dependencies=[Depends(needs("admin"))])
"""The routes of admins."""

_keys = Walk(api_keys)
_audit = Walk(audit)


@router.post("/keys", status_code=201)
async def create_key(body: NewKey, request: Request, principal: SignedIn, portal: Portal) -> KeyMade:
    """Make an API key. Its text is in this answer and nowhere else; it may do no more than who makes it."""
    for scope in body.scopes:
        principal.require(scope)
    expires_at_ms = None if body.expires_in_s is None else portal.now_ms() + body.expires_in_s * 1000
    row, key = await portal.api_keys.create(body.name, body.scopes, made_by=principal.who, expires_at_ms=expires_at_ms)
    portal.audit.note(principal.who, "key made", f"key:{row.key_id} {row.scopes}", "done", request_id(request))
    return KeyMade(**KeyView.model_validate(row).model_dump(), key=key)


@router.get("/keys", response_model=KeyPage)
async def list_keys(portal: Portal, limit: Limit = 50, cursor: Cursor = None) -> KeyPage:
    """List API keys, without their secrets."""
    rows, next_cursor = await _keys.page(portal.database, limit=limit, cursor=cursor, status=None)
    return KeyPage(items=[KeyView.model_validate(row) for row in rows], next_cursor=next_cursor)


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_key(
    key_id: Annotated[int, Path(ge=1, le=MAX_KEY)], request: Request, principal: SignedIn, portal: Portal
) -> Response:
    """Revoke an API key, from this moment."""
    if not await portal.api_keys.revoke(key_id):
        raise HTTPException(404, f"there is no API key {key_id}")
    portal.audit.note(principal.who, "key revoked", f"key:{key_id}", "done", request_id(request))
    return Response(status_code=204)


@router.get("/audit", response_model=AuditPage)
async def list_audit(portal: Portal, limit: Limit = 50, cursor: Cursor = None) -> AuditPage:
    """List the audit log from its beginning, up to this request."""
    await portal.audit.flush()
    rows, next_cursor = await _audit.page(portal.database, limit=limit, cursor=cursor, status=None)
    return AuditPage(items=[AuditView.model_validate(row) for row in rows], next_cursor=next_cursor)
