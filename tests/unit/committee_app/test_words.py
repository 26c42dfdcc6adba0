"""What members said: kept when they signed it, in the form that a contract can check, never without bound."""

from committee.words import MAX_VALUES, MAX_WORDS, WordBook
from protocol.certificate import RoundCertificate
from protocol.ids import EpochNo, RoundNo, Sha256, TaskId, sha256
from protocol.members import Members
from protocol.pbft_messages import Instance, Phase, Prepare, value_digest
from protocol.signing import KeySigner, is_signed_by

KEYS = sorted((KeySigner(sha256(bytes([i]))) for i in range(4)), key=lambda key: int(key.address, 16))
INSTANCE = Instance(domain=sha256(b"domain"), task=7, members=Members.of(tuple(k.address for k in KEYS)))


def certificate(number: int = 1, task: int = 7) -> RoundCertificate:
    names = [Sha256(sha256(f"{number} {i}".encode())) for i in range(7)]
    return RoundCertificate(
        task_id=TaskId(task),
        first_round=RoundNo(1),
        last_round=RoundNo(1),
        epoch=EpochNo(1),
        spec_hash=names[0],
        parent_model=names[1],
        model=names[2],
        contributions_root=names[3],
        faults_root=names[4],
        payouts_root=names[5],
        paid_total=number,
        segment=names[6],
    )


def prepare(sender: int, value: bytes, view: int = 0, seq: int = 1) -> Prepare:
    return Prepare.signed(
        INSTANCE, KEYS[sender], sender=sender, view=view, seq=seq, digest=value_digest(value)
    )


def test_words__prepare_of_a_known_proposal__is_a_word_that_a_contract_recovers() -> None:
    book, value = WordBook(INSTANCE), certificate().encode()
    book.hear(prepare(2, value, view=5, seq=3))
    assert book.words() == []
    book.learn(value)
    (word,) = book.words()
    assert (word.member, word.view, word.seq) == (KEYS[2].address, 5, 3)
    assert word.certificate == certificate()
    digest = INSTANCE.signing_digest(Phase.PREPARE, 5, 3, value_digest(value), 2)
    assert is_signed_by(digest, word.signature, word.member)


def test_words__wrong_recovery_byte__is_put_right() -> None:
    book, value = WordBook(INSTANCE), certificate().encode()
    said = prepare(1, value)
    flipped = said.signature[:64] + bytes((55 - said.signature[64],))
    book.learn(value)
    book.hear(Prepare(task=7, view=0, seq=1, digest=said.digest, sender=1, signature=flipped))
    (word,) = book.words()
    assert word.signature == said.signature


def test_words__somebody_elses_signature__is_nobodys_word() -> None:
    book, value = WordBook(INSTANCE), certificate().encode()
    said = prepare(1, value)
    book.learn(value)
    book.hear(Prepare(task=7, view=0, seq=1, digest=said.digest, sender=2, signature=said.signature))
    assert book.words() == []


def test_words__many_of_one_member_about_one_proposal__count_once() -> None:
    book, value = WordBook(INSTANCE), certificate().encode()
    book.learn(value)
    for view in range(5):
        book.hear(prepare(0, value, view=view))
    assert len(book.words()) == 1


def test_learn__what_is_no_certificate_of_the_task__is_not_kept() -> None:
    book = WordBook(INSTANCE)
    for value in (b"verdict", certificate(task=8).encode()):
        book.learn(value)
        book.hear(prepare(0, value))
    assert book.words() == []


def test_book__flooded__stays_bounded() -> None:
    book, first = WordBook(INSTANCE), certificate(0).encode()
    book.learn(first)
    book.hear(prepare(0, first))
    for number in range(1, MAX_VALUES + 1):
        book.learn(certificate(number).encode())
    assert book.words() == []  # the oldest proposal went first
    assert MAX_WORDS >= 1_000
