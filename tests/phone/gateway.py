"""A small gateway on a real socket: what a phone has to get along with, and no more."""

import json
from collections import deque
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, WebSocketServer

from tests.patience import PATIENCE_S

SECRET = "my-secret-key-123"


@attrs.define
class Order:
    """An outbound message as the gateway sees it."""

    id: int
    to: str
    body: str
    sim: str | None = None
    pushes: int = 0
    acked: bool = False
    results: list[dict[str, Any]] = attrs.field(factory=list)
    delivered: int = 0
    expires_at: int | None = None

    @property
    def settled(self) -> bool:
        return bool(self.results)


@attrs.define(eq=False)
class Peer:
    """One connection of a phone."""

    websocket: WebSocketConnection
    query: dict[str, str]
    headers: dict[bytes, bytes]
    frames: list[dict[str, Any]] = attrs.field(factory=list)
    window: set[int] = attrs.field(factory=set)

    async def send(self, frame: Any) -> None:
        await self.websocket.send_message(frame if isinstance(frame, str) else json.dumps(frame))

    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]


class Gateway:
    """Pushes orders to the phone they are for, again after each reconnect until acked.

    A phone without `device_id` speaks the basic protocol: pushed again until a result comes.
    """

    def __init__(self) -> None:
        self.url = ""
        self.peers: list[Peer] = []
        self.orders: dict[str | None, dict[int, Order]] = {}
        self.inbound: dict[tuple[str | None, str], dict[str, Any]] = {}
        self.inbound_frames = 0
        self.refuse: deque[tuple[int, bytes, dict[str, str]]] = deque()
        self.ack_inbound = True
        self.pong = True
        self.again = True
        self._changed = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus["Gateway"]) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        server = WebSocketServer(
            self._serve,
            listeners,
            connect_timeout=PATIENCE_S,
            disconnect_timeout=PATIENCE_S,
            message_queue_size=64,
        )
        self.url = f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

        async def guarded(stream: trio.SocketStream) -> None:
            try:
                await server._handle_connection(stream)
            except* (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError, OSError):
                pass  # Phones cut their links here in every way; nothing else may go wrong.

        task_status.started(self)
        await trio.serve_listeners(guarded, listeners)

    def order(self, order: Order, device_id: str | None = "sim-0001") -> Order:
        self.orders.setdefault(device_id, {})[order.id] = order
        return order

    def orders_of(self, count: int, device_id: str | None = "sim-0001") -> list[Order]:
        return [
            self.order(Order(one, f"+1555000{one:04d}", f"text {one}"), device_id)
            for one in range(1, count + 1)
        ]

    async def until(self, condition: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition():
                await self._changed.wait()

    async def settled(self, orders: Collection[Order]) -> None:
        await self.until(lambda: all(order.settled for order in orders))

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _serve(self, request: WebSocketRequest) -> None:
        if self.refuse:
            status, body, extra = self.refuse.popleft()
            headers = [(key.encode(), value.encode()) for key, value in extra.items()]
            await request.reject(status, body=body, extra_headers=headers)
            return
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}
        peer = Peer(await request.accept(), query, dict(request.headers))
        self.peers.append(peer)
        device = query.get("device_id")
        await peer.send({"type": "connected", "org_id": query["org_id"]})
        if self.again:
            for order in list(self.orders.get(device, {}).values()):
                if not order.acked and not order.settled:
                    await self.push(peer, order)
        self._change()
        try:
            await self._listen(peer, device)
        except ConnectionClosed:
            # Whoever closes it from this side waits for the phone's answer, which is read while
            # this handler is there.
            with trio.move_on_after(PATIENCE_S):
                await peer.websocket._close_handshake.wait()

    async def _listen(self, peer: Peer, device: str | None) -> None:
        while True:
            frame = json.loads(await peer.websocket.get_message())
            peer.frames.append(frame)
            await self._hear(peer, device, frame)
            self._change()

    async def push(self, peer: Peer, order: Order) -> None:
        order.pushes += 1
        push = {"type": "send_sms", "id": order.id, "to": order.to, "body": order.body}
        more = {} if order.expires_at is None else {"expires_at": order.expires_at}
        await peer.send({**push, "sim": order.sim, **more})

    async def _hear(self, peer: Peer, device: str | None, frame: dict[str, Any]) -> None:
        orders = self.orders.get(device, {})
        match frame["type"]:
            case "ack":
                orders[frame["id"]].acked = True
            case "send_result":
                orders[frame["id"]].results.append(frame)
            case "delivery_report":
                orders[frame["id"]].delivered += 1
            case "ping" if self.pong:
                await peer.send({"type": "pong"})
            case "inbound":
                self.inbound_frames += 1
                message = frame["message"]
                key = message.get("id", f"{message['date']}{message['address']}{message['body']}")
                self.inbound[device, key] = message
                if self.ack_inbound and "id" in message:
                    await peer.send({"type": "inbound_ack", "ids": [key], "message_id": 1})
