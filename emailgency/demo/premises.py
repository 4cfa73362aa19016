"""Where the demo works: on loopback only, on free ports, in a data folder of its own."""

import os
import socket
import sys

import msgspec

from emailgency.demo.customer_server import HOST
from emailgency.flows.relaying.flush import FlushSettings
from emailgency.listening import PORTS
from emailgency.net.egress import EgressSettings
from emailgency.settings import Listen, Settings

FOLDER = "emailgency-demo"  # in the current folder, unless --data names another
SERVICE_DOMAIN = "emailgency.example"


def settings(data: str, server_port: int) -> Settings:
    """The shipped ones, but nobody else reaches us, we may reach the simulated server, and it may come back often."""
    allowed = EgressSettings()
    return Settings(
        data=data,
        host_name=f"mx.{SERVICE_DOMAIN}",
        service_domain=SERVICE_DOMAIN,
        listen=Listen(**{port.service: (f"{HOST}:{_free(port.free)}",) for port in PORTS}),
        flush=FlushSettings(interval=0),
        egress=msgspec.structs.replace(allowed, networks=(f"{HOST}/32",), ports=(*allowed.ports, server_port)),
    )


def _free(port: int) -> int:
    """The port people know, else 0: one the kernel chooses."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return 0
    return port


def command() -> str:
    """How a person runs `emailgency` here: the one beside our twistd, else the one of the PATH."""
    place = os.path.join(os.path.dirname(sys.argv[0]), "emailgency")
    return place if os.path.dirname(place) and os.access(place, os.X_OK) else "emailgency"
