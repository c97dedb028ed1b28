"""The external service, over REST."""

from fastapi import APIRouter, Depends

from portal.auth import needs
from portal.mcp.commands import CommandRequest, CommandResult
from portal.services import Portal
from portal.timing import timed

router = APIRouter(prefix="/api/v1/integrations", tags=["integrations"], dependencies=[Depends(needs("agents:write"))])
"""The routes of integrations."""


@router.post("/commands")
async def run_command(body: CommandRequest, portal: Portal) -> CommandResult:
    """Run one of the allowed commands by the external service."""
    with timed("ext"):
        return await portal.external.run(body.command, body.timeout_ms)
