"""A small DNS server on loopback, UDP and TCP on one port, with records and vices as told."""

import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

TTL = 60


def servfail(query, honest, udp=True):
    """A vice: there is trouble, told at once; silence takes a timeout, which must be long for good answers."""
    honest.answer.clear()
    honest.set_rcode(dns.rcode.SERVFAIL)
    return [honest.to_wire()]


class DnsServer(DatagramProtocol):
    """`zone` maps (name, type) to a list of record texts; a known name without the type is no data.

    `vice` gets (query, octets of the honest answer, over UDP or not) and gives a list of datagrams to send instead.
    """

    def __init__(self, zone=None, vice=None, ttl=TTL, authentic=False):
        self.zone = dict(zone or {})
        self.vice = vice
        self.ttl = ttl
        self.authentic = authentic
        self.asked, self.ports, self.ids = [], [], []
        while True:
            tcp = reactor.listenTCP(0, Factory.forProtocol(lambda: _Stream(self)), interface="127.0.0.1")
            try:
                udp = reactor.listenUDP(tcp.getHost().port, self, interface="127.0.0.1")
                break
            except CannotListenError:  # the UDP side of the port is taken: another port
                tcp.stopListening()
        self._listeners = (tcp, udp)
        self.address = f"127.0.0.1:{tcp.getHost().port}"

    def stop(self):
        return gatherResults([maybeDeferred(listener.stopListening) for listener in self._listeners])

    def datagramReceived(self, datagram, addr):
        query = dns.message.from_wire(datagram)
        self.ports.append(addr[1])
        self.ids.append(query.id)
        for answer in self.answers(query, datagram, udp=True):
            self.transport.write(answer, addr)

    def answers(self, query, octets, udp):
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append((name, kind, "udp" if udp else "tcp"))
        honest = self.answer(query, name, kind)
        if self.vice:
            return self.vice(query, honest, udp)
        return [honest.to_wire()]

    def answer(self, query, name, kind):
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA | (dns.flags.AD if self.authentic else 0)
        for _ in range(20):
            if alias := self.zone.get((name, "CNAME")):
                response.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", "CNAME", *alias))
                name = alias[0].removesuffix(".")
            else:
                break
        records = self.zone.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text(name + "." if name else ".", self.ttl, "IN", kind, *records))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


class _Stream(Protocol):
    def __init__(self, server):
        self.server, self.buffer = server, b""

    def dataReceived(self, data):
        self.buffer += data
        while len(self.buffer) >= 2 and len(self.buffer) >= 2 + (length := struct.unpack("!H", self.buffer[:2])[0]):
            octets, self.buffer = self.buffer[2 : 2 + length], self.buffer[2 + length :]
            for answer in self.server.answers(dns.message.from_wire(octets), octets, udp=False):
                self.transport.write(struct.pack("!H", len(answer)) + answer)
