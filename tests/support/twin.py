"""A second process with a member's key, as a liar would run it: it says whatever a test says."""

import secrets
from collections.abc import Collection

from eth_account.signers.local import LocalAccount
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from protocol.certificate import RoundCertificate
from protocol.endorsement import endorse
from protocol.frames import Bundle, Hello, Proof, Welcome, decode_frame, encode_frame, handshake_digest
from protocol.ids import Address, TaskId
from protocol.members import Members
from protocol.pbft_messages import Instance, Message, Phase, Reply, Request, encode, value_digest
from protocol.signing import KeySigner
from protocol.typed_data import Domain


class Twin:
    """Linked to ``endpoints`` as the member whose key it holds; what it hears it ignores."""

    def __init__(self, account: LocalAccount, domain: Domain, endpoints: Collection[str]) -> None:
        self._signer = KeySigner(bytes(account.key))
        self._domain = domain
        self._links = {endpoint: self._link(endpoint) for endpoint in endpoints}

    def reply(
        self, members: tuple[Address, ...], task: TaskId, seq: int, certificate: RoundCertificate
    ) -> Reply:
        """A reply and endorsement as a member gives it once for each number."""
        instance = Instance(domain=self._domain.separator, task=task, members=Members.of(members))
        me, digest = members.index(self._signer.address), value_digest(certificate.encode())
        return Reply(
            task=task,
            seq=seq,
            digest=digest,
            sender=me,
            signature=self._signer.sign(instance.signing_digest(Phase.REPLY, 0, seq, digest, me)),
            endorsement=endorse(certificate.digest(self._domain), self._signer, None),
        )

    @staticmethod
    def request(task: TaskId, seq: int, certificate: RoundCertificate) -> Request:
        return Request(task=task, seq=seq, value=certificate.encode())

    def say(self, *messages: Message) -> None:
        """To everybody it is linked to; a link that was refused, as by who does not know yet that it is a
        member, is made anew for the next time."""
        frame = encode_frame(Bundle(bodies=tuple(encode(message) for message in messages)))
        for endpoint, link in self._links.items():
            try:
                link.send(frame)
            except ConnectionClosed:
                self._links[endpoint] = self._link(endpoint)

    def close(self) -> None:
        for link in self._links.values():
            link.close()

    def _link(self, endpoint: str) -> ClientConnection:
        link = connect(endpoint, compression=None, open_timeout=5, close_timeout=1, proxy=None, legacy=True)
        me, nonce, domain = self._signer.address, secrets.token_bytes(32), self._domain.separator
        link.send(encode_frame(Hello(domain=domain, address=me, nonce=nonce)))
        welcome = decode_frame(link.recv(timeout=5))
        assert isinstance(welcome, Welcome)
        proof = handshake_digest(domain, me, welcome.address, nonce, welcome.nonce)
        link.send(encode_frame(Proof(signature=self._signer.sign(proof))))
        return link
