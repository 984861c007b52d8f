from __future__ import annotations

import contextlib
import random
import struct
import threading
import zlib

import pytest
from support.link.board import Answers, Fire, ModelBoard, client_of

from spikeloom.sw.errors import DataError, LinkError
from spikeloom.sw.link import Client, Decoder, RefusedError, State, pair


def images(count: int, seed: int = 0) -> list[bytes]:
    chance = random.Random(seed)
    return [chance.randbytes(7) for _ in range(count)]


class TestClient:
    def test_identity(self) -> None:
        client = client_of(ModelBoard())
        identity = client.identity
        assert identity.digest == b"\x5a" * 32
        assert (identity.image_bytes, identity.chunk, identity.records) == (7, 3, ((2, 4),))
        assert client.identity is identity
        client.require("5a" * 32)
        expected = r"^the board holds the network 5a5a5a5a5a5a, not a5a5a5a5a5a5: program it"
        with pytest.raises(LinkError, match=expected):
            client.require("a5" * 32)

    @pytest.mark.parametrize("delay", [0, 1, 5])
    def test_infer(self, delay: int) -> None:
        board = ModelBoard(delay)
        client = client_of(board)
        batch = images(9)
        results = list(client.infer(batch))
        assert [list(r.logits(2)) for r in results] == [ModelBoard.logits(x) for x in batch]
        assert [r.crc for r in results] == [zlib.crc32(x) for x in batch]
        assert client.traffic.resent == client.traffic.stray == client.traffic.repeated == 0
        assert client.counters() == (7, 1 << 31)
        assert client.counts(0, batch[-1]) == batch[-1] + b"\0"
        assert client.status().bank0 == State.DONE

    def test_counts_of_another_image(self) -> None:
        client = client_of(ModelBoard())
        first, second = images(2)
        with pytest.raises(RefusedError, match=r"^the board refuses AskCounts: nothing has been"):
            client.counts(0, first)
        list(client.infer([first]))
        with pytest.raises(LinkError, match=r"^record 0 of the board is of another image$"):
            client.counts(0, second)
        with pytest.raises(LinkError, match=r"^the board has 1 records, not one of index 1$"):
            client.counts(1, first)

    def test_an_image_of_another_size(self) -> None:
        with pytest.raises(DataError, match=r"^an image of 6 bytes, but the board's have 7$"):
            list(client_of(ModelBoard()).infer([b"123456"]))

    def test_busy(self) -> None:
        client = client_of(ModelBoard(delay=99), image_timeout=0.5)
        (image,) = images(1)
        client.write(0, image)
        client.run(0, image)
        with pytest.raises(RefusedError, match="it is still computing") as caught:
            client.write(0, image)
        assert caught.value.reason == 5
        client.reset()
        assert client.result(0).state == State.EMPTY

    def test_an_image_that_is_never_done(self) -> None:
        client = client_of(ModelBoard(delay=10**9), image_timeout=0.5)
        expected = r"^the board has not computed an image in 0.5 seconds: give it more patience"
        with pytest.raises(LinkError, match=expected):
            list(client.infer(images(1)))

    def test_a_label_that_the_logits_deny(self) -> None:
        def change(reply: bytes) -> bytes:
            return reply[:13] + b"\x09" + reply[14:] if reply[1] == 0x85 else reply

        with pytest.raises(LinkError, match=r"^the board says label 9, its logits are "):
            list(client_of(Answers(change)).infer(images(1)))

    def test_lengths_that_the_identity_denies(self) -> None:
        def change(reply: bytes) -> bytes:
            return reply + b"\0" if reply[1] in (0x85, 0x86, 0x87) else reply

        client = client_of(Answers(change))
        with pytest.raises(LinkError, match=r"^the board sent 7 bytes of logits, not 3 of 2"):
            list(client.infer(images(1)))
        with pytest.raises(LinkError, match=r"^the board sent 9 bytes of counters$"):
            client.counters()

    def test_an_image_that_the_board_loses_is_sent_again(self) -> None:
        board = ModelBoard()
        client = client_of(board)
        batch = images(4)
        for count, result in enumerate(client.infer(batch)):
            assert list(result.logits(2)) == ModelBoard.logits(batch[count])
            if count == 1:
                board.reset()
                board.images[0][:] = bytes(7)
        assert client.traffic.repeated == 1

    @pytest.mark.parametrize("when", [0, 1, 2])
    def test_a_board_that_is_programmed_anew_is_not_believed(self, when: int) -> None:
        board = ModelBoard()
        client = client_of(board)
        other = b"\xa5" * 32 + board.identity[32:]
        message = r"^the board was programmed .* the network a5a5a5a5a5a5 now, and had 5a5a5a5a5a5a"
        with pytest.raises(LinkError, match=message):  # noqa: PT012
            for count, _ in enumerate(client.infer(images(3))):
                if count == when:
                    board.identity = other
        board.identity = ModelBoard.identity
        assert len(list(client.infer(images(3)))) == 3

    def test_a_board_that_comes_back_is_not_believed(self) -> None:
        """Another design was there for a while, and computed an image."""
        board = ModelBoard()
        client = client_of(board)
        results = client.infer(images(4))
        next(results)
        board.identity = b"\xa5" * 32 + board.identity[32:]
        board.reset()
        with pytest.raises(LinkError, match=r"^the board was programmed or exchanged"):
            next(results)

    @pytest.mark.parametrize(
        ("place", "value", "message"),
        [
            (32, struct.pack("<I", 0), "clock is 0"),
            (36, struct.pack("<I", 1 << 31), "images of 2,147,483,648 bytes, but 7 values of 8"),
            (40, struct.pack("<I", 0), "transfers is 0"),
            (44, b"\x03", "values of 3 bits"),
            (45, struct.pack("<H", 0), "classes is 0"),
            (47, b"\x00", "logits of 0 bytes"),
            (47, b"\x09", "logits of 9 bytes"),
            (48, b"\x00", "banks is 0"),
            (49, struct.pack("<H", 0), "chunk is 0"),
            (51, struct.pack("<H", 0), "receive is 0"),
            (55, struct.pack("<H", 0), "a record with words of no bytes"),
        ],
    )
    def test_numbers_that_cannot_be(self, place: int, value: bytes, message: str) -> None:
        board = ModelBoard()
        board.identity = board.identity[:place] + value + board.identity[place + len(value) :]
        expected = f"^the board's identity cannot be: {message}.*: program it anew$"
        with pytest.raises(LinkError, match=expected):
            _ = client_of(board).identity

    def test_a_board_that_loses_every_image(self) -> None:
        class Forgets(ModelBoard):
            def run(self, bank: int, crc: int) -> None:
                self.images[bank][3] ^= 1
                super().run(bank, crc)

        client = client_of(Forgets(), attempts=4)
        with pytest.raises(LinkError, match=r"^the board has lost an image 4 times: check its"):
            list(client.infer(images(1)))

    def test_through_threads(self) -> None:
        here, there = pair()
        board, stop = ModelBoard(), threading.Event()

        def serve() -> None:
            while not stop.is_set():
                board.write(there.read(0.01))
                while board.outgoing:
                    there.write(board.outgoing.popleft())

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            batch = images(5)
            results = list(Client(here, timeout=5).infer(batch))
        finally:
            stop.set()
            thread.join()
        assert [list(r.logits(2)) for r in results] == [ModelBoard.logits(x) for x in batch]


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
@pytest.mark.parametrize("seed", range(2))
def test_under_fire(rate: float, seed: int) -> None:
    """Thousands of damaged frames: no wrong answer, no end without one, and recovery at once."""
    board = ModelBoard()
    fire = Fire(board, rate, seed)
    client = client_of(fire, attempts=400)
    batch = images(int(90 / rate) if rate < 0.1 else 400, seed)
    results = list(client.infer(batch))
    assert [list(r.logits(2)) for r in results] == [ModelBoard.logits(x) for x in batch]
    # A late request may have emptied or started a bank: that is said, and no others are given.
    for _ in range(20):
        with contextlib.suppress(LinkError):
            assert client.counts(0, batch[-1]) == batch[-1] + b"\0"
    assert client.counters() == (7, 1 << 31)
    assert fire.damaged > 500
    # The noise ends: the next request is answered at its first or, if a piece of a frame was left
    # over, at once after it.
    fire.rate = 0
    before = client.traffic.resent
    client.status()
    assert client.traffic.resent == before


def test_example_of_the_page() -> None:
    """A frame that is built by hand is answered as the page says."""
    board = ModelBoard()
    board.write(
        b"\x7e" + b"\x01\x02\x05\x00" + zlib.crc32(b"\1\2\5\0").to_bytes(4, "little") + b"~"
    )
    (content,) = Decoder().feed(board.read(0))
    assert content == bytes.fromhex("0182050000000000") + struct.pack("<H", 0)
