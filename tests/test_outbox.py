"""Batches between processes: numbered, on disk before they are sent, and taken once."""

import json

from loadtests.outbox import Inbox, Outbox, read_spool


def test_numbered(tmp_path):
    """Batches are numbered from 1, and say who sends them."""
    sent = []
    outbox = Outbox("worker-1", sent.append, tmp_path)
    outbox.post(intervals=[{"series": "GET /"}])
    outbox.post()
    outbox.post(events=["é\n"], gauges={"users": 3})
    assert sent == [
        {"source": "worker-1", "sequence": 1, "intervals": [{"series": "GET /"}]},
        {"source": "worker-1", "sequence": 2},
        {"source": "worker-1", "sequence": 3, "events": ["é\n"], "gauges": {"users": 3}},
    ]
    assert list(read_spool(tmp_path)) == sent


def test_spooled_before_sent(tmp_path):
    """What the receiver never gets is on disk already when the sending fails."""
    on_disk = []

    def fail(batch):
        on_disk.append([json.loads(line) for line in (tmp_path / "w.jsonl").read_text().splitlines()])
        raise OSError("gone")

    outbox = Outbox("w", fail, tmp_path)
    for k in range(3):
        try:
            outbox.post(k=k)
        except OSError:
            continue
    assert [[batch["k"] for batch in seen] for seen in on_disk] == [[0], [0, 1], [0, 1, 2]]
    assert [batch["sequence"] for batch in read_spool(tmp_path)] == [1, 2, 3]


def test_accepted_once():
    """A batch counts once, in whatever order and however often it comes; sources are numbered by themselves."""
    inbox = Inbox()
    arriving = [("a", 2), ("a", 1), ("b", 1), ("a", 2), ("b", 1), ("a", 3), ("a", 1)]
    new = [inbox.accept({"source": source, "sequence": number}) for source, number in arriving]
    assert new == [True, True, True, False, False, True, False]
    assert (inbox.seen("a"), inbox.seen("b"), inbox.seen("c")) == ({1, 2, 3}, {1}, set())


def test_sent_and_spooled_are_the_same(tmp_path):
    """A lost process's spool adds exactly what had not arrived."""
    arrived = []
    outbox = Outbox("w", lambda batch: arrived.append(batch) if batch["sequence"] % 3 else None, tmp_path)
    for k in range(10):
        outbox.post(count=k)
    inbox = Inbox()
    total = sum(batch["count"] for batch in [*arrived, *read_spool(tmp_path)] if inbox.accept(batch))
    assert total == sum(range(10))


def test_the_spool_is_bounded(tmp_path):
    """However long a run, its newest batches are on disk, at least as many as asked for and at most twice."""
    outbox = Outbox("w.swarm", lambda batch: None, tmp_path, keep=10)
    for k in range(1, 101):
        outbox.post(k=k)
        kept = sorted(batch["k"] for batch in read_spool(tmp_path))
        assert kept == list(range(max(1, k - len(kept) + 1), k + 1))
        assert min(k, 10) <= len(kept) <= 20


def test_last_line_cut_short(tmp_path):
    """Wherever a kill cuts the last line, the whole ones read, of every process."""
    for source in ("b", "a"):
        outbox = Outbox(source, lambda batch: None, tmp_path)
        for _ in range(3):
            outbox.post(text="é🐝")
    whole = (tmp_path / "a.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole)):
        (tmp_path / "a.jsonl").write_bytes(whole[:end])
        found = [(batch["source"], batch["sequence"]) for batch in read_spool(tmp_path)]
        assert found == [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)]


def test_no_spool(tmp_path):
    """A directory in which nothing was spooled holds no batch."""
    assert list(read_spool(tmp_path)) == []
