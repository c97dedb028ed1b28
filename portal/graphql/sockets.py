"""Subscriptions at `/graphql`, over the graphql-transport-ws protocol."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.unset import UnsetType

from portal.credentials import authenticate
from portal.graphql.context import Context
from portal.graphql.endpoint import Operation
from portal.graphql.errors import sentence
from portal.graphql.schema import schema
from portal.outbox import Outbox
from portal.principal import AccessError
from portal.services import Services
from portal.session import FAILED, OVERSIZE, REVOKED, SLOW, Closing
from portal.settings import Settings

INIT_S = 10
"""How long a client may take to say `connection_init`, in seconds."""
MAX_OPERATIONS = 100
"""The operations that may run on one socket at the same time."""

_REASON_CHARACTERS = 123  # in a close frame (RFC 6455, section 5.5)

_log = logging.getLogger("portal")


class _Message(BaseModel):
    type: Literal["connection_init", "ping", "pong"]
    payload: dict[str, Any] = {}


class _Complete(BaseModel):
    type: Literal["complete"]
    id: Annotated[str, Field(max_length=64)]


class _Subscribe(BaseModel):
    type: Literal["subscribe"]
    id: Annotated[str, Field(max_length=64)]
    payload: Operation


_message: TypeAdapter[_Message | _Complete | _Subscribe] = TypeAdapter(
    Annotated[_Message | _Complete | _Subscribe, Field(discriminator="type")]
)


class Adapter(ASGIWebSocketAdapter):
    """Reads what a client says, as far as it is JSON."""

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        """Read one message after another until the socket is closed by either side."""
        with contextlib.suppress(WebSocketDisconnect):
            while self.ws.application_state is WebSocketState.CONNECTED:
                message = await self.ws.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("text") is None:
                    raise NonTextMessageReceived
                try:
                    yield json.loads(message["text"])
                except (ValueError, RecursionError) as error:
                    raise NonJsonMessageReceived from error
                await asyncio.sleep(0)  # let the writer run between messages that come in one packet


class Handler(BaseGraphQLTransportWSHandler[Context, None]):
    """Speaks the protocol, to those who do."""

    async def handle_message(self, message: Any) -> None:
        """Close the socket with 4400 on what is no message of the protocol."""
        if isinstance(message, dict):
            message = {name: value for name, value in message.items() if value is not None}
        try:
            _message.validate_python(message, strict=True)
        except ValidationError as error:
            await self.handle_invalid_message(sentence(error))
        else:
            await super().handle_message(message)


class Wire:
    """Stands between those who send and a socket that may be slow: bounded, as on `/ws/agents`."""

    def __init__(self, send: Send, settings: Settings) -> None:
        self._send = send
        self._accepted = False
        self._outbox = Outbox(settings.queue_frames, settings.queue_bytes, self.overflow)
        self.closing: asyncio.Future[Closing] = asyncio.get_running_loop().create_future()
        """Why the socket is to be closed, once it is."""

    def close(self, closing: Closing) -> None:
        """Have the socket closed; the first reason counts."""
        if not self.closing.done():
            self.closing.set_result(closing)

    def overflow(self) -> None:
        """Have the socket closed because its client is too slow."""
        self.close(SLOW)

    async def send(self, message: Message) -> None:
        """Queue a frame, or note that the socket is to be closed; this never waits for the client."""
        if message["type"] == "websocket.send":
            self._outbox.put(message["text"])
        elif message["type"] == "websocket.close" and self._accepted:
            self.close(Closing(message["code"], ascii(message["reason"])[1:-1][:_REASON_CHARACTERS]))
        else:
            self._accepted = message["type"] == "websocket.accept"
            await self._send(message)

    async def write(self) -> None:
        """Send frame after frame until the client is gone."""
        with contextlib.suppress(OSError):
            while True:
                await self._send({"type": "websocket.send", "text": await self._outbox.take()})


class GraphQLSockets(GraphQL[Context, None]):
    """The ASGI application behind the WebSocket `/graphql`.

    A handshake is taken from anyone but pages of other origins; nothing is done on the socket before `connection_init`
    has brought a token, or the handshake had one.
    """

    websocket_adapter_class = Adapter
    graphql_transport_ws_handler_class = Handler

    def __init__(self, init_s: float = INIT_S) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
            connection_init_wait_timeout=timedelta(seconds=init_s),
            max_subscriptions_per_connection=MAX_OPERATIONS,
        )
        self._open: dict[Wire, Context] = {}

    def close(self, closing: Closing) -> None:
        """Close every socket."""
        for wire in self._open:
            wire.close(closing)

    def revoke(self, credential: str) -> None:
        """Close the sockets that a credential opened."""
        for wire, context in self._open.items():
            if context.principal is not None and context.principal.credential == credential:
                wire.close(REVOKED)

    async def on_ws_connect(self, context: Context) -> UnsetType:
        """Ask for the token, in `connection_init` or else in the handshake."""
        params = {name.lower(): value for name, value in (context.connection_params or {}).items()}
        headers = Headers({"authorization": str(params.get("authorization", context.authorization))})
        try:
            context.principal = await authenticate(context.services, headers)
        except AccessError as error:
            raise ConnectionRejectionError from error
        return UnsetType()  # connection_ack carries nothing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket."""
        services: Services = scope["app"].state.services
        wire = Wire(send, services.settings)
        authorization = Headers(scope=scope).get("authorization", "")
        context = Context(services, on_overflow=wire.overflow, authorization=authorization)

        async def receive_bounded() -> Message:
            message = await receive()
            if len(message.get("text") or message.get("bytes") or "") > services.settings.frame_bytes:
                wire.close(OVERSIZE)
                return {"type": "websocket.disconnect", "code": OVERSIZE.code}
            return message

        self._open[wire] = context
        reader = asyncio.ensure_future(self.run(WebSocket(scope, receive_bounded, wire.send), context=context))
        writer = asyncio.create_task(wire.write())
        try:
            await asyncio.wait((reader, writer, wire.closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._open[wire]
            # As on /ws/agents: nobody sends any more when the close frame leaves.
            reader.cancel()
            writer.cancel()
            await asyncio.wait((reader, writer))
        for task in (reader, writer):
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.error("a GraphQL socket failed", exc_info=error)
                wire.close(FAILED)
        if wire.closing.done():
            closing = wire.closing.result()
            with contextlib.suppress(OSError):  # the client may have gone first
                await send({"type": "websocket.close", "code": closing.code, "reason": closing.reason})
