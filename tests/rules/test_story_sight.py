"""What a user may see of a message's story: his own part, and how what he sent arrived."""

from emailgency.model.story import Copy, Facts, Happening, Kind, Story
from emailgency.rules.story_sight import seen_by
from emailgency.rules.whereabouts import State, outline, whereabouts

PAUL = frozenset({"paul@here.zz", "p@here.zz"})


def story(recipients, copies, happenings=(), mailbox="", sender="x@far.example") -> Story:
    facts = Facts("6b00000000", 1.0, sender, "hello", "1@x", 9, tuple(recipients), tuple(copies), mailbox=mailbox)
    return Story(facts, tuple(happenings))


def test_a_recipient_learns_of_no_other_recipient() -> None:
    told = story(
        ["ringo@here.zz", "Paul@here.zz"],
        [
            Copy(0, Kind.MAILBOX, 0, "m2"),
            Copy(1, Kind.MAILBOX, 1, "m1"),
            Copy(2, Kind.SERVER, 1, "paul@here.zz"),
            Copy(3, Kind.FORWARD, 0, "ringo@secret.example"),
        ],
        [Happening(2.0, "delivered", (0, 1)), Happening(3.0, "read", (0,)), Happening(4.0, "relayed", (2, 3))],
    )
    seen = seen_by(told, "m1", PAUL)
    assert seen is not None
    assert seen.facts.recipients == ("Paul@here.zz",)
    assert [(one.copy.kind, one.state) for one in whereabouts(seen)] == [
        (Kind.MAILBOX, State.STORED),
        (Kind.SERVER, State.GIVEN),
    ]
    assert "ringo" not in repr(seen)


def test_a_member_of_a_list_sees_the_list_and_his_own_copy() -> None:
    told = story(
        ["list@here.zz"],
        [Copy(0, Kind.MAILBOX, 0, "m1"), Copy(1, Kind.MAILBOX, 0, "m2"), Copy(2, Kind.FORWARD, 0, "y@secret.example")],
        [Happening(2.0, "delivered", (0, 1)), Happening(3.0, "read", (1,))],
    )
    seen = seen_by(told, "m1", PAUL)
    assert seen is not None
    assert [(one.copy.place, one.state) for one in whereabouts(seen)] == [("m1", State.STORED)]


def test_a_sender_sees_that_it_arrived_and_nothing_of_what_became_of_it_there() -> None:
    told = story(
        ["ringo@here.zz", "z@away.example"],
        [
            Copy(0, Kind.MAILBOX, 0, "m2"),
            Copy(1, Kind.FORWARD, 0, "ringo@secret.example"),
            Copy(2, Kind.ELSEWHERE, 1, "z@away.example"),
        ],
        [
            Happening(2.0, "delivered", (0,)),
            Happening(3.0, "read", (0,)),
            Happening(4.0, "bounced", (2,), 550, "5.1.1", "no such user"),
        ],
        mailbox="m1",
    )
    seen = seen_by(told, "m1", PAUL)
    assert seen is not None
    found = whereabouts(seen)
    assert [(one.copy.kind, one.copy.place, one.state) for one in found] == [
        (Kind.ANOTHER, "", State.GIVEN),
        (Kind.ELSEWHERE, "z@away.example", State.BOUNCED),
    ]
    assert outline(one.state for one in found) is State.BOUNCED
    assert "secret" not in repr(seen)
    assert "read" not in repr(seen.happenings)


def test_a_sender_address_that_somebody_claimed_shows_nothing() -> None:
    told = story(["ringo@here.zz"], [Copy(0, Kind.MAILBOX, 0, "m2")], sender="paul@here.zz")
    assert seen_by(told, "m1", PAUL) is None
    assert seen_by(told, "m2", frozenset({"ringo@here.zz"})) is not None


def test_what_was_kept_for_his_address_before_he_had_a_mailbox_is_his() -> None:
    told = story(["p@here.zz"], [Copy(0, Kind.CANDIDATE, 0, "p@here.zz")], [Happening(2.0, "delivered", (0,))])
    seen = seen_by(told, "m1", PAUL)
    assert seen is not None
    assert whereabouts(seen)[0].state is State.STORED
