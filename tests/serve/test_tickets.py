from __future__ import annotations

from serving import small, ticking

from charrnn.sample.stream import Drawn
from charrnn.serve.bodies import ScoreBody, SuggestBody
from charrnn.serve.calls import score, suggestions
from charrnn.serve.tickets import Done, Event, Piece, Ticket


def test_pieces_are_gathered_for_a_moment_and_nothing_is_told_twice() -> None:
    told: list[tuple[Event, ...]] = []
    clock = [0.0]
    ticket = Ticket(told.append, lambda: clock[0])
    ticket.draw(1, Drawn(0, 2, "a"))
    ticket.draw(0, Drawn(0, 2, "b", ended="stop"))
    assert told == []
    clock[0] += 0.1
    ticket.draw(1, Drawn(0, 3, "c"))
    assert told == [(Piece(0, "b", "stop"), Piece(1, "ac", None))]
    ticket.draw(1, Drawn(0, 3, "d", ended="length"))
    ticket.finish("all")
    assert told[1:] == [(Piece(1, "d", "length"), Done("all"))]


def test_scores_and_suggestions_look_before_every_step_whether_to_pause() -> None:
    looks: list[float] = []
    clock = ticking()
    score(small(), ScoreBody(text="abcdefgh"), lambda: looks.append(clock()))
    assert len(looks) == 8
    suggestions(small(), SuggestBody(seed="abcdefgh"), lambda: looks.append(clock()))
    assert len(looks) > 2 * 8
