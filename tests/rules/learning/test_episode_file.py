"""Episode files: what was written is read back, and anything else is refused with its line."""

from __future__ import annotations

import os

import pytest
from pydantic import ValidationError

from countermand.detection.blocks import Row
from countermand.learning.episode import Episode
from countermand.learning.episode_file import EpisodeFault, check, header, read, rows_of, written
from tests.rules.learning import pasts


@pytest.fixture
def file(tmp_path):
    episode, rows = pasts.incident("file", count=70, effect_at=None)
    late = Row(seq=3, start=rows[3].start, block=rows[3].block, late_of=3, blocks=rows[4].blocks)
    path = tmp_path / "file.episode.jsonl"
    path.write_bytes(written(episode, [*rows[:9], late, *rows[9:]]))
    return path


def test_an_episode_is_read_back_as_it_was_written(file):
    episode, rows = read(file)
    assert len(rows) == header(file).rows == 71
    assert written(episode, rows) == file.read_bytes()


def test_the_quick_way_reads_the_same_rows_and_digests(file):
    _, rows = read(file)
    quick = list(rows_of(file, {pasts.SIGNAL}))
    assert [row.digest for row in quick] == [row.digest for row in rows]
    assert [row.model_dump(mode="json") for row in quick] == [row.model_dump(mode="json") for row in rows]
    assert all(not row.blocks for row in rows_of(file, set()))


def change(file, number, before, after):
    lines = file.read_bytes().split(b"\n")
    assert before in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(before, after, 1)
    file.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(
    ("number", "before", "after", "said"),
    [
        (1, b"episode/v1", b"episode/v2", "line 1: schema"),
        (1, b'"rows":71', b'"rows":0', "line 1: rows"),
        (1, b'"rows":71', b'"rows":72', "promises 72 rows, the file has 71"),
        (5, b'"served":500', b'"served":10', "line 5: blocks/0"),
        (5, b'"served":500', b'"served":-1', "line 5: blocks/0/served"),
        (5, b'"served":500', b'"served": 500', "line 5: not written in canonical form"),
        (5, b'"seq":3', b'"seq":4', "line 5: row 4 does not follow row 2"),
        (11, b'"late_of":3,"seq":3', b'"late_of":9,"seq":9', "line 11: late samples of row 9"),
        (5, b'"served":500', b'"served":501', "not those that the header was written for"),
    ],
)
def test_a_changed_line_is_refused_with_its_number(file, number, before, after, said):
    change(file, number, before, after)
    with pytest.raises(EpisodeFault, match=said):
        check(file)


def test_a_file_that_was_cut_short_is_refused(file):
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(EpisodeFault, match="promises 71 rows, the file has 70"):
        check(file)


def test_a_missing_file_is_a_fault_and_no_trace_of_python(tmp_path):
    with pytest.raises(EpisodeFault, match="No such file"):
        check(tmp_path / "none.episode.jsonl")


def test_an_episode_without_rows_is_not_written():
    episode, _ = pasts.incident("empty")
    with pytest.raises(ValueError, match="no sealed row"):
        written(episode, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"ends": pasts.BEGIN},
        {"kind": "quiet"},
        {"harm_start": "2027-01-01T00:00:00Z"},
        {"first_effect_at": "2026-01-01T00:00:00Z"},
        {"begins": "2026-03-01T01:00:00+02:00"},
        {"episode_id": "../../etc/passwd"},
    ],
)
def test_an_episode_that_cannot_have_been_is_refused(changes):
    episode, _ = pasts.incident("order")
    with pytest.raises(ValidationError):
        Episode.model_validate({**dict(episode), **changes})


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    pipe = tmp_path / "pipe.episode.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(EpisodeFault, match="no regular file"):
        header(pipe)
